// Command bench measures rhost beside a baseline, in one run.
//
//	go run ./bench              every suite
//	go run ./bench match ingest only these
//	go run ./bench -runs 5 -json
//
// Each suite interleaves what it compares and repeats it; the table shows the
// median, the smallest and the largest of the runs, and the ratio of ours to the
// baseline's median. Machines differ and are noisy: trust the ratios.
//
// Suites: match (events through a thousand rules), ingest (durable commits),
// action (calls of plugins), fuel (what metering costs), start (from the command
// to the first match).
package main

// Command bench measures rhost beside a baseline, in one run.
//
//	go run ./bench              every suite, in some five minutes
//	go run ./bench match ingest only these
//	go run ./bench -sizes 1000000 rules
//	go run ./bench -runs 5 -json
//	go run ./bench -only "window 2,000" -cpuprofile cpu.out stateful
//
// Each suite interleaves what it compares and repeats it; the table shows the
// median, the smallest and the largest of the runs, and the ratio of ours to the
// baseline's median. Machines differ and are noisy: trust the ratios. What cannot
// be built here is shown with the figure that was recorded of it, and marked so.
//
// Suites of the core: match (JSON in, matches out), rules (memory, loading and
// edits), stateful (patterns), shared (rules that begin alike), keys (many keys),
// latency, alloc, sigma. Of the host: ingest (durable commits), action (calls of
// plugins), extism (calls of an Extism plugin, beside Extism's SDK), fuel (what
// metering costs), cluster (three nodes beside one, and a log that goes from one to
// another), start (from the command to the first match). docs/performance.md
// explains methods and baselines.
//
// What is measured beside and is no dependency of rhost lies in bench/peers, a
// module of its own.
package main

// Package connect brings events in from outside.
//
// A Source reads from somewhere and submits Batches to a Sink, which the host
// provides: Submit returns when the batch is on disk, together with the source's
// cursor, and waits while the log is full. A source that goes on from its last
// cursor after a crash thus loses nothing; what it reads again has the ids it had
// and is accepted once. What is not an event becomes a BadRecord, with its
// position and the reason, and stops nothing.
//
// Supervise keeps one source running: it starts a failed one again, with growing
// waits, and keeps its Health for those who look.
//
// The sources are in the sub-packages: files (tails), fswatch (folders),
// webhook, schedule and stdin. Each has a Config with the keys of rhost.yaml,
// whose Validate reports everything wrong with it. A source belongs to the
// goroutine that runs it; Health and webhook handlers are safe for concurrent
// use. connecttest holds each source to the same promises.
package connect

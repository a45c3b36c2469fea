// Package host builds a running host from an app folder and owns the lifetime
// of its parts. It is the only place where the parts meet.
//
// How an event travels, with the file that moves it:
//
//   - ingest.go: a source or the API brings it; it is checked, stamped and
//     committed to the stream EV of the log (package eventlog), fsync before ack.
//   - lane.go, decide.go: the lane, one goroutine per tenant, reads committed
//     frames in order and feeds the matcher (package cep). A match starts an
//     execution of the rule's steps (package workflow).
//   - outbox.go, commit.go: what was decided is cut into batches and committed to
//     the stream RUN.
//   - actions.go: once that is on disk, the commands go to the dispatcher
//     (package dispatch), which calls plugins in the sandbox, or to the executors
//     of http and file steps.
//   - forward.go: results come back to the lane, and their effects are applied:
//     state (state.go), notifications (package notify), events emitted into EV.
//   - recover.go: after a crash both streams are read back, and the lane stands
//     where it stood.
//
// In a cluster (package cluster) a Node, in node.go, runs a Host whenever it owns the
// log, and is there in between: nodeown.go takes the log over and hands it on,
// nodeapi.go serves the API. What is in force there is an edition (edition.go), which
// the owner reads, records and changes (editions.go, sharedrules.go); nodefolder.go
// compares a node's own folder with it.
//
// wire.go lists the engines and connectors of the program; config.go and
// ruleset.go read the app folder; query.go answers what was recorded;
// reload.go follows changes of rules and plugins.
package host

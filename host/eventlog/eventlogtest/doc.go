// Package eventlogtest has what it takes to test those who use an eventlog: a
// Model of the servers that keep logs, and the promises of a log as a suite.
//
// # The model
//
// A Model is all servers of a log in memory, however many there would be. It
// keeps the promises of eventlog.Store and not one more: answers get lost, a
// message arrives long after its sender has given up, others see a message that
// is not on disk yet, a disk fills up, a bit flips, and at a power cut what was
// not synced is gone. A real server does all of that as well, when nobody is
// looking.
//
// Every choice comes from one function, so that a seed or a fuzzer decides what
// happens, and the same choices give the same run. The model has no goroutine
// and reads no clock. With eventlog.Committer's Submit and Step, and the fields
// Now and Writer of eventlog.Config, logs over a model run in one goroutine as
// well.
//
// Node is one machine's way to the servers, which can be cut. Whoever simulates a
// process that dies drops its Log without closing it.
//
// Faults can be planted that no server has, Config.NoFence and Config.AckEarly:
// a test that does not find them would not find them elsewhere either.
//
// # The suite
//
// Suite runs what a log promises on logs of any origin.
package eventlogtest

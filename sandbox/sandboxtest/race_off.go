//go:build !race

package sandboxtest

// Race reports whether the race detector is on. Interpreters run ten times
// slower under it, so tests that count on their speed give them less to do.
const Race = false

// Package deploy brings plugins and rules from an app folder into a running
// host, and keeps them in step with it.
//
// Find lists the plugins of a folder. Plugins loads them: each is compiled
// aside by the engine of its kind and put into a sandbox.Slot of its own, so
// that a new version takes the next call while calls in flight finish on the
// old one. A file that does not load changes nothing: the version before it
// goes on, and the error says what is wrong and where.
//
// Build turns a folder of source in Go, Rust, C or AssemblyScript into a Wasm
// plugin with the author's own toolchain, and a Builder does so again and again, with the
// AssemblyScript compiler kept loaded. Watch reports which files of a folder changed, once they have been
// quiet for a moment.
//
// Plugins is safe for concurrent use; reloads are taken one after the other.
package deploy

//go:build !linux

package wasm

// confine limits nothing here: the time is all that holds the process.
func confine() error { return nil }

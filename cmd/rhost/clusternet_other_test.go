//go:build !linux

package main

import (
	"os/exec"
	"testing"
)

// wires are for Linux, which has network namespaces.
type wires struct{}

func ownNetwork(t *testing.T) (w *wires, ran bool) {
	t.Log("no network of namespaces can be made: this is not Linux")
	return nil, false
}

func (*wires) ip(int) string                    { return "" }
func (*wires) command(int, ...string) *exec.Cmd { return nil }
func (*wires) cut(int)                          {}
func (*wires) join(int)                         {}

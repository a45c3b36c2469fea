package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
)

// TestMain makes this test binary stand in for rhost, so that scripts and tests
// run the real command as a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		main() // a host of these tests starts this program by its file, to compile
	}
	testscript.Main(m, map[string]func(){"rhost": main})
}

// TestScripts runs testdata/script: what a user types, and what comes back.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"hex": hexFile, "occupy": occupy},
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			return nil
		},
	})
}

// A host that is interrupted while it starts was given no bad input.
func TestInterruptedStart(t *testing.T) {
	app := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"run", app, "--listen", "off"}, stdio{strings.NewReader(""), &out, &errs})
	assert.Equal(t, exitFailure, code)
	assert.Equal(t, "error: interrupted\n", errs.String())
}

// hexFile is `hex FILE BYTES...`: it writes a file that is no text.
func hexFile(ts *testscript.TestScript, _ bool, args []string) {
	b, err := hex.DecodeString(strings.Join(args[1:], ""))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// occupy is `occupy VAR`: it listens on a port, whose address VAR then holds.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

package wasm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// Some modules that are small and valid keep the compiler busy for minutes, or have
// it take gigabytes, and nothing stops it once it runs. So a module is first
// compiled in a process of its own, which can be killed, and which leaves the result
// in the cache; here it is only read from there. That a module was compiled within
// the limits is noted beside the cache, so that no second process is needed for it.

// Limits of the process that compiles, unless Options say otherwise. Go guests of 2
// to 3 MB take two to four seconds of processor time and 300 MB. Processor time
// decides, so that a busy machine refuses nothing that an idle one admits.
const (
	childCPU    = time.Minute
	childTime   = 2 * time.Minute // of wall time
	childMemory = 1 << 30
	maxComplain = 4 << 10 // bytes of what the process says that are passed on
)

// errTooDear is the error of a module that the compiler does not finish with.
var errTooDear = errors.New("it takes too much time or memory")

// compiler is the process that compiles, one at a time.
type compiler struct {
	command []string // and its arguments; empty compiles here
	cache   string   // folder of compiled modules
	limit   time.Duration

	mu sync.Mutex // held while a process runs
}

// prepare sees to it that compiling the module here takes no longer than reading it
// from the cache, or than it took when that was last tried.
func (c *compiler) prepare(ctx context.Context, wasm []byte) error {
	if len(c.command) == 0 || c.cache == "" {
		return nil
	}
	note := filepath.Join(c.cache, "tried", c.name(wasm))
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := os.Stat(note); err == nil {
		return nil
	}
	if err := c.run(ctx, wasm); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(note), 0o700); err != nil {
		return err
	}
	return os.WriteFile(note, nil, 0o600)
}

// name is that of the note about a module: what one release of the compiler
// finishes with says nothing of another.
func (c *compiler) name(wasm []byte) string {
	h := sha256.New()
	io.WriteString(h, compilerVersion()) //nolint:errcheck // a hash takes all
	h.Write(wasm)
	return hex.EncodeToString(h.Sum(nil))
}

// compilerVersion is that of wazero.
func compilerVersion() string { return sandbox.VersionOf("github.com/tetratelabs/wazero") }

// runtimeOf names what counts the fuel of a module.
func runtimeOf() string {
	return fmt.Sprintf("wazero %s, cost model %d", compilerVersion(), fuel.CostModel)
}

// run compiles the module in a process.
func (c *compiler) run(ctx context.Context, wasm []byte) error {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	cmd := exec.CommandContext(limited, c.command[0], append(c.command[1:len(c.command):len(c.command)], c.cache)...)
	cmd.Env = []string{} // nothing of the host's is its business
	cmd.Stdin = bytes.NewReader(wasm)
	said := &head{room: maxComplain}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("compile: %w", context.Cause(ctx))
	case limited.Err() != nil:
		return fmt.Errorf("%w: still compiling after %v", errTooDear, c.limit)
	case !errors.As(err, &exit):
		return fmt.Errorf("start the process that compiles: %w", err)
	case exit.ExitCode() == refusedCode:
		return errors.New(firstLine(string(said.text)))
	}
	return fmt.Errorf("%w: the process that compiles ended with %w: %s", errTooDear, err, firstLine(string(said.text)))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// head keeps the beginning of what is written to it.
type head struct {
	text []byte
	room int
}

func (h *head) Write(p []byte) (int, error) {
	keep := min(len(p), h.room)
	h.room -= keep
	h.text = append(h.text, p[:keep]...)
	return len(p), nil
}

// refusedCode is how the process ends when the compiler refuses the module.
const refusedCode = 3

// CompileChild is the process that Options.Compiler starts: it compiles the module
// that it reads from in and leaves the result in the cache. It gives the exit code.
func CompileChild(ctx context.Context, cache string, in io.Reader, out io.Writer) (code int) {
	say := func(code int, format string, args ...any) int {
		fmt.Fprintf(out, format+"\n", args...) //nolint:errcheck // there is nobody else to tell
		return code
	}
	if err := confine(); err != nil {
		return say(1, "limit the process that compiles: %v", err)
	}
	wasm, err := io.ReadAll(in)
	if err != nil {
		return say(1, "read the module: %v", err)
	}
	kept, err := OpenCache(cache)
	if err != nil {
		return say(1, "%v", err)
	}
	e := &Engine{runtime: wazero.NewRuntimeWithConfig(ctx, runtimeConfig(kept)), turns: kept.turns}
	if _, err := e.compile(ctx, wasm); err != nil {
		return say(refusedCode, "%v", err)
	}
	return 0 // the process ends: nothing needs to be closed
}

// tooDear turns an error of prepare into the answer to whoever sent the module.
func tooDear(module string, err error) error {
	if errors.Is(err, errTooDear) {
		return &sandbox.Refusal{
			Module: module, Reason: "the compiler does not finish with the module: " + err.Error(),
			Fix: "split its largest functions, or build with less inlining",
		}
	}
	return &sandbox.Refusal{Module: module, Reason: "the compiler refuses the module: " + err.Error()}
}

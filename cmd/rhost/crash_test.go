package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	sshApp  = "../../plugins/examples/sshguard"
	sshLog  = "../../../shared/data/openssh_2k.log"
	wantSSH = 95 // matches of ssh-burst in that log, from nine addresses
)

// TestKilledWhileMatching feeds a real sshd log as a live tail, kills the host
// with -9 in the middle, starts it again, and finds every match once.
func TestKilledWhileMatching(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a Go plugin and runs the host several times")
	}
	text, err := os.ReadFile(sshLog)
	if err != nil {
		t.Skip("the sample log is not there:", err)
	}
	dir := t.TempDir()
	log, data := filepath.Join(dir, "auth.log"), filepath.Join(dir, "data")
	feed, err := os.Create(log)
	require.NoError(t, err)
	defer feed.Close() //nolint:errcheck // the writes say so
	run := func() *process {
		return start(t, "run", sshApp, "--data", data, "--listen", "off", "--json",
			"--set", "sources.sshd.files.path="+log, "--set", "sources.sshd.files.from=start")
	}

	kills, until := 3, `"match":{`
	if os.Getenv("RHOST_SOAK") != "" {
		kills, until = 30, `"ready"` // some thirtieths of the log have no match
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	p := run()
	for i := range kills {
		from, to := len(lines)*i/(kills+1), len(lines)*(i+1)/(kills+1)
		for _, line := range lines[from:to] {
			_, err := feed.Write(line)
			require.NoError(t, err)
		}
		p.waitFor(until)
		time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond) // a crash comes when it comes
		p.kill()
		p = run()
	}
	p.waitFor(`"ready"`)
	for _, line := range lines[len(lines)*kills/(kills+1):] {
		_, err := feed.Write(line)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return ended(t, data) >= wantSSH }, 5*time.Minute, 100*time.Millisecond)
	p.interrupt()

	got := matches(t, data)
	assert.Len(t, got, wantSSH, "matches recorded")
	ids, addresses := make(map[string]bool), make(map[string]int)
	for _, m := range got {
		assert.False(t, ids[m.ID], "match %s is recorded twice", m.ID)
		ids[m.ID] = true
	}
	done := make(map[string]int)
	for _, a := range actions(t, data) {
		if a.Rule != "ssh-burst" {
			continue
		}
		assert.Contains(t, []string{"ok", "done"}, a.Status, "%s of %s: %s", a.Step, a.Match, a.Error)
		done[a.Match+"/"+a.Step]++
		if a.Step == "decide" {
			var out struct {
				IP string `json:"ip"`
			}
			require.NoError(t, json.Unmarshal(a.Out, &out))
			addresses[out.IP]++
		}
	}
	assert.Len(t, addresses, 9, "addresses blocked: %v", addresses)
	assert.Len(t, done, 4*wantSSH, "three steps and an end for each match")
	for step, n := range done {
		assert.Equal(t, 1, n, "%s is recorded %d times", step, n)
	}
}

// ended counts the executions of ssh-burst that are over.
func ended(t *testing.T, data string) int {
	n := 0
	for _, a := range actions(t, data) {
		if a.Rule == "ssh-burst" && a.Step == "" {
			n++
		}
	}
	return n
}

type matchID struct {
	ID string `json:"id"`
}

type actionLine struct {
	Rule, Match, Step, Status, Error string
	Out                              json.RawMessage
}

func matches(t *testing.T, data string) []matchID { return matchesOf(t, data, "ssh-burst") }

func matchesOf(t *testing.T, data, rule string) []matchID {
	return readLines[matchID](t, "matches", "--data", data, "--rule", rule, "--json")
}

func actions(t *testing.T, data string) []actionLine {
	return readLines[actionLine](t, "actions", "--data", data, "--json")
}

// readLines runs a command that prints JSON lines.
func readLines[T any](t *testing.T, args ...string) []T {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "rhost", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, strings.Join(args, " "))
	var list []T
	dec := json.NewDecoder(bytes.NewReader(out))
	for dec.More() {
		var v T
		require.NoError(t, dec.Decode(&v))
		list = append(list, v)
	}
	return list
}

// process is a running rhost whose output a test reads.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string
	stderr lockedBuffer
	done   bool
}

// start starts rhost; the test ends it.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startCmd(t, exec.Command("rhost", args...))
}

// startCmd starts a command that is rhost; the test ends it.
func startCmd(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, lines: make(chan string, 1<<16)}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() { // ends with the process
		defer close(p.lines)
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadString('\n')
			if line != "" {
				p.lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// said is what the process wrote to stderr so far.
func (p *process) said() string { return p.stderr.String() }

// lockedBuffer is a buffer that is written and read at the same time.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// waitFor reads the output up to a line that holds text.
func (p *process) waitFor(text string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("rhost ended before it printed %q: %v\n%s", text, p.cmd.Wait(), p.said())
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-ctx.Done():
			p.t.Fatalf("rhost did not print %q in time", text)
		}
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	if p.done {
		return
	}
	p.done = true
	p.cmd.Process.Kill() //nolint:errcheck // it may have ended already
	p.cmd.Wait()         //nolint:errcheck // killed is what it is
}

// interrupt ends the process as ^C does and checks that it drains.
func (p *process) interrupt() {
	p.t.Helper()
	p.done = true
	require.NoError(p.t, p.cmd.Process.Signal(os.Interrupt))
	for range p.lines { // to the end of the output
	}
	err := p.cmd.Wait()
	if err != nil && !errors.Is(err, io.EOF) {
		assert.NoError(p.t, err, p.said())
	}
}

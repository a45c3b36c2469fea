package workflow_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/workflow"
)

const snapshotRule = `
do:
  - {id: a, run: p, undo: {run: q}}
  - {id: b, run: p, retry: {max: 2, backoff: 1h, jitter: none}}
  - {id: c, run: p}
on_failure: [{id: late, run: q}]
`

// varied is an engine with executions in every state.
func varied(t require.TestingT) (*workflow.Engine, *workflow.Definition) {
	def := mustParse(t, snapshotRule)
	e := workflow.NewEngine(options(def))
	one := func(out workflow.Output) workflow.Command {
		require.Len(t, out.Commands, 1)
		return out.Commands[0]
	}
	for i, answers := range [][]string{
		{}, {"ok"}, {"ok", "timeout"}, {"ok", "ok", "ok"}, {"fail", "ok"}, {"ok", "fail", "fail", "ok"}, {"ok", "ok", "fail"}, {"drop"},
	} {
		now := epoch.Add(time.Duration(i) * time.Minute)
		out := e.Start(def, info(fmt.Sprintf("m-%d", i), fmt.Sprintf(`{"n":%d}`, i)), now)
		for _, a := range answers {
			c := one(out)
			res := c.Answer(json.RawMessage(`{"x":[1,2]}`))
			switch a {
			case "drop":
				res.Dropped = true
			case "ok":
			default:
				res = c.Fail(workflow.FailureKind(a), a+" it is")
			}
			out = e.Complete(res, now.Add(time.Second))
		}
	}
	require.Equal(t, 4, e.Len())
	require.Len(t, e.DeadLetters(), 2)
	return e, def
}

func restored(t require.TestingT, snapshot []byte, defs ...*workflow.Definition) *workflow.Engine {
	e, err := workflow.RestoreEngine(options(defs...), bufio.NewReader(bytes.NewReader(snapshot)))
	require.NoError(t, err)
	return e
}

func TestSnapshotHoldsEverything(t *testing.T) {
	e, def := varied(t)
	var digests []string
	c := e.Capture()
	var b bytes.Buffer
	require.NoError(t, c.WriteTo(&b, func(d string) { digests = append(digests, d) }))
	c.End()
	assert.Len(t, digests, 6)
	assert.Equal(t, def.Digest(), digests[0])

	again := restored(t, b.Bytes(), def)
	assert.Equal(t, e.DeadLetters(), again.DeadLetters())
	assert.Equal(t, written(t, e.Capture()), written(t, again.Capture()))
	now := epoch.Add(24 * time.Hour)
	out := again.Recovered(now)
	assert.Equal(t, workflow.Output{}, again.Start(def, info("m-3", `{}`), now), "what finished lately does not start again")
	var keys []string
	for _, cmd := range out.Commands {
		keys = append(keys, fmt.Sprint(cmd.Key, " ", cmd.Attempt))
	}
	assert.Equal(t, []string{"x-0/a 1", "x-1/b 1", "x-2/b 2", "x-6/a/undo 1"}, keys)
	var open []string
	again.Each(func(o workflow.Open) { open = append(open, o.ID) })
	assert.Len(t, open, 6)
}

// The file was written by version 1 of the form, and must be readable for ever.
func TestSnapshotGolden(t *testing.T) {
	file := filepath.Join("testdata", "executions-v1.snapshot")
	e, def := varied(t)
	now := written(t, e.Capture())
	if *update {
		require.NoError(t, os.WriteFile(file, now, 0o600))
	}
	golden, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, now, written(t, restored(t, golden, def).Capture()))
}

// TestSnapshotWhileItGoesOn writes a capture in another goroutine while executions
// start, change and end: what is written is what was there.
func TestSnapshotWhileItGoesOn(t *testing.T) {
	def := mustParse(t, benchRule)
	e := workflow.NewEngine(options(def))
	var cmds []workflow.Command
	for i := range 2000 {
		cmds = append(cmds, e.Start(def, info(fmt.Sprintf("m-%d", i), `{"user":"ann","n":5}`), epoch).Commands...)
	}
	want := written(t, e.Capture())
	c := e.Capture()
	var got bytes.Buffer
	var wg sync.WaitGroup
	wg.Go(func() { assert.NoError(t, c.WriteTo(&got, func(string) {})) })
	for i := 0; i < len(cmds); i++ {
		cmds = append(cmds, e.Complete(cmds[i].Answer(json.RawMessage(`{"ok":true}`)), epoch).Commands...)
		e.Start(def, info(fmt.Sprintf("n-%d", i), `{"user":"ann","n":5}`), epoch)
	}
	wg.Wait()
	c.End()
	assert.Equal(t, want, got.Bytes())
	assert.NotEqual(t, want, written(t, e.Capture()))
}

func TestSnapshotDamaged(t *testing.T) {
	e, def := varied(t)
	whole := written(t, e.Capture())
	for n := range whole {
		_, err := workflow.RestoreEngine(options(def), bufio.NewReader(bytes.NewReader(whole[:n])))
		require.ErrorIs(t, err, workflow.ErrSnapshot, "cut after %d bytes", n)
	}
}

func FuzzRestoreEngine(f *testing.F) {
	e, def := varied(f)
	f.Add(written(f, e.Capture()))
	f.Add([]byte{1, 5, 1, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := workflow.RestoreEngine(options(def), bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			require.ErrorIs(t, err, workflow.ErrSnapshot)
			return
		}
		kept := written(t, e.Capture())
		require.Equal(t, kept, written(t, restored(t, kept, def).Capture()))
	})
}

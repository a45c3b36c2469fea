package workflow_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/workflow"
)

const benchRule = `
do:
  - run: lock-account
    with: {user: "${match.user}", attempts: "${match.n}"}
    retry: {max: 3, backoff: 200ms..10s}
    undo: {run: unlock-account, with: {user: "${match.user}"}}
  - run: ticket
    with: {user: "${match.user}"}
    retry: {max: 3, backoff: 1h}
  - notify: ops
    with: {text: "locked ${match.user}"}
`

// BenchmarkSteps takes 10,000 executions at once through a rule of three steps
// and writes every record as the log has it. A step is one of the three.
func BenchmarkSteps(b *testing.B) {
	def := mustParse(b, benchRule)
	var bytes, records int
	write := func(out workflow.Output) {
		for _, r := range out.Records {
			enc, err := r.Encode()
			if err != nil {
				b.Fatal(err)
			}
			bytes += len(enc)
			records++
		}
	}
	const open = 10_000
	for b.Loop() {
		e := workflow.NewEngine(options(def))
		var cmds []workflow.Command
		for i := range open {
			out := e.Start(def, info(fmt.Sprintf("m-%d", i), `{"user":"ann","n":5}`), epoch)
			write(out)
			cmds = append(cmds, out.Commands...)
		}
		for len(cmds) > 0 {
			var next []workflow.Command
			for _, c := range cmds {
				out := e.Complete(c.Answer(json.RawMessage(`{"ok":true}`)), epoch)
				write(out)
				next = append(next, out.Commands...)
			}
			cmds = next
		}
	}
	steps := float64(b.N) * open * 3
	b.ReportMetric(steps/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(bytes)/steps, "B/step")
	b.ReportMetric(float64(records)/steps, "records/step")
}

const parked = 100_000

// BenchmarkParked measures the memory of executions that wait for a retry, each
// with one step done and a match of 300 bytes, and how fast they are recovered.
func BenchmarkParked(b *testing.B) {
	def := mustParse(b, benchRule)
	log := parkedLog(b, def)
	for b.Loop() {
		before := heap()
		began := time.Now()
		e := workflow.NewEngine(options(def))
		for _, enc := range log {
			r, err := workflow.DecodeRecord(enc)
			require.NoError(b, err)
			require.NoError(b, e.Apply(r))
		}
		e.Recovered(epoch)
		took := time.Since(began)
		b.ReportMetric(float64(heap()-before)/parked, "B/execution")
		b.ReportMetric(took.Seconds(), "s/recovery")
		require.Equal(b, parked, e.Len())
	}
}

// parkedLog is the history of executions that wait.
func parkedLog(b *testing.B, def *workflow.Definition) [][]byte {
	b.Helper()
	var log [][]byte
	keep := func(out workflow.Output) []workflow.Command {
		for _, r := range out.Records {
			enc, err := r.Encode()
			require.NoError(b, err)
			log = append(log, enc)
		}
		return out.Commands
	}
	payload := fmt.Sprintf(`{"user":"ann","n":5,"event":%q}`, strings.Repeat("x", 270))
	e := workflow.NewEngine(options(def))
	for i := range parked {
		lock := keep(e.Start(def, info(fmt.Sprintf("m-%032d", i), payload), epoch))
		ticket := keep(e.Complete(lock[0].Answer(json.RawMessage(`{"ok":true}`)), epoch))
		keep(e.Complete(ticket[0].Fail(workflow.FailTimeout, "no answer"), epoch))
	}
	return log
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkSnapshot captures 100,000 executions that wait for a retry, writes and
// reads them.
func BenchmarkSnapshot(b *testing.B) {
	const parked = 100_000
	def := mustParse(b, "do: [{run: p, retry: {max: 3, backoff: 1h}}]")
	e := workflow.NewEngine(options(def))
	for i := range parked {
		out := e.Start(def, info(fmt.Sprintf("m-%032d", i), `{"match":{"tenant":"default","rule":"r"},"event":{"id":"e","data":{"user":"ann","ip":"203.0.113.77"}}}`), epoch)
		e.Complete(out.Commands[0].Fail(workflow.FailTimeout, "timed out"), epoch)
	}
	b.Run("capture", func(b *testing.B) {
		for b.Loop() {
			e.Capture().End()
		}
	})
	var snap []byte
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			snap = written(b, e.Capture())
		}
		b.ReportMetric(float64(len(snap)), "bytes")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			require.Equal(b, parked, restored(b, snap, def).Len())
		}
	})
}

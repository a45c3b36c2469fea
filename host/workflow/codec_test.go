package workflow_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/workflow"
)

// The format of a record is that of logs on disk: this text stays readable.
func TestRecordFormat(t *testing.T) {
	def := mustParse(t, `do: [{run: p, with: {a: "<&>"}}]`)
	recs := workflow.NewEngine(options(def)).Start(def, info("m-1", `{"n":1}`), epoch).Records
	want := []string{
		`{"v":1,"kind":"started","execution":"x-1","at":"2026-01-01T00:00:00Z","started":{"key":"m-1","rule":"r","version":"v1","definition":"` + def.Digest() + `","match":{"n":1}}}`,
		`{"v":1,"kind":"scheduled","execution":"x-1","at":"2026-01-01T00:00:00Z","scheduled":{"step":"p","action":"run","plugin":"p","attempt":1,"key":"x-1/p","args":{"a":"<&>"},"timeout":30000000000}}`,
	}
	require.Len(t, recs, len(want))
	for i, r := range recs {
		b, err := r.Encode()
		require.NoError(t, err)
		assert.Equal(t, want[i], string(b))
	}
}

func TestDecodeRecordErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", ``, "unexpected end"},
		{"not JSON", `{`, "unexpected end"},
		{"two", `{"v":1,"kind":"dropped","execution":"x","at":"2026-01-01T00:00:00Z","dropped":{"reason":"full"}} 1`, "after top-level value"},
		{"newer", `{"v":2,"kind":"dropped","execution":"x","dropped":{}}`, "record version 2 is not known; this host reads up to 1"},
		{"no version", `{"kind":"dropped","execution":"x","dropped":{}}`, "record version 0"},
		{"no execution", `{"v":1,"kind":"dropped","dropped":{}}`, "names no execution"},
		{"unknown kind", `{"v":1,"kind":"lost","execution":"x","dropped":{}}`, "one body of its kind"},
		{"other body", `{"v":1,"kind":"started","execution":"x","dropped":{}}`, "one body of its kind"},
		{"two bodies", `{"v":1,"kind":"dropped","execution":"x","dropped":{},"redriven":{"from":"step"}}`, "one body of its kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := workflow.DecodeRecord([]byte(c.in))
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// FuzzDecodeRecord: what is read can be written, and reads the same again. And
// no record, whatever it says, breaks the engine that it is applied to.
func FuzzDecodeRecord(f *testing.F) {
	def := mustParse(f, "do: [{run: a, retry: {max: 1}, undo: {run: b}}, {run: c}]")
	e := workflow.NewEngine(options(def))
	start := e.Start(def, info("m-1", `{}`), epoch)
	recs := start.Records
	next := e.Complete(start.Commands[0].Answer([]byte(`{}`)), epoch)
	recs = append(recs, next.Records...)
	recs = append(recs, e.Complete(next.Commands[0].Fail(workflow.FailTrap, "x"), epoch).Records...)
	for _, r := range recs {
		b, err := r.Encode()
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := workflow.DecodeRecord(b)
		if err != nil {
			return
		}
		out, err := r.Encode()
		require.NoError(t, err)
		again, err := workflow.DecodeRecord(out)
		require.NoError(t, err)
		twice, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, string(out), string(twice))

		e := workflow.NewEngine(options(def))
		require.NoError(t, e.Apply(start.Records[0]))
		if e.Apply(r) == nil {
			e.Recovered(epoch)
			e.Tick(epoch.AddDate(1, 0, 0))
		}
	})
}

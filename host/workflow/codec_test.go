package workflow_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/workflow"
)

// everyRecord is a record of each kind, with all that it can hold.
func everyRecord() []workflow.Record {
	n, at := uint64(7), epoch.Add(1500*time.Millisecond)
	usage := &workflow.Usage{Fuel: 12, Wall: 34, PeakMemory: 65536, HostCalls: 2}
	errs := []workflow.StepError{{Step: "a", Undo: true, Attempt: 2, Kind: workflow.FailTrap, Message: "boom"}}
	scheduled := &workflow.Scheduled{
		Step: "a", Action: workflow.ActionRun, Plugin: "p", Attempt: 2, Key: "x-1/a",
		Args: json.RawMessage(`{"a":"<&> é","n":[1,2.5]}`), Timeout: time.Second, Deadline: at,
	}
	succeeded := &workflow.Succeeded{
		Step: "a", Attempt: 2, Dropped: true, Out: json.RawMessage(`[1]`), Digest: "sha256:00", Usage: usage, Calls: json.RawMessage(`{"v":1}`),
		Effects: []workflow.Effect{
			{Kind: workflow.EffectEmit, Name: "t", Subject: "s", Value: json.RawMessage(`{"k":"v"}`)},
			{Kind: workflow.EffectStateSet, Name: "k", Value: json.RawMessage(`null`), Expect: &n},
			{Kind: workflow.EffectKVSet, Name: "k", Bytes: []byte{0, 255}, Expires: at},
		},
	}
	failedBody := &workflow.Failed{
		Step: "a", Attempt: 2, Kind: workflow.FailFuel, Message: "out of \"fuel\"", Retryable: true, After: time.Minute,
		Digest: "sha256:00", Usage: usage, Calls: json.RawMessage(`{"v":1}`),
	}
	retry := &workflow.RetryAt{Step: "a", Attempt: 3, At: at}
	list := []workflow.Record{
		{Kind: workflow.KindStarted, Started: &workflow.Started{Key: "m-1", Rule: "r", Version: "v1", Definition: "d", Match: workflow.Payload(`{"n":1}`)}},
		{Kind: workflow.KindScheduled, Scheduled: scheduled},
		{Kind: workflow.KindSucceeded, Succeeded: succeeded},
		{Kind: workflow.KindFailed, Failed: failedBody},
		{Kind: workflow.KindRetryAt, RetryAt: retry},
		{Kind: workflow.KindUndoScheduled, Scheduled: scheduled},
		{Kind: workflow.KindUndoSucceeded, Succeeded: succeeded},
		{Kind: workflow.KindUndoFailed, Failed: failedBody},
		{Kind: workflow.KindUndoRetryAt, RetryAt: retry},
		{Kind: workflow.KindFinished, Finished: &workflow.Finished{Status: workflow.StatusCompensated, Errors: errs}},
		{Kind: workflow.KindDeadLettered, DeadLettered: &workflow.DeadLettered{
			Key: "m-1", Rule: "r", Version: "v1", Definition: "d", Match: workflow.Payload(`{"n":1}`), Started: epoch, Status: workflow.StatusFailed,
			Steps:  []workflow.StepState{{Step: "a", State: "failed", Attempts: 2, Args: json.RawMessage(`{"n":1}`), Out: json.RawMessage(`2`)}},
			Errors: errs,
		}},
		{Kind: workflow.KindRedriven, Redriven: &workflow.Redriven{From: workflow.FromUndo}},
		{Kind: workflow.KindDropped, Dropped: &workflow.Dropped{Reason: workflow.DropFull}},
	}
	for i := range list {
		list[i].Version, list[i].Execution, list[i].At = workflow.RecordVersion, "x-1", at
	}
	return list
}

// TestRecordsOfEveryVersion reads a file of each version that logs may hold, and
// finds the same in all of them. They are never written anew: a version that is written
// no more has to be read for ever.
func TestRecordsOfEveryVersion(t *testing.T) {
	want := everyRecord()
	for version := 1; version <= workflow.RecordVersion; version++ {
		name := filepath.Join("testdata", fmt.Sprintf("records-v%d.hex", version))
		var now strings.Builder
		for _, r := range want {
			b, err := r.Encode()
			require.NoError(t, err)
			fmt.Fprintf(&now, "%s %x\n", r.Kind, b)
		}
		if _, err := os.Stat(name); *update && os.IsNotExist(err) && version == workflow.RecordVersion {
			require.NoError(t, os.WriteFile(name, []byte(now.String()), 0o600))
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		lines := strings.Fields(string(text))
		require.Len(t, lines, 2*len(want))
		for i := range want {
			b, err := hex.DecodeString(lines[2*i+1])
			require.NoError(t, err)
			r, err := workflow.DecodeRecord(b)
			require.NoError(t, err)
			assert.Equal(t, version, r.Version)
			r.Version = workflow.RecordVersion
			assert.Equal(t, want[i], r, "version %d", version)
		}
		if version == workflow.RecordVersion {
			assert.Equal(t, string(text), now.String(), "what this version writes")
		}
	}
}

// TestRecordIsCompact: raw messages are kept without the spaces between their tokens.
func TestRecordIsCompact(t *testing.T) {
	r := everyRecord()[2]
	r.Succeeded = &workflow.Succeeded{Step: "a", Attempt: 1, Out: json.RawMessage("{ \"a b\" :\n1 }")}
	assert.Equal(t, `{"a b":1}`, string(recode(t, []workflow.Record{r})[0].Succeeded.Out))
	r.Succeeded = &workflow.Succeeded{Step: "a", Attempt: 1, Out: json.RawMessage("{ no")}
	_, err := r.Encode()
	assert.ErrorContains(t, err, "encode succeeded record of execution x-1: invalid character")
}

// TestDecodeDamagedRecord cuts records short, and changes each of their bytes: that is
// an error, or another record, and no more.
func TestDecodeDamagedRecord(t *testing.T) {
	for _, r := range everyRecord() {
		b, err := r.Encode()
		require.NoError(t, err)
		for n := range b {
			_, err := workflow.DecodeRecord(b[:n])
			assert.Error(t, err, "%s, cut to %d", r.Kind, n)
			for _, with := range []byte{0, 1, 0x7f, 0xff} {
				bad := bytes.Clone(b)
				bad[n] = with
				if r, err := workflow.DecodeRecord(bad); err == nil {
					_, err := r.Encode()
					assert.NoError(t, err)
				}
			}
		}
		_, err = workflow.DecodeRecord(append(b, 0))
		assert.ErrorContains(t, err, "1 bytes too many")
	}
}

func TestDecodeRecordErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", ``, "cut short"},
		{"not JSON", `{`, "unexpected end"},
		{"two", `{"v":1,"kind":"dropped","execution":"x","at":"2026-01-01T00:00:00Z","dropped":{"reason":"full"}} 1`, "after top-level value"},
		{"newer", "\x03", "record version 3 is not known; this host reads up to 2"},
		{"newer JSON", `{"v":9,"kind":"dropped","execution":"x","dropped":{}}`, "record version 9 is not known; this host reads up to 2"},
		{"no kind", "\x02\x00", "its kind is not known"},
		{"later kind", "\x02\x20", "its kind is not known"},
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

// TestOrigin: an origin comes back from a record and from a snapshot, and begins the
// keys of every step.
func TestOrigin(t *testing.T) {
	def := mustParse(t, "do: [{run: a}]\n")
	e := workflow.NewEngine(options(def))
	with := info("m-1", `{"k":"v"}`)
	with.Origin = "second"
	out := e.Start(def, with, epoch)
	b, err := out.Records[0].Encode()
	require.NoError(t, err)
	r, err := workflow.DecodeRecord(b)
	require.NoError(t, err)
	assert.Equal(t, "second", r.Started.Origin)
	require.Len(t, out.Commands, 1)
	assert.Equal(t, "second/x-1/a", out.Commands[0].Key)

	var snapshot bytes.Buffer
	c := e.Capture()
	require.NoError(t, c.WriteTo(&snapshot, func(string) {}))
	c.End()
	again, err := workflow.RestoreEngine(options(def), bufio.NewReader(&snapshot))
	require.NoError(t, err)
	recovered := again.Recovered(epoch)
	require.Len(t, recovered.Commands, 1)
	assert.Equal(t, "second/x-1/a", recovered.Commands[0].Key)
}

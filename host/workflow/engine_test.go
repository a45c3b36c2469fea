package workflow_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/workflow"
)

func TestResultsNobodyWaitsFor(t *testing.T) {
	def := mustParse(t, "do: [{run: a, undo: {run: b}}, {run: c, retry: {max: 1, backoff: 1s, jitter: none}}]")
	e := workflow.NewEngine(options(def))
	a := e.Start(def, info("m-1", `{}`), epoch).Commands[0]
	c := e.Complete(a.Answer(nil), epoch).Commands[0]

	strange := c
	strange.Step = "nope"
	other := c
	other.Execution = "x-2"
	undo := c
	undo.Undo = true
	next := c
	next.Attempt = 2
	for name, cmd := range map[string]workflow.Command{
		"twice": a, "no such step": strange, "no such execution": other, "an undo that does not run": undo, "another attempt": next,
	} {
		assert.Empty(t, e.Complete(cmd.Answer(nil), epoch), name)
	}
	require.NotEmpty(t, e.Complete(c.Fail(workflow.FailTimeout, ""), epoch))
	assert.Empty(t, e.Complete(c.Answer(nil), epoch), "its attempt has failed already")
}

func TestCommandCarriesTheMatch(t *testing.T) {
	def := mustParse(t, "do: [{run: a, timeout: 2s, with: {x: '${match.n}'}}]")
	out := workflow.NewEngine(options(def)).Start(def, info("m-1", `{"n":1}`), epoch)
	assert.Equal(t, []workflow.Command{{
		Execution: "x-1", Match: "m-1", Rule: "r", Version: "v1", Step: "a", Attempt: 1, Key: "x-1/a",
		Action: workflow.ActionRun, Plugin: "a", Args: json.RawMessage(`{"x":1}`), Timeout: 2 * time.Second,
		Payload: workflow.Payload(`{"n":1}`),
	}}, out.Commands)
}

// A match that is given as a value is not decoded; one that is not, is.
func TestMatchValue(t *testing.T) {
	def := mustParse(t, "do: [{notify: '${match.topic}'}]")
	opt := options(def)
	opt.Match = func(workflow.Payload) (any, error) { return map[string]any{"topic": "decoded"}, nil }
	e := workflow.NewEngine(opt)

	in := info("m-1", `{}`)
	in.Match = map[string]any{"topic": "given"}
	assert.Equal(t, "given", e.Start(def, in, epoch).Records[1].Succeeded.Effects[0].Name)
	assert.Equal(t, "decoded", e.Start(def, info("m-2", `{}`), epoch).Records[1].Succeeded.Effects[0].Name)
}

func TestMatchThatCannotBeRead(t *testing.T) {
	def := mustParse(t, "do: [{run: a, with: {x: '${match.n}'}}]")
	out := workflow.NewEngine(options(def)).Start(def, info("m-1", `{`), epoch)
	assert.Empty(t, out.Commands)
	assert.Equal(t, workflow.FailInvalid, out.Records[1].Failed.Kind)
	assert.Contains(t, out.Records[1].Failed.Message, "read the match")
}

func TestResultsThatCannotBeRecorded(t *testing.T) {
	effect := func(kind workflow.EffectKind, name, value string) func(*workflow.Result) {
		return func(r *workflow.Result) {
			r.Effects = []workflow.Effect{{Kind: kind, Name: name, Value: json.RawMessage(value)}}
		}
	}
	big := `"` + strings.Repeat("x", 500_000) + `"`
	for _, c := range []struct {
		name string
		set  func(*workflow.Result)
		want string
	}{
		{"output", func(r *workflow.Result) { r.Out = json.RawMessage(`{`) }, "the output is not JSON"},
		{"value", effect(workflow.EffectEmit, "a", `{`), "the value of emit a is not JSON"},
		{"reserved type", effect(workflow.EffectEmit, "rhost.x", `1`), "reserved"},
		{"reserved topic", effect(workflow.EffectNotify, "reactor:x", `1`), "reserved"},
		{"large value", effect(workflow.EffectStateSet, "a", `"`+strings.Repeat("x", 900_000)+`"`), "too large"},
		{"large together", func(r *workflow.Result) {
			effect(workflow.EffectStateSet, "a", big)(r)
			r.Out = json.RawMessage(big)
		}, "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			def := mustParse(t, "do: [{run: a}]")
			e := workflow.NewEngine(options(def))
			res := e.Start(def, info("m-1", `{}`), epoch).Commands[0].Answer(nil)
			c.set(&res)
			out := e.Complete(res, epoch)
			require.NotNil(t, out.Records[0].Failed)
			assert.Equal(t, workflow.FailLimit, out.Records[0].Failed.Kind)
			assert.Contains(t, out.Records[0].Failed.Message, c.want)
		})
	}
}

// Whatever an attempt gives, its record fits into a frame of the log.
func TestRecordsFitAFrame(t *testing.T) {
	def := mustParse(t, "do: [{run: a}]")
	e := workflow.NewEngine(options(def))
	cmd := e.Start(def, info("m-1", `{}`), epoch).Commands[0]
	res := cmd.Answer(json.RawMessage(`"` + strings.Repeat("<", 790_000) + `"`))
	for _, r := range e.Complete(res, epoch).Records {
		b, err := r.Encode()
		require.NoError(t, err)
		assert.Less(t, len(b), 900_000)
	}
	cmd = e.Start(def, info("m-2", `{}`), epoch).Commands[0]
	for _, r := range e.Complete(cmd.Fail(workflow.FailTrap, strings.Repeat("€", 1_000_000)), epoch).Records {
		b, err := r.Encode()
		require.NoError(t, err)
		assert.Less(t, len(b), 10_000)
	}
}

func TestDeadLettersAreBounded(t *testing.T) {
	def := mustParse(t, "do: [{run: a}]")
	opt := options(def)
	opt.DeadLetters = 2
	e := workflow.NewEngine(opt)
	var log []workflow.Record
	for _, key := range []string{"m-1", "m-2", "m-3"} {
		out := e.Start(def, info(key, `{}`), epoch)
		log = append(log, out.Records...)
		log = append(log, e.Complete(out.Commands[0].Fail(workflow.FailPermanent, "no"), epoch).Records...)
	}
	last := log[len(log)-1]
	assert.Equal(t, "x-1", last.Execution)
	assert.Equal(t, &workflow.Dropped{Reason: workflow.DropFull}, last.Dropped)
	ids := func(e *workflow.Engine) (ids []string) {
		for _, l := range e.DeadLetters() {
			ids = append(ids, l.Execution)
		}
		return ids
	}
	assert.Equal(t, []string{"x-2", "x-3"}, ids(e))

	opt.DeadLetters = 1
	again := workflow.NewEngine(opt)
	for _, r := range recode(t, log) {
		require.NoError(t, again.Apply(r))
	}
	out := again.Recovered(epoch)
	require.Len(t, out.Records, 1, "the limit is lower now")
	assert.Equal(t, "x-2", out.Records[0].Execution)
	assert.Equal(t, []string{"x-3"}, ids(again))
	assert.Empty(t, again.Start(def, info("m-1", `{}`), epoch), "a dropped one does not start anew")
}

func TestDeadLetter(t *testing.T) {
	def := mustParse(t, "do: [{run: a, with: {n: 1}}]")
	e := workflow.NewEngine(options(def))
	cmd := e.Start(def, info("m-1", `{"k":"v"}`), epoch).Commands[0]
	e.Complete(cmd.Fail(workflow.FailTrap, "boom"), epoch.Add(time.Second))
	l, err := e.DeadLetter("x-1")
	require.NoError(t, err)
	assert.Equal(t, workflow.DeadLetter{
		Execution: "x-1", At: epoch.Add(time.Second), Redrive: workflow.FromStep,
		DeadLettered: workflow.DeadLettered{
			Key: "m-1", Rule: "r", Version: "v1", Definition: def.Digest(), Match: workflow.Payload(`{"k":"v"}`), Started: epoch,
			Status: workflow.StatusFailed,
			Steps:  []workflow.StepState{{Step: "a", State: "failed", Attempts: 1, Args: json.RawMessage(`{"n":1}`)}},
			Errors: []workflow.StepError{{Step: "a", Attempt: 1, Kind: workflow.FailTrap, Message: "boom"}},
		},
	}, l)

	_, err = e.DeadLetter("x-2")
	require.ErrorIs(t, err, workflow.ErrNoDeadLetter)
	_, err = e.Redrive("x-2", epoch)
	require.ErrorIs(t, err, workflow.ErrNoDeadLetter)
	_, err = e.Discard("x-2", epoch)
	require.ErrorIs(t, err, workflow.ErrNoDeadLetter)
}

func TestFinishedExecutionsAreForgotten(t *testing.T) {
	def := mustParse(t, "do: [{notify: a}]")
	opt := options(def)
	opt.Finished = 2
	e := workflow.NewEngine(opt)
	for _, key := range []string{"m-1", "m-2", "m-3"} {
		e.Start(def, info(key, `{}`), epoch)
	}
	assert.Zero(t, e.Len())
	assert.Empty(t, e.Start(def, info("m-3", `{}`), epoch))
	assert.Empty(t, e.Start(def, info("m-2", `{}`), epoch))
	assert.NotEmpty(t, e.Start(def, info("m-1", `{}`), epoch), "too long ago to be remembered")
}

func TestNextTimer(t *testing.T) {
	def := mustParse(t, "do: [{run: a, retry: {max: 3, backoff: 1s..1h, jitter: none}}]")
	e := workflow.NewEngine(options(def))
	_, ok := e.NextTimer()
	assert.False(t, ok)
	for i, key := range []string{"m-1", "m-2"} {
		cmd := e.Start(def, info(key, `{}`), epoch).Commands[0]
		e.Complete(cmd.Fail(workflow.FailTimeout, ""), epoch.Add(time.Duration(i)*time.Second))
	}
	at, ok := e.NextTimer()
	assert.True(t, ok)
	assert.Equal(t, epoch.Add(time.Second), at)
	assert.Empty(t, e.Tick(epoch))
	assert.Len(t, e.Tick(epoch.Add(time.Hour)).Commands, 2, "both are due")
	_, ok = e.NextTimer()
	assert.False(t, ok)
}

// A clock at the end of time is written like any other.
func TestFarTimes(t *testing.T) {
	def := mustParse(t, "do: [{run: a, retry: {max: 1, backoff: 7d, jitter: none}}]")
	e := workflow.NewEngine(options(def))
	end := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Add(time.Hour)
	out := e.Start(def, info("m-1", `{}`), end)
	out.Records = append(out.Records, e.Complete(out.Commands[0].Fail(workflow.FailTimeout, ""), end).Records...)
	recode(t, out.Records)
}

func TestApplyRefuses(t *testing.T) {
	def := mustParse(t, "do: [{run: a}]")
	good := workflow.NewEngine(options(def)).Start(def, info("m-1", `{}`), epoch).Records
	finished := workflow.Record{Version: 1, Kind: workflow.KindFinished, Execution: "x-1", Finished: &workflow.Finished{Status: workflow.StatusDone}}
	redriven := workflow.Record{Version: 1, Kind: workflow.KindRedriven, Execution: "x-1", Redriven: &workflow.Redriven{From: workflow.FromStep}}
	bodyless := workflow.Record{Version: 1, Kind: workflow.KindFinished, Execution: "x-1"}
	for _, c := range []struct {
		name string
		recs []workflow.Record
		want string
	}{
		{"not started", good[1:], "x-1: scheduled, but it is not open"},
		{"started twice", []workflow.Record{good[0], good[0]}, "x-1: started twice"},
		{"after the end", []workflow.Record{good[0], finished, good[1]}, "x-1: scheduled, but it is not open"},
		{"no dead letter", []workflow.Record{good[0], redriven}, "x-1: redriven, but it is no dead letter"},
		{"no body", []workflow.Record{good[0], bodyless}, "one body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := workflow.NewEngine(options(def))
			var err error
			for _, r := range c.recs {
				require.NoError(t, err)
				err = e.Apply(r)
			}
			assert.ErrorContains(t, err, c.want)
		})
	}
}

package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

// PastCall is a call of a plugin that the log tells of.
type PastCall struct {
	At        time.Time `json:"at"` // when it had ended
	Rule      string    `json:"rule"`
	Match     string    `json:"match"`
	Execution string    `json:"execution"`
	Step      string    `json:"step"`
	Undo      bool      `json:"undo,omitempty"`
	Attempt   int       `json:"attempt"`
	Plugin    string    `json:"plugin"`
	Digest    string    `json:"digest,omitempty"` // of the module that ran
	Was       CallEnd   `json:"was"`

	cmd  workflow.Command
	tape json.RawMessage
	kind workflow.FailureKind // of a failure
	cut  bool                 // the log does not go back to where its execution began
}

// CallEnd is how a call ended.
type CallEnd struct {
	Result    string            `json:"result"`          // ok, drop, fail, retry or fault
	Fault     string            `json:"fault,omitempty"` // kind of a fault
	Message   string            `json:"message,omitempty"`
	Output    json.RawMessage   `json:"output,omitempty"`
	Effects   []workflow.Effect `json:"effects,omitempty"`
	Fuel      int64             `json:"fuel"`
	HostCalls int               `json:"host_calls"`
}

// CallQuery chooses calls. Zero fields choose all.
type CallQuery struct {
	ID     string // of a match or an execution
	Rule   string
	Plugin string
	Since  time.Time // when the call had ended
}

// takes reports whether an execution is one whose calls are asked for.
func (q *CallQuery) takes(execution string, s *workflow.Started) bool {
	return (q.ID == "" || q.ID == execution || q.ID == s.Key) && (q.Rule == "" || q.Rule == s.Rule)
}

// calls hands the recorded calls of plugins to fn, in the order in which they ended.
// An id that is on record nowhere is an error. Where the beginning of the log was
// removed, calls come as well of which nobody can tell whether they were asked for.
func (r records) calls(ctx context.Context, q CallQuery, fn func(*PastCall) error) error {
	fold := &callFold{query: q, open: make(map[string]*pastExecution), cut: r.log.RunLog().First() > 1, others: make(map[string]bool)}
	err := replayRun(ctx, r.log, 0, func(seq uint64, recs []eventlog.RunRecord) error {
		for i := range recs {
			c, err := fold.run(&recs[i])
			if err != nil {
				return fmt.Errorf("frame %d of RUN: %w", seq, err)
			}
			if c == nil || q.Plugin != "" && c.Plugin != "" && c.Plugin != q.Plugin || c.At.Before(q.Since) {
				continue
			}
			if err := fn(c); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && q.ID != "" && !fold.found {
		if at, ok := begins(ctx, r.log); ok == nil && !at.IsZero() {
			return fmt.Errorf("match or execution %s: %w; the log begins at %s, and what was before has been removed (key retention in rhost.yaml)",
				q.ID, api.ErrNotFound, at.Format(time.RFC3339))
		}
		return fmt.Errorf("match or execution %s: %w; `rhost matches` and `rhost actions --json` list those recorded", q.ID, api.ErrNotFound)
	}
	return err
}

// callFold turns the history of executions into calls of plugins. It keeps what a
// record of a result does not repeat, of executions that may go on.
type callFold struct {
	query CallQuery
	open  map[string]*pastExecution // by id
	found bool                      // an execution that was asked for

	cut    bool            // the log begins later than executions may have
	others map[string]bool // executions that began in it and were not asked for, where it is cut
}

type pastExecution struct {
	started   *workflow.Started              // nil: that was removed
	scheduled map[string]*workflow.Scheduled // under way, by command id
}

func (f *callFold) run(r *eventlog.RunRecord) (*PastCall, error) {
	if r.Kind != runFlow {
		return nil, nil
	}
	rec, err := workflow.DecodeRecord(r.Body)
	if err != nil {
		return nil, fmt.Errorf("history of %s: %w", r.Key, err)
	}
	return f.fold(rec), nil
}

// fold takes one record and returns the call whose end it tells, or nil.
func (f *callFold) fold(rec workflow.Record) *PastCall {
	if rec.Started != nil {
		if f.query.takes(rec.Execution, rec.Started) {
			f.found = true
			f.open[rec.Execution] = &pastExecution{rec.Started, make(map[string]*workflow.Scheduled)}
		} else if f.cut {
			f.others[rec.Execution] = true
		}
		return nil
	}
	x := f.open[rec.Execution]
	if x == nil && f.cut && !f.others[rec.Execution] && (f.query.ID == "" || f.query.ID == rec.Execution) {
		f.found = true
		x = &pastExecution{scheduled: make(map[string]*workflow.Scheduled)}
		f.open[rec.Execution] = x
	}
	if x == nil {
		return nil
	}
	switch rec.Kind {
	case workflow.KindScheduled, workflow.KindUndoScheduled:
		x.scheduled[commandID("", rec.Scheduled.Step, rec.Kind == workflow.KindUndoScheduled)] = rec.Scheduled
	case workflow.KindSucceeded, workflow.KindUndoSucceeded:
		return x.ended(rec, rec.Succeeded.Step, rec.Kind == workflow.KindUndoSucceeded)
	case workflow.KindFailed, workflow.KindUndoFailed:
		return x.ended(rec, rec.Failed.Step, rec.Kind == workflow.KindUndoFailed)
	case workflow.KindFinished: // a dead letter may be redriven
		if rec.Finished.Status == workflow.StatusDone || rec.Finished.Status == workflow.StatusDropped {
			delete(f.open, rec.Execution)
		}
	case workflow.KindDropped:
		delete(f.open, rec.Execution)
	case workflow.KindStarted, workflow.KindRetryAt, workflow.KindUndoRetryAt, workflow.KindDeadLettered, workflow.KindRedriven:
	}
	return nil
}

func (x *pastExecution) ended(rec workflow.Record, step string, undo bool) *PastCall {
	id := commandID("", step, undo)
	s := x.scheduled[id]
	delete(x.scheduled, id)
	if x.started == nil {
		return orphan(rec, step, undo, s)
	}
	if s == nil || s.Action != workflow.ActionRun {
		return nil
	}
	c := &PastCall{
		At: rec.At, Rule: x.started.Rule, Match: x.started.Key, Execution: rec.Execution, Step: step, Undo: undo,
		Attempt: s.Attempt, Plugin: s.Plugin, Was: endOf(rec),
		cmd: workflow.Command{
			Execution: rec.Execution, Match: x.started.Key, Rule: x.started.Rule, Version: x.started.Version, Step: step, Undo: undo,
			Attempt: s.Attempt, Action: s.Action, Plugin: s.Plugin, Args: s.Args, Payload: x.started.Match,
		},
	}
	if rec.Succeeded != nil {
		c.Digest, c.tape = rec.Succeeded.Digest, rec.Succeeded.Calls
	} else {
		c.Digest, c.tape, c.kind = rec.Failed.Digest, rec.Failed.Calls, rec.Failed.Kind
	}
	return c
}

// orphan is a call of an execution whose beginning was removed from the log, if it is
// one of a plugin; so may be its own, which is s.
func orphan(rec workflow.Record, step string, undo bool, s *workflow.Scheduled) *PastCall {
	c := &PastCall{At: rec.At, Execution: rec.Execution, Step: step, Undo: undo, Was: endOf(rec), cut: true}
	if rec.Succeeded != nil {
		c.Attempt, c.Digest = rec.Succeeded.Attempt, rec.Succeeded.Digest
	} else {
		c.Attempt, c.Digest = rec.Failed.Attempt, rec.Failed.Digest
	}
	switch {
	case s != nil && s.Action != workflow.ActionRun, s == nil && c.Digest == "":
		return nil
	case s != nil:
		c.Plugin = s.Plugin
	}
	return c
}

// errCut is why a call cannot be run again of which the log has only the end.
var errCut = errors.New("its execution began before the log does: its match was removed (key retention in rhost.yaml)")

// endOf is the end of a call as its record tells it.
func endOf(rec workflow.Record) CallEnd {
	var e CallEnd
	var u *workflow.Usage
	if s := rec.Succeeded; s != nil {
		e.Result, e.Output, e.Effects, u = "ok", s.Out, s.Effects, s.Usage
		if s.Dropped {
			e.Result = "drop"
		}
	} else {
		f := rec.Failed
		e.Result, e.Message, u = "fault", f.Message, f.Usage
		switch f.Kind {
		case workflow.FailPermanent, workflow.FailRetry:
			e.Result = string(f.Kind)
		default:
			e.Fault = string(f.Kind)
		}
	}
	if u != nil {
		e.Fuel, e.HostCalls = u.Fuel, u.HostCalls
	}
	return e
}

// The reasons why a call cannot be run again, by how it ended.
var unrepeatable = map[workflow.FailureKind]error{ //nolint:gochecknoglobals // never changed
	workflow.FailTimeout:     errors.New("it ran into its deadline, and how far it had come then depends on the machine"),
	workflow.FailUnavailable: errors.New("no version of the plugin was loaded then"),
	workflow.FailCrashed:     errors.New("the process that ran it died"),
	workflow.FailConflict:    errors.New("the state it read changed under it every time; what its last run gave is not kept"),
	workflow.FailInternal:    errors.New("it failed by a fault of the host"),
}

// repeatable returns the tape of a call that can be run again, or why it cannot.
func (c *PastCall) repeatable() (*tape, error) {
	if c.cut {
		return nil, errCut
	}
	if err := unrepeatable[c.kind]; err != nil {
		return nil, err
	}
	return decodeTape(c.tape)
}

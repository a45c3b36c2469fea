package host

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// Action is one attempt at a step, as `rhost actions` prints it, or the end of
// an execution, whose Step is empty.
type Action struct {
	At        time.Time       `json:"at"`
	Rule      string          `json:"rule"`
	Match     string          `json:"match"`
	Execution string          `json:"execution"`
	Step      string          `json:"step,omitempty"`
	Undo      bool            `json:"undo,omitempty"`
	Action    string          `json:"action,omitempty"` // run, emit, notify, http or file
	Plugin    string          `json:"plugin,omitempty"`
	Digest    string          `json:"digest,omitempty"` // of the module that ran
	Attempt   int             `json:"attempt,omitempty"`
	Status    string          `json:"status"` // ok, dropped, retry, failed; of an execution: workflow.Status
	Fuel      int64           `json:"fuel,omitempty"`
	Wall      time.Duration   `json:"wall_ns,omitempty"`
	Out       json.RawMessage `json:"out,omitempty"`
	Error     string          `json:"error,omitempty"`
}

// message is the action as those who watch see it.
func (a Action) message() notify.Message {
	return notify.Message{Topic: notify.TopicActions, At: a.At, Rule: a.Rule, Match: a.Match, Make: func() json.RawMessage {
		body, err := json.Marshal(a)
		if err != nil {
			return json.RawMessage("null") // an output that is not JSON was refused before it became a record
		}
		return body
	}}
}

// actionFold turns the history of executions into actions. The lane folds as it
// decides; a query folds what it reads from RUN.
type actionFold struct {
	open map[string]*openExecution // by execution id
	// partly says that the beginning of the log was removed: of executions that
	// started there the rule is not known.
	partly bool
}

// openExecution is what the records of an execution do not repeat.
type openExecution struct {
	Rule, Match string
	depth       int
	scheduled   []scheduledStep // attempts under way
}

// scheduledStep is what the end of an attempt does not repeat.
type scheduledStep struct {
	step   string
	undo   bool
	action workflow.Action
	plugin string
}

func newActionFold() *actionFold { return &actionFold{open: make(map[string]*openExecution)} }

// fold takes one record; ok is false when it tells of no action. A dead letter
// that is redriven goes on under its id, so only what is over for good is
// forgotten.
func (f *actionFold) fold(rec workflow.Record) (Action, bool) {
	if rec.Started != nil {
		f.open[rec.Execution] = &openExecution{
			Rule: unique.Make(rec.Started.Rule).Value(), Match: rec.Started.Key, depth: payloadDepth(rec.Started.Match),
		}
		return Action{}, false
	}
	x := f.open[rec.Execution]
	if x == nil && f.partly {
		x = &openExecution{Match: matchOf(rec.Execution)}
		f.open[rec.Execution] = x
	}
	if x == nil {
		return Action{}, false
	}
	a := Action{At: rec.At, Rule: x.Rule, Match: x.Match, Execution: rec.Execution}
	undo := rec.Kind == workflow.KindUndoScheduled || rec.Kind == workflow.KindUndoSucceeded || rec.Kind == workflow.KindUndoFailed
	switch {
	case rec.Scheduled != nil:
		x.begin(scheduledStep{rec.Scheduled.Step, undo, rec.Scheduled.Action, rec.Scheduled.Plugin})
		return Action{}, false
	case rec.Succeeded != nil:
		s := rec.Succeeded
		a.of(x.end(s.Step, undo), s.Attempt, s.Usage)
		a.Digest, a.Out, a.Status = s.Digest, s.Out, "ok"
		if s.Dropped {
			a.Status = "dropped"
		}
	case rec.Failed != nil:
		s := rec.Failed
		a.of(x.end(s.Step, undo), s.Attempt, s.Usage)
		a.Digest, a.Error, a.Status = s.Digest, s.Message, "failed"
		if s.Retryable {
			a.Status = "retry"
		}
	case rec.Finished != nil:
		a.Status = string(rec.Finished.Status)
		if rec.Finished.Status == workflow.StatusDone || rec.Finished.Status == workflow.StatusDropped {
			delete(f.open, rec.Execution)
		}
	case rec.Dropped != nil:
		delete(f.open, rec.Execution)
		return Action{}, false
	default:
		return Action{}, false
	}
	return a, true
}

// matchOf is the match that started an execution, which is named after it.
func matchOf(execution string) string {
	id, ok := strings.CutPrefix(execution, "x-")
	if !ok {
		return ""
	}
	return "m-" + id
}

// begin notes an attempt, which end forgets.
func (x *openExecution) begin(s scheduledStep) {
	x.end(s.step, s.undo)
	s.step, s.plugin = unique.Make(s.step).Value(), unique.Make(s.plugin).Value()
	x.scheduled = append(x.scheduled, s)
}

// end gives what was begun; of a step that needed no attempt that is its name.
func (x *openExecution) end(step string, undo bool) scheduledStep {
	for i, s := range x.scheduled {
		if s.step != step || s.undo != undo {
			continue
		}
		if x.scheduled = slices.Delete(x.scheduled, i, i+1); len(x.scheduled) == 0 {
			x.scheduled = nil // a great many executions wait for a time
		}
		return s
	}
	return scheduledStep{step: step, undo: undo}
}

// restore makes the fold anew from the executions of a snapshot.
func (f *actionFold) restore(flows *workflow.Engine) {
	flows.Each(func(o workflow.Open) {
		x := &openExecution{Rule: o.Started.Rule, Match: o.Started.Key, depth: payloadDepth(o.Started.Match)}
		for _, c := range o.Running {
			x.begin(scheduledStep{c.Step, c.Undo, c.Action, c.Plugin})
		}
		f.open[o.ID] = x
	})
}

func (a *Action) of(s scheduledStep, attempt int, u *workflow.Usage) {
	a.Step, a.Undo, a.Attempt, a.Action, a.Plugin = s.step, s.undo, attempt, string(s.action), s.plugin
	if u != nil {
		a.Fuel, a.Wall = u.Fuel, u.Wall
	}
}

package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// environment gives what templates see. It is asked only when a template runs,
// because decoding a match costs more than everything else here.
type environment func() (Env, error)

// decide returns the records that come next in x's history, or none when it has
// to wait: for a result, for a time, or for nothing any more. It is pure, but
// for env, which is expected to be.
//
// The caller applies the records and asks again, so each call takes one small
// step and no state lives outside the history.
func decide(x *execution, now time.Time, env environment) []Record {
	if x.status != "" {
		return bury(x, now)
	}
	if x.def == nil {
		return []Record{finish(x, failedStatus(x), now, StepError{Kind: FailDefinition, Message: fmt.Sprintf(
			"version %s of rule %s is not known any more; bring it back, then redrive", x.info.Version, x.info.Rule)})}
	}
	if recs, busy := pursue(x, now, env); busy {
		return recs
	}
	switch {
	case x.failing:
		return unwind(x, now, env)
	case x.dropped:
		return []Record{finish(x, StatusDropped, now)}
	}
	if next := nextStep(x, x.def.steps); next != nil {
		return []Record{begin(x, next, false, now, env)}
	}
	return []Record{finish(x, StatusDone, now)}
}

// pursue looks after a task that is under way. busy is false when there is none.
func pursue(x *execution, now time.Time, env environment) (recs []Record, busy bool) {
	for _, s := range x.steps {
		for _, undo := range []bool{false, true} {
			t := s.task(undo)
			switch t.state {
			case running:
				return nil, true
			case failing:
				return []Record{retryAt(x, s, undo, now)}, true
			case waiting:
				if t.at.After(now) {
					return nil, true
				}
				return []Record{begin(x, x.def.step(s.id), undo, now, env)}, true
			case pending, done, failed:
			}
		}
	}
	return nil, false
}

// unwind undoes what was done, latest first, then runs the steps of on_failure.
func unwind(x *execution, now time.Time, env environment) []Record {
	if s := nextUndo(x); s != nil {
		return []Record{begin(x, x.def.step(s.id), true, now, env)}
	}
	if next := nextStep(x, x.def.onFailure); next != nil {
		return []Record{begin(x, next, false, now, env)}
	}
	return []Record{finish(x, failedStatus(x), now)}
}

// nextStep returns the first of steps that was not tried to its end, or nil.
func nextStep(x *execution, steps []*Step) *Step {
	for _, step := range steps {
		s := x.find(step.ID)
		if s == nil || s.do.state == pending {
			return step
		}
	}
	return nil
}

// nextUndo returns the step that completed last among those still to be undone.
func nextUndo(x *execution) *stepState {
	var last *stepState
	for _, s := range x.steps {
		if s.order == 0 || s.undo.state != pending || !undoable(x.def.step(s.id), s) {
			continue
		}
		if last == nil || s.order > last.order {
			last = s
		}
	}
	return last
}

// undoable reports whether a completed step has an undo: its own, or the one
// that its file operation left behind. The steps of on_failure have none.
func undoable(step *Step, s *stepState) bool {
	if step == nil || step.onFailure {
		return false
	}
	return step.Undo != nil || step.Action == ActionFile && !step.keep && revertOf(s.out) != nil
}

// revertOf returns what a file operation says takes it back, or nil.
func revertOf(out json.RawMessage) json.RawMessage {
	var o struct {
		Undo json.RawMessage `json:"undo"`
	}
	if json.Unmarshal(out, &o) != nil || bytes.Equal(o.Undo, []byte("null")) {
		return nil
	}
	return o.Undo
}

// begin starts the next attempt of a step or of its undo: with the intent to act
// or, for what happens in the log alone, with its success.
func begin(x *execution, step *Step, undo bool, now time.Time, env environment) Record {
	s := x.find(step.ID)
	if s == nil {
		s = &stepState{id: step.ID}
	}
	t := s.task(undo)
	act, args, err := action(step, s, undo, env)
	attempt := t.attempt + 1
	if err != nil {
		return record(x, now, undo, Record{Kind: KindFailed, Failed: &Failed{
			Step: step.ID, Attempt: attempt, Kind: FailInvalid, Message: short(err.Error()),
		}})
	}
	if act.Action.inLog() {
		return inLog(x, step.ID, act.Action, attempt, args, undo, now)
	}
	since := t.since
	if t.attempt == t.base {
		since = now
	}
	sched := &Scheduled{
		Step: step.ID, Action: act.Action, Plugin: act.Plugin, Attempt: attempt,
		Key: x.key(s, undo), Args: args, Timeout: act.Timeout,
	}
	if act.Retry.Within > 0 {
		sched.Deadline = since.Add(act.Retry.Within)
	}
	return record(x, now, undo, Record{Kind: KindScheduled, Scheduled: sched})
}

// action returns the step that is to act, which is step, its undo, or the undo
// that comes with a file operation, and its evaluated arguments. A later attempt
// has the arguments of the first.
func action(step *Step, s *stepState, undo bool, env environment) (*Step, json.RawMessage, error) {
	act := policy(step, undo)
	t := s.task(undo)
	if t.attempt > t.base {
		return act, t.args, nil
	}
	if undo && step.Undo == nil {
		args, err := json.Marshal(map[string]json.RawMessage{"revert": revertOf(s.out)})
		return act, args, err
	}
	var e Env
	if _, static := act.args.(constant); !static && act.args != nil {
		var err error
		if e, err = env(); err != nil {
			return act, nil, err
		}
	}
	args, err := evalJSON(act.args, e)
	return act, args, err
}

// policy returns the step whose action, retry and timeout count: step or its
// undo. The undo that comes with a file operation is tried as the step itself.
func policy(step *Step, undo bool) *Step {
	if undo && step.Undo != nil {
		return step.Undo
	}
	return step
}

// retryAt sets the time of the next attempt, counted from the failure.
func retryAt(x *execution, s *stepState, undo bool, now time.Time) Record {
	t := s.task(undo)
	r := policy(x.def.step(s.id), undo).Retry
	wait := max(r.wait(t.attempt-t.base, seed(x.id, s.id, undo, t.attempt)), t.after)
	return record(x, now, undo, Record{Kind: KindRetryAt, RetryAt: &RetryAt{
		Step: s.id, Attempt: t.attempt + 1, At: t.at.Add(wait),
	}})
}

// failedStatus says how an execution ends that has failed. One that ends in the
// middle of its undos, for want of its definition, has not got through them.
func failedStatus(x *execution) Status {
	status := StatusFailed
	for _, s := range x.steps {
		switch s.undo.state {
		case failed, running, failing, waiting:
			return StatusCompensationFailed
		case done:
			status = StatusCompensated
			if x.def == nil {
				return StatusCompensationFailed
			}
		case pending:
		}
	}
	return status
}

// finish closes x, with what went wrong so far and more.
func finish(x *execution, status Status, now time.Time, more ...StepError) Record {
	errs := append(slices.Clip(x.errs), more...)
	return record(x, now, false, Record{Kind: KindFinished, Finished: &Finished{Status: status, Errors: errs}})
}

// record fills in what all records of an execution have in common, and turns
// the kind into that of an undo.
func record(x *execution, now time.Time, undo bool, r Record) Record {
	r.Version, r.Execution, r.At = RecordVersion, x.id, now
	if undo {
		r.Kind = "undo_" + r.Kind
	}
	return r
}

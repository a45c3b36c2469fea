package workflow

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// execution is the fold of one history: apply is the only thing that changes
// it. It keeps what decide and the dead letter need, and no more, for a great
// many of them wait at once.
type execution struct {
	id      string
	seq     uint64 // order of start within the engine
	info    Started
	started time.Time
	def     *Definition  // nil until looked up
	steps   []*stepState // those that were begun, in that order
	done    int          // completions counted, to order the undos
	errs    []StepError
	failing bool   // a step has failed for good: nothing new starts, undos do
	dropped bool   // a step found nothing to do
	status  Status // "" while open
	dead    bool   // a dead letter was written

	mark    uint64 // latest Capture that needs no copy; the engine's
	written uint64 // latest Capture that has written x; guarded by its lock
}

// stepState is what became of one step.
type stepState struct {
	id    string
	gen   int  // how often its success was undone to run again
	order int  // number of its completion; 0: not complete
	late  bool // begun after a failure: a step of on_failure
	do    task
	undo  task
	out   json.RawMessage
	err   *StepError // why it failed for good
}

// task is a step's action or its undo, over all attempts.
type task struct {
	state   taskState
	attempt int             // number of the latest attempt; never used twice
	base    int             // attempts of earlier sets, before a redrive
	since   time.Time       // when the first attempt of this set was scheduled
	at      time.Time       // failing: when it failed; waiting: when the next attempt starts
	after   time.Duration   // failing: shortest wait that the other side asked for
	args    json.RawMessage // while an attempt runs or will; of a failed task too
}

type taskState uint8

const (
	pending taskState = iota
	running           // scheduled, no result yet
	failing           // another attempt is allowed, its time not yet set
	waiting           // for the time of the next attempt
	done
	failed // for good
)

// apply folds one record into x. An error means that the record cannot follow
// the history before it.
func (x *execution) apply(r Record) error {
	switch r.Kind {
	case KindScheduled, KindUndoScheduled:
		x.scheduled(x.task(r.Scheduled.Step, r.undo()), r)
	case KindSucceeded, KindUndoSucceeded:
		x.succeeded(r)
	case KindFailed, KindUndoFailed:
		x.failed(r)
	case KindRetryAt, KindUndoRetryAt:
		t := x.task(r.RetryAt.Step, r.undo())
		t.state, t.at = waiting, r.RetryAt.At
	case KindFinished:
		x.status, x.errs = r.Finished.Status, r.Finished.Errors
	case KindDeadLettered:
		x.dead = true
	case KindRedriven:
		x.redriven(r.Redriven.From)
	default:
		return fmt.Errorf("execution %s: a record of kind %q cannot follow its start", x.id, r.Kind)
	}
	return nil
}

func (x *execution) scheduled(t *task, r Record) {
	if t.attempt == t.base {
		t.since = r.At
	}
	t.state, t.attempt, t.args = running, r.Scheduled.Attempt, r.Scheduled.Args
}

func (x *execution) succeeded(r Record) {
	s := x.step(r.Succeeded.Step)
	t := s.task(r.undo())
	t.state, t.attempt, t.args = done, r.Succeeded.Attempt, nil
	if r.undo() {
		return
	}
	x.done++
	s.order, s.out = x.done, r.Succeeded.Out
	if r.Succeeded.Dropped && !x.failing {
		x.dropped = true
	}
}

func (x *execution) failed(r Record) {
	f := r.Failed
	s := x.step(f.Step)
	t := s.task(r.undo())
	t.attempt = f.Attempt
	if f.Retryable {
		t.state, t.at, t.after = failing, r.At, f.After
		return
	}
	t.state = failed
	e := StepError{Step: f.Step, Undo: r.undo(), Attempt: f.Attempt, Kind: f.Kind, Message: f.Message}
	x.errs = append(x.errs, e)
	if !r.undo() {
		s.err = &e
		x.failing = true
	}
}

// redriven makes x open again. Steps that succeeded and are to run once more
// get a new generation, and so new idempotency keys.
func (x *execution) redriven(from RedriveFrom) {
	x.status, x.dead = "", false
	if from == FromUndo {
		x.errs = slices.DeleteFunc(slices.Clone(x.errs), func(e StepError) bool { return e.Undo || e.Step == "" })
		for _, s := range x.steps {
			s.undo.reset(failed, running, failing, waiting)
		}
		return
	}
	x.failing, x.dropped, x.errs = false, false, nil
	for _, s := range x.steps {
		if from == FromStart || s.order == 0 || s.late {
			s.restart()
		}
	}
}

func (s *stepState) restart() {
	if s.order > 0 {
		s.gen++
	}
	s.order, s.out, s.err = 0, nil, nil
	s.do.reset(failed, running, failing, waiting, done)
	s.undo.reset(failed, running, failing, waiting, done)
}

// reset opens a new set of attempts if t is in one of the states.
func (t *task) reset(states ...taskState) {
	if slices.Contains(states, t.state) {
		*t = task{attempt: t.attempt, base: t.attempt}
	}
}

// step returns the state of a step, which begins if it had not.
func (x *execution) step(id string) *stepState {
	if s := x.find(id); s != nil {
		return s
	}
	s := &stepState{id: id, late: x.failing}
	x.steps = append(x.steps, s)
	return s
}

// find returns the state of a step that was begun, or nil. Definitions are
// short, so a list is quicker than a map and far smaller.
func (x *execution) find(id string) *stepState {
	for _, s := range x.steps {
		if s.id == id {
			return s
		}
	}
	return nil
}

func (x *execution) task(step string, undo bool) *task { return x.step(step).task(undo) }

func (s *stepState) task(undo bool) *task {
	if undo {
		return &s.undo
	}
	return &s.do
}

// undo reports whether the record speaks of a step's undo.
func (r Record) undo() bool {
	switch r.Kind {
	case KindUndoScheduled, KindUndoSucceeded, KindUndoFailed, KindUndoRetryAt:
		return true
	default:
		return false
	}
}

// key returns the idempotency key of a step or of its undo.
func (x *execution) key(s *stepState, undo bool) string {
	key := x.id + "/" + s.id
	if x.info.Origin != "" {
		key = x.info.Origin + "/" + key
	}
	if s.gen > 0 {
		key = fmt.Sprintf("%s~%d", key, s.gen)
	}
	if undo {
		key += "/undo"
	}
	return key
}

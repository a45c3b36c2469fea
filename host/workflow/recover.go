package workflow

import (
	"fmt"
	"time"
)

// Apply folds one record of the log into the engine. Records come in the order
// they were committed, before Recovered and before anything else. An error
// means that the log does not hold what this package wrote: a record of an
// execution that never started, a kind without its body.
func (e *Engine) Apply(r Record) error {
	if err := r.check(); err != nil {
		return err
	}
	if r.Kind == KindStarted {
		if e.knows(r.Execution) {
			return fmt.Errorf("execution %s: started twice", r.Execution)
		}
		e.admit(r.Execution, *r.Started, r.At)
		return nil
	}
	x, err := e.subject(r)
	if err != nil {
		return err
	}
	if r.Kind == KindDropped {
		e.recent.add(x.id)
		return nil
	}
	e.change(x)
	if err := x.apply(r); err != nil {
		return err
	}
	switch r.Kind {
	case KindFinished, KindDeadLettered:
		e.settle(x, r)
	case KindRedriven:
		e.open[x.id] = x
	default:
	}
	return nil
}

// subject finds the execution that r speaks of, where r may speak of it. What
// takes a dead letter away finds it among the dead letters, all else among the
// open executions.
func (e *Engine) subject(r Record) (*execution, error) {
	if r.Kind == KindRedriven || r.Kind == KindDropped {
		l, ok := e.dead.remove(r.Execution)
		if !ok {
			return nil, fmt.Errorf("execution %s: %s, but it is no dead letter", r.Execution, r.Kind)
		}
		return l.x, nil
	}
	x, ok := e.open[r.Execution]
	if !ok {
		return nil, fmt.Errorf("execution %s: %s, but it is not open", r.Execution, r.Kind)
	}
	return x, nil
}

// Recovered ends recovery. Its Output holds a Command for every intent without
// a result, with the attempt and the idempotency key it had, and the Records
// that were still to come when the history broke off.
func (e *Engine) Recovered(now time.Time) Output {
	now = stamp(now)
	out := Output{Records: e.trim(now)}
	for _, x := range e.inOrder() {
		w := e.work(x, now)
		w.define()
		if x.def != nil {
			w.out.Commands = x.unanswered()
		}
		w.run()
		out.Records = append(out.Records, w.out.Records...)
		out.Commands = append(out.Commands, w.out.Commands...)
	}
	return out
}

// unanswered returns the commands of the tasks that are running.
func (x *execution) unanswered() []Command {
	var cmds []Command
	for _, s := range x.steps {
		for _, undo := range []bool{false, true} {
			if s.task(undo).state == running {
				cmds = append(cmds, x.command(s, undo))
			}
		}
	}
	return cmds
}

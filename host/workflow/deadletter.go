package workflow

import "time"

// maxLetterOut bounds the step outputs that a dead letter repeats. The rest is
// in the history.
const maxLetterOut = 128 << 10

// bury writes the dead letter of an execution that has failed.
func bury(x *execution, now time.Time) []Record {
	switch x.status {
	case StatusFailed, StatusCompensated, StatusCompensationFailed:
		if !x.dead {
			letter := x.letter()
			return []Record{record(x, now, false, Record{Kind: KindDeadLettered, DeadLettered: &letter})}
		}
	case StatusDone, StatusDropped:
	}
	return nil
}

// letter is all that a person needs to finish x by hand.
func (x *execution) letter() DeadLettered {
	l := DeadLettered{
		Key: x.info.Key, Rule: x.info.Rule, Version: x.info.Version, Definition: x.info.Definition,
		Match: x.info.Match, Started: x.started, Status: x.status, Errors: x.errs,
	}
	room := maxLetterOut
	for _, s := range x.steps {
		st := StepState{Step: s.id, State: s.outcome(), Attempts: s.do.attempt, Args: s.do.args}
		if s.undo.state == failed {
			st.Args = s.undo.args
		}
		if len(s.out) <= room {
			st.Out = s.out
			room -= len(s.out)
		}
		l.Steps = append(l.Steps, st)
	}
	return l
}

func (s *stepState) outcome() string {
	switch {
	case s.undo.state == done:
		return "undone"
	case s.undo.state == failed:
		return "undo_failed"
	case s.order > 0:
		return "done"
	}
	return "failed"
}

// redriveFrom says where x goes on if it is redriven.
func (x *execution) redriveFrom() RedriveFrom {
	from := FromStep
	for _, s := range x.steps {
		switch s.undo.state {
		case failed, running, failing, waiting:
			return FromUndo
		case done:
			from = FromStart
		case pending:
		}
	}
	return from
}

// DeadLetter is a failed execution that waits for a person.
type DeadLetter struct {
	Execution string
	At        time.Time // when it was given up
	DeadLettered
	// Redrive says where it would go on.
	Redrive RedriveFrom
}

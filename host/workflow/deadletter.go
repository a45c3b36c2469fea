package workflow

import (
	"encoding/json"
	"time"
)

// maxLetter bounds the arguments and outputs that a dead letter repeats. Those
// left out are in the history.
const maxLetter = 256 << 10

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
	room := maxLetter
	fit := func(b json.RawMessage) json.RawMessage {
		if len(b) > room {
			return nil
		}
		room -= len(b)
		return b
	}
	for _, s := range x.steps {
		if s.do.state == pending {
			continue // of an earlier life, before a redrive
		}
		args := s.do.args
		if s.undo.state == failed {
			args = s.undo.args
		}
		l.Steps = append(l.Steps, StepState{
			Step: s.id, State: s.outcome(), Attempts: s.do.attempt, Args: fit(args), Out: fit(s.out),
		})
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
	case s.do.state == failed:
		return "failed"
	}
	return "unfinished"
}

// redriveFrom says where x goes on if it is redriven.
func (x *execution) redriveFrom() RedriveFrom {
	switch x.status {
	case StatusCompensationFailed:
		return FromUndo
	case StatusCompensated:
		return FromStart
	default:
		return FromStep
	}
}

// DeadLetter is a failed execution that waits for a person.
type DeadLetter struct {
	Execution string
	At        time.Time // when it was given up
	DeadLettered
	// Redrive says where it would go on.
	Redrive RedriveFrom
}

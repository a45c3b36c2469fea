package workflow

import (
	"bufio"
	"errors"
	"fmt"
	"time"
	"unique"

	"github.com/rhost/rhost/host/form"
)

// ErrSnapshot is the error of bytes that are no snapshot of executions, or are
// damaged.
var ErrSnapshot = errors.New("the snapshot of executions is damaged or of another version")

// The bounds of what is read. They are far above what an engine writes, and keep
// damaged lengths from taking memory.
const (
	maxExecution  = 256 << 20 // bytes of one
	maxDeadOrDone = 1 << 24
)

// RestoreEngine reads what Capture.WriteTo wrote, and nothing beyond it. The engine
// takes the records that followed through Apply, then Recovered, as a new one does.
// The error is an ErrSnapshot.
func RestoreEngine(o Options, r *bufio.Reader) (*Engine, error) {
	e := NewEngine(o)
	s := source{form.Stream{R: r, Most: maxExecution, Damaged: ErrSnapshot}}
	if v := s.Uint(); s.Err() == nil && v != snapshotVersion {
		s.Fail("version %d", v)
	}
	e.seq = s.Uint()
	for range s.Uint() {
		x := s.execution()
		if s.Err() != nil {
			return nil, s.Err()
		}
		if e.knows(x.id) || x.seq > e.seq || x.status != "" {
			return nil, fmt.Errorf("%w: execution %s is not open, or stands in it twice", ErrSnapshot, x.id)
		}
		e.open[x.id] = x
	}
	for range s.Count(maxDeadOrDone) {
		at := s.Time()
		x := s.execution()
		if s.Err() != nil {
			return nil, s.Err()
		}
		if e.knows(x.id) || x.status == "" {
			return nil, fmt.Errorf("%w: execution %s is no dead letter, or stands in it twice", ErrSnapshot, x.id)
		}
		e.dead.add(letter{x: x, at: at})
	}
	for range s.Count(maxDeadOrDone) {
		id := s.Text()
		if s.Err() != nil {
			return nil, s.Err()
		}
		e.recent.add(id)
	}
	return e, s.Err()
}

// source is the stream of a snapshot.
type source struct{ form.Stream }

func (s *source) execution() *execution {
	p := piece{form.NewReader(s.Bytes())}
	if s.Err() != nil {
		return nil
	}
	x := p.execution()
	p.End()
	if p.Err() != nil {
		s.Fail("%w", p.Err())
	}
	return x
}

// piece is the bytes of one execution, or of one record. Texts and raw messages are
// not parts of them.
type piece struct{ form.Reader }

// small reads a number that counts something of one execution.
func (p *piece) small() int {
	const most = 1 << 40
	n := p.Uint()
	if n > most {
		p.Fail("a count of %d", n)
		return 0
	}
	return int(n)
}

// name reads a text that many executions have.
func (p *piece) name() string { return unique.Make(p.Text()).Value() }

// least is how many bytes a step, and an error, take at least.
const least = 5

func (p *piece) execution() *execution {
	x := &execution{id: p.Text(), seq: p.Uint()}
	x.info = Started{Key: p.Text(), Rule: p.name(), Version: p.name(), Definition: p.name(), Match: p.Raw()}
	x.started, x.done = p.Time(), p.small()
	flags := p.Byte()
	x.failing, x.dropped, x.dead = flags&flagFailing != 0, flags&flagDropped != 0, flags&flagDead != 0
	if flags&flagOrigin != 0 {
		x.info.Origin = p.name()
	}
	x.status = Status(p.name())
	if n := p.Count(least, "steps"); n > 0 {
		x.steps = make([]*stepState, n)
		for i := range x.steps {
			x.steps[i] = p.step()
		}
	}
	x.errs = p.errors()
	if p.Err() == nil && (x.id == "" || !x.status.known()) {
		p.Fail("an execution without a name, or of status %q", x.status)
	}
	return x
}

// known reports whether s is one that an execution can have; "" is open.
func (s Status) known() bool {
	switch s {
	case "", StatusDone, StatusDropped, StatusFailed, StatusCompensated, StatusCompensationFailed:
		return true
	}
	return false
}

func (p *piece) errors() []StepError {
	n := p.Count(least, "errors")
	if n == 0 {
		return nil
	}
	errs := make([]StepError, n)
	for i := range errs {
		errs[i] = p.stepError()
	}
	return errs
}

func (p *piece) stepError() StepError {
	return StepError{Step: p.name(), Undo: p.Byte() != 0, Attempt: p.small(), Kind: FailureKind(p.name()), Message: p.Text()}
}

func (p *piece) step() *stepState {
	s := &stepState{id: p.name(), gen: p.small(), order: p.small()}
	flags := p.Byte()
	s.late = flags&flagLate != 0
	s.do, s.undo = p.task(), p.task()
	s.out = p.Raw()
	if flags&flagErr != 0 {
		e := p.stepError()
		s.err = &e
	}
	return s
}

func (p *piece) task() task {
	t := task{state: taskState(p.Byte()), attempt: p.small(), base: p.small(), since: p.Time(), at: p.Time(), after: time.Duration(p.Int()), args: p.Raw()}
	if t.state > failed {
		p.Fail("a task in state %d", t.state)
	}
	return t
}

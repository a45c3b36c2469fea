package workflow

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
	"unique"
)

// ErrSnapshot is the error of bytes that are no snapshot of executions, or are
// damaged.
var ErrSnapshot = errors.New("the snapshot of executions is damaged or of another version")

// The bounds of what is read. They are far above what an engine writes, and keep
// damaged lengths from taking memory.
const (
	maxExecution  = 256 << 20 // bytes of one
	maxSteps      = 1 << 16
	maxDeadOrDone = 1 << 24
)

// RestoreEngine reads what Capture.WriteTo wrote, and nothing beyond it. The engine
// takes the records that followed through Apply, then Recovered, as a new one does.
// The error is an ErrSnapshot, or the reader's.
func RestoreEngine(o Options, r *bufio.Reader) (*Engine, error) {
	e := NewEngine(o)
	s := source{r: r}
	if v := s.uint(); s.err == nil && v != snapshotVersion {
		s.fail("version %d", v)
	}
	e.seq = s.uint()
	for range s.uint() {
		x := s.execution()
		if s.err != nil {
			return nil, s.err
		}
		if e.knows(x.id) || x.seq > e.seq || x.status != "" {
			return nil, fmt.Errorf("%w: execution %s is not open, or stands in it twice", ErrSnapshot, x.id)
		}
		e.open[x.id] = x
	}
	for range s.count(maxDeadOrDone) {
		at := s.time()
		x := s.execution()
		if s.err != nil {
			return nil, s.err
		}
		if e.knows(x.id) || x.status == "" {
			return nil, fmt.Errorf("%w: execution %s is no dead letter, or stands in it twice", ErrSnapshot, x.id)
		}
		e.dead.add(letter{x: x, at: at})
	}
	for range s.count(maxDeadOrDone) {
		id := string(s.bytes(maxSteps))
		if s.err != nil {
			return nil, s.err
		}
		e.recent.add(id)
	}
	return e, s.err
}

// source reads numbers and pieces from a stream. The first mistake sticks.
type source struct {
	r   *bufio.Reader
	err error
}

func (s *source) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: "+format, append([]any{ErrSnapshot}, args...)...)
	}
}

// broken keeps an error of the reader; an early end is damage.
func (s *source) broken(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.fail("it ends too early")
	} else if s.err == nil {
		s.err = err
	}
}

func (s *source) uint() uint64 {
	if s.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(s.r)
	if err != nil {
		s.broken(err)
		return 0
	}
	return n
}

func (s *source) count(most uint64) uint64 {
	n := s.uint()
	if n > most {
		s.fail("%d entries", n)
		return 0
	}
	return n
}

// bytes reads a piece with its length before it. Memory is taken as bytes come.
func (s *source) bytes(most uint64) []byte {
	n := s.count(most)
	if s.err != nil {
		return nil
	}
	const step = 1 << 20
	b := make([]byte, 0, min(n, step))
	for uint64(len(b)) < n {
		from := len(b)
		b = append(b, make([]byte, min(n-uint64(from), step))...)
		if _, err := io.ReadFull(s.r, b[from:]); err != nil {
			s.broken(err)
			return nil
		}
	}
	return b
}

func (s *source) time() time.Time {
	ns := s.uint()
	if ns == 0 || s.err != nil {
		return time.Time{}
	}
	sec, err := binary.ReadVarint(s.r)
	if err != nil {
		s.broken(err)
	}
	return timeOf(ns, sec, s.fail)
}

// latest is the last second that a time of the log may have; see stamp.
const latest = 253_402_300_800

func timeOf(ns uint64, sec int64, fail func(string, ...any)) time.Time {
	if ns > uint64(time.Second) || sec > latest || sec < -latest {
		fail("a time of %d s and %d ns", sec, ns)
		return time.Time{}
	}
	return time.Unix(sec, int64(ns-1)).UTC()
}

func (s *source) execution() *execution {
	p := piece{b: s.bytes(maxExecution)}
	x := p.execution()
	if s.err == nil && p.failed == "" && len(p.b) > 0 {
		p.fail("%d bytes too many", len(p.b))
	}
	if p.failed != "" {
		s.fail("%s", p.failed)
	}
	return x
}

// piece is the bytes of one execution. Raw messages and texts are parts of them:
// nothing but the execution is in there.
type piece struct {
	b      []byte
	failed string
}

func (p *piece) fail(format string, args ...any) {
	if p.failed == "" {
		p.failed = fmt.Sprintf(format, args...)
	}
	p.b = nil
}

func (p *piece) uint() uint64 {
	n, used := binary.Uvarint(p.b)
	if used <= 0 {
		p.fail("it is cut short")
		return 0
	}
	p.b = p.b[used:]
	return n
}

func (p *piece) int() int64 {
	n, used := binary.Varint(p.b)
	if used <= 0 {
		p.fail("it is cut short")
		return 0
	}
	p.b = p.b[used:]
	return n
}

// small reads a number that counts something of one execution.
func (p *piece) small() int {
	const most = 1 << 40
	n := p.uint()
	if n > most {
		p.fail("a count of %d", n)
		return 0
	}
	return int(n)
}

func (p *piece) byte() byte {
	if len(p.b) == 0 {
		p.fail("it is cut short")
		return 0
	}
	c := p.b[0]
	p.b = p.b[1:]
	return c
}

func (p *piece) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.fail("it is cut short")
		return nil
	}
	own := p.b[:n:n]
	p.b = p.b[n:]
	return own
}

func (p *piece) text() string { return string(p.take(p.uint())) }

// name reads a text that many executions have.
func (p *piece) name() string { return unique.Make(p.text()).Value() }

func (p *piece) raw() []byte {
	n := p.uint()
	if n == 0 {
		return nil
	}
	return append([]byte{}, p.take(n-1)...)
}

func (p *piece) time() time.Time {
	ns := p.uint()
	if ns == 0 {
		return time.Time{}
	}
	return timeOf(ns, p.int(), p.fail)
}

// least is how many bytes a step, and an error, take at least.
const least = 5

func (p *piece) execution() *execution {
	x := &execution{id: p.text(), seq: p.uint()}
	x.info = Started{Key: p.text(), Rule: p.name(), Version: p.name(), Definition: p.name(), Match: p.raw()}
	x.started, x.done = p.time(), p.small()
	flags := p.byte()
	x.failing, x.dropped, x.dead = flags&flagFailing != 0, flags&flagDropped != 0, flags&flagDead != 0
	if flags&flagOrigin != 0 {
		x.info.Origin = p.name()
	}
	x.status = Status(p.name())
	if n := p.small(); n > len(p.b)/least {
		p.fail("%d steps", n)
	} else if n > 0 {
		x.steps = make([]*stepState, n)
		for i := range x.steps {
			x.steps[i] = p.step()
		}
	}
	x.errs = p.errors()
	if p.failed == "" && (x.id == "" || !x.status.known()) {
		p.fail("an execution without a name, or of status %q", x.status)
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
	n := p.small()
	if n > len(p.b)/least {
		p.fail("%d errors", n)
	}
	if n == 0 || p.failed != "" {
		return nil
	}
	errs := make([]StepError, n)
	for i := range errs {
		errs[i] = p.stepError()
	}
	return errs
}

func (p *piece) stepError() StepError {
	return StepError{Step: p.name(), Undo: p.byte() != 0, Attempt: p.small(), Kind: FailureKind(p.name()), Message: p.text()}
}

func (p *piece) step() *stepState {
	s := &stepState{id: p.name(), gen: p.small(), order: p.small()}
	flags := p.byte()
	s.late = flags&flagLate != 0
	s.do, s.undo = p.task(), p.task()
	s.out = p.raw()
	if flags&flagErr != 0 {
		e := p.stepError()
		s.err = &e
	}
	return s
}

func (p *piece) task() task {
	t := task{state: taskState(p.byte()), attempt: p.small(), base: p.small(), since: p.time(), at: p.time(), after: time.Duration(p.int()), args: p.raw()}
	if t.state > failed {
		p.fail("a task in state %d", t.state)
	}
	return t
}

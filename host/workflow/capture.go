package workflow

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/rhost/rhost/host/form"
)

// snapshotVersion is the version of the form that Capture.WriteTo writes:
//
//	version, number of executions started so far
//	open executions: how many, and each of them with its length before it
//	dead letters, oldest first: how many, and of each when it was given up, and the
//	       execution with its length before it
//	ids that finished lately, oldest first: how many, and each
//
// An execution is what apply has folded of its history: id, number, what it was
// started with, when; completions, flags, its origin where a flag says so, status;
// its steps, its errors. Its definition is not in it: it is looked up by digest. Nor
// are the timers, which follow from the executions.
const snapshotVersion = 1

// Capture is the executions of an engine at one moment. It does not change with the
// engine.
//
// Capturing takes a moment, whatever there is: an execution is copied only when the
// engine is about to change it before it was written.
type Capture struct {
	engine *Engine
	seq    uint64
	open   []*execution
	dead   []letter
	recent []string

	mu sync.Mutex // guards mark of the executions, and their rest until that is set
	id uint64
	// saved are executions that were changed before they were written; guarded by mu.
	saved map[*execution]*execution
}

// perLock is how many executions are written while the lock is held: the engine may
// wait so long.
const perLock = 32

// Capture begins to keep what the engine holds now. Another goroutine writes it
// with WriteTo, while the engine goes on; End, in the engine's own goroutine, must
// follow. There is one Capture of an engine at a time.
func (e *Engine) Capture() *Capture {
	if e.capture != nil {
		panic("workflow: a second capture of one engine")
	}
	e.captures++
	c := &Capture{
		engine: e, seq: e.seq, id: e.captures, saved: make(map[*execution]*execution),
		open: make([]*execution, 0, len(e.open)), recent: e.recent.list(),
	}
	for _, x := range e.open {
		c.open = append(c.open, x)
	}
	for l := range e.dead.all() {
		c.dead = append(c.dead, l)
	}
	e.capture = c
	return c
}

// End lets the engine forget about the capture. Whoever writes it must have ended.
func (c *Capture) End() {
	if c.engine.capture == c {
		c.engine.capture = nil
	}
}

// change is called before x is changed.
func (e *Engine) change(x *execution) {
	c := e.capture
	if c == nil || x.mark == c.id {
		return // which was set by this goroutine, or says that x is written
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if x.written != c.id {
		c.saved[x] = x.clone()
	}
	x.mark = c.id
}

// clone copies all that changes of x.
func (x *execution) clone() *execution {
	own := *x
	own.steps = make([]*stepState, len(x.steps))
	for i, s := range x.steps {
		step := *s
		own.steps[i] = &step
	}
	own.errs = slices.Clone(x.errs)
	return &own
}

// WriteTo writes the snapshot, and shows the digest of every definition to seen.
func (c *Capture) WriteTo(w io.Writer, seen func(definition string)) error {
	out := bufio.NewWriterSize(w, 64<<10)
	b := binary.AppendUvarint(nil, snapshotVersion)
	b = binary.AppendUvarint(b, c.seq)
	slices.SortFunc(c.open, func(a, b *execution) int { return compare(a.seq, b.seq) })
	b = binary.AppendUvarint(b, uint64(len(c.open)))
	var err error
	put := func(b []byte) []byte {
		if _, wrote := out.Write(b); err == nil {
			err = wrote
		}
		return b[:0]
	}
	for list := range slices.Chunk(c.open, perLock) {
		b = put(c.append(b, list, seen))
	}
	b = binary.AppendUvarint(b, uint64(len(c.dead)))
	for i := range c.dead {
		b = form.AppendTime(b, c.dead[i].at)
		b = put(c.append(b, []*execution{c.dead[i].x}, seen))
	}
	b = binary.AppendUvarint(b, uint64(len(c.recent)))
	for _, id := range c.recent {
		b = form.AppendText(b, id)
	}
	put(b)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("write the executions: %w", err)
	}
	return nil
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// append appends executions as they were when they were captured.
func (c *Capture) append(dst []byte, list []*execution, seen func(definition string)) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var own []byte
	for _, x := range list {
		x.written = c.id
		if was := c.saved[x]; was != nil {
			delete(c.saved, x)
			x = was
		}
		seen(x.info.Definition)
		own = x.append(own[:0])
		dst = binary.AppendUvarint(dst, uint64(len(own)))
		dst = append(dst, own...)
	}
	return dst
}

// list gives the ids, oldest first.
func (r *recent) list() []string {
	ids := make([]string, 0, len(r.ids))
	for i := range r.ring {
		if id := r.ring[(r.next+i)%len(r.ring)]; id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// The flags of an execution.
const (
	flagFailing = 1 << iota
	flagDropped
	flagDead
	flagOrigin // it has an origin
)

func (x *execution) append(b []byte) []byte {
	b = form.AppendText(b, x.id)
	b = binary.AppendUvarint(b, x.seq)
	b = form.AppendText(b, x.info.Key)
	b = form.AppendText(b, x.info.Rule)
	b = form.AppendText(b, x.info.Version)
	b = form.AppendText(b, x.info.Definition)
	b = form.AppendRaw(b, x.info.Match)
	b = form.AppendTime(b, x.started)
	b = binary.AppendUvarint(b, uint64(x.done))
	b = append(b, flag(x.failing, flagFailing)|flag(x.dropped, flagDropped)|flag(x.dead, flagDead)|flag(x.info.Origin != "", flagOrigin))
	if x.info.Origin != "" {
		b = form.AppendText(b, x.info.Origin)
	}
	b = form.AppendText(b, string(x.status))
	b = binary.AppendUvarint(b, uint64(len(x.steps)))
	for _, s := range x.steps {
		b = s.append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(x.errs)))
	for i := range x.errs {
		b = x.errs[i].append(b)
	}
	return b
}

// The flags of a step.
const (
	flagLate = 1 << iota
	flagErr
)

func (s *stepState) append(b []byte) []byte {
	b = form.AppendText(b, s.id)
	b = binary.AppendUvarint(b, uint64(s.gen))
	b = binary.AppendUvarint(b, uint64(s.order))
	b = append(b, flag(s.late, flagLate)|flag(s.err != nil, flagErr))
	b = s.do.append(b)
	b = s.undo.append(b)
	b = form.AppendRaw(b, s.out)
	if s.err != nil {
		b = s.err.append(b)
	}
	return b
}

func (t *task) append(b []byte) []byte {
	b = append(b, byte(t.state))
	b = binary.AppendUvarint(b, uint64(t.attempt))
	b = binary.AppendUvarint(b, uint64(t.base))
	b = form.AppendTime(b, t.since)
	b = form.AppendTime(b, t.at)
	b = binary.AppendVarint(b, int64(t.after))
	return form.AppendRaw(b, t.args)
}

func (e *StepError) append(b []byte) []byte {
	b = form.AppendText(b, e.Step)
	b = append(b, flag(e.Undo, 1))
	b = binary.AppendUvarint(b, uint64(e.Attempt))
	b = form.AppendText(b, string(e.Kind))
	return form.AppendText(b, e.Message)
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

package workflow

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unique"
)

// ErrNoDeadLetter is the error of an id that names no dead letter.
var ErrNoDeadLetter = errors.New("no such dead letter")

// Options are what an engine needs of its host.
type Options struct {
	// Definition returns the definition that an execution of the log is pinned
	// to. Without it the execution becomes a dead letter, which may be redriven
	// when the definition is back.
	Definition func(rule, version, digest string) (*Definition, bool)
	// Match turns a payload into what templates see as Env.Match.
	Match func(Payload) (any, error)
	// Admit is asked whether there is room for the effects of a step, which are
	// recorded next; its error makes the attempt a failure of kind FailQuota. Nil:
	// there always is.
	Admit func(effects []Effect) error
	// DeadLetters is how many are kept; the oldest of more is dropped. 0: 10,000.
	DeadLetters int
	// Finished is how many finished executions are remembered, so that a start
	// that comes again is not a new one. 0: 10,000.
	Finished int
}

// Engine holds the executions of one lane. It belongs to the lane's goroutine.
//
// A new engine takes the records of the log through Apply, then Recovered once,
// and is then ready for the rest. Times given to it should not go backwards;
// where they do, timers are late and nothing worse.
type Engine struct {
	opt    Options
	open   map[string]*execution
	dead   *letters
	recent *recent
	timers timers
	seq    uint64

	capture  *Capture // under way, or nil
	captures uint64   // begun so far
}

// NewEngine returns an engine without executions.
func NewEngine(o Options) *Engine {
	if o.DeadLetters <= 0 {
		o.DeadLetters = 10_000
	}
	if o.Finished <= 0 {
		o.Finished = 10_000
	}
	return &Engine{opt: o, open: make(map[string]*execution), dead: newLetters(o.DeadLetters), recent: newRecent(o.Finished)}
}

// Start begins an execution of def. A key that has started one before gives an
// empty Output.
func (e *Engine) Start(def *Definition, info StartInfo, now time.Time) Output {
	id := ExecutionID(info.Key)
	if e.knows(id) {
		return Output{}
	}
	now = stamp(now)
	started := &Started{
		Key: info.Key, Rule: info.Rule, Version: info.Version, Definition: def.Digest(), Origin: info.Origin, Match: info.Payload,
	}
	x := e.admit(id, *started, now)
	x.def = def
	w := e.work(x, now)
	w.match = info.Match
	w.out.Records = append(w.out.Records, record(x, now, false, Record{Kind: KindStarted, Started: started}))
	w.run()
	return w.out
}

// Complete takes the result of a command. A result that nobody waits for, such
// as the second of one attempt, gives an empty Output.
func (e *Engine) Complete(res Result, now time.Time) Output {
	x := e.open[res.Execution]
	if x == nil {
		return Output{}
	}
	s := x.find(res.Step)
	if s == nil {
		return Output{}
	}
	if t := s.task(res.Undo); t.state != running || t.attempt != res.Attempt {
		return Output{}
	}
	w := e.work(x, stamp(now))
	if res.Failure == nil {
		if err := e.admitEffects(res.Effects); err != nil {
			res.Failure = &Failure{Kind: FailQuota, Message: err.Error()}
		}
	}
	w.add(w.conclude(s, res))
	w.run()
	return w.out
}

func (e *Engine) admitEffects(effects []Effect) error {
	if e.opt.Admit == nil || len(effects) == 0 {
		return nil
	}
	return e.opt.Admit(effects)
}

// Tick lets time pass: attempts whose time has come are scheduled.
func (e *Engine) Tick(now time.Time) Output {
	now = stamp(now)
	var out Output
	for {
		x, ok := e.timers.pop(now)
		if !ok {
			return out
		}
		if e.open[x.id] != x {
			continue // finished by another way, or recovered anew
		}
		w := e.work(x, now)
		w.run()
		out.Records = append(out.Records, w.out.Records...)
		out.Commands = append(out.Commands, w.out.Commands...)
	}
}

// NextTimer returns when Tick has something to do; ok is false when nothing
// waits for a time.
func (e *Engine) NextTimer() (at time.Time, ok bool) { return e.timers.next() }

// Len returns how many executions are open.
func (e *Engine) Len() int { return len(e.open) }

// Open is an execution that is open or a dead letter.
type Open struct {
	ID      string
	Started Started   // what it was started with; not to be written to
	Running []Command // attempts that are under way
}

// Each visits all executions that are open and all dead letters, in no order.
func (e *Engine) Each(visit func(Open)) {
	show := func(x *execution) {
		w := e.work(x, x.started)
		w.define()
		o := Open{ID: x.id, Started: x.info}
		if x.def != nil {
			o.Running = x.unanswered()
		}
		visit(o)
	}
	for _, x := range e.open {
		show(x)
	}
	for l := range e.dead.all() {
		show(l.x)
	}
}

// DeadLetters lists the dead letters, oldest first. What the letters hold is not
// to be written to.
func (e *Engine) DeadLetters() []DeadLetter {
	list := make([]DeadLetter, 0, e.dead.len())
	for l := range e.dead.all() {
		list = append(list, e.letter(l))
	}
	return list
}

// DeadLetter returns one dead letter, or ErrNoDeadLetter.
func (e *Engine) DeadLetter(id string) (DeadLetter, error) {
	l, ok := e.dead.get(id)
	if !ok {
		return DeadLetter{}, fmt.Errorf("execution %s: %w", id, ErrNoDeadLetter)
	}
	return e.letter(l), nil
}

func (e *Engine) letter(l letter) DeadLetter {
	return DeadLetter{Execution: l.x.id, At: l.at, DeadLettered: l.x.letter(), Redrive: l.x.redriveFrom()}
}

// Redrive sets a dead-lettered execution going again, or gives ErrNoDeadLetter.
func (e *Engine) Redrive(id string, now time.Time) (Output, error) {
	l, ok := e.dead.remove(id)
	if !ok {
		return Output{}, fmt.Errorf("redrive execution %s: %w", id, ErrNoDeadLetter)
	}
	x := l.x
	e.open[id] = x
	w := e.work(x, stamp(now))
	w.add(record(x, w.now, false, Record{Kind: KindRedriven, Redriven: &Redriven{From: x.redriveFrom()}}))
	w.run()
	return w.out, nil
}

// Discard forgets a dead letter, or gives ErrNoDeadLetter.
func (e *Engine) Discard(id string, now time.Time) (Output, error) {
	l, ok := e.dead.remove(id)
	if !ok {
		return Output{}, fmt.Errorf("discard execution %s: %w", id, ErrNoDeadLetter)
	}
	e.recent.add(id)
	return Output{Records: []Record{dropped(l.x, DropDiscarded, stamp(now))}}, nil
}

func dropped(x *execution, why DropReason, now time.Time) Record {
	return record(x, now, false, Record{Kind: KindDropped, Dropped: &Dropped{Reason: why}})
}

func (e *Engine) knows(id string) bool {
	if _, ok := e.open[id]; ok {
		return true
	}
	if _, ok := e.dead.get(id); ok {
		return true
	}
	return e.recent.has(id)
}

// admit makes an open execution. Its names are the same for many, so one copy
// serves all.
func (e *Engine) admit(id string, s Started, now time.Time) *execution {
	s.Rule = unique.Make(s.Rule).Value()
	s.Version = unique.Make(s.Version).Value()
	s.Definition = unique.Make(s.Definition).Value()
	e.seq++
	x := &execution{id: id, seq: e.seq, info: s, started: now, mark: e.captures}
	e.open[id] = x
	return x
}

// inOrder returns the open executions in the order they were started.
func (e *Engine) inOrder() []*execution {
	list := make([]*execution, 0, len(e.open))
	for _, x := range e.open {
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b *execution) int { return int(a.seq) - int(b.seq) })
	return list
}

// stamp drops what a time loses in the log, so that an execution folded from it
// equals the one that lived.
// Times are written with four digits for the year.
func stamp(t time.Time) time.Time {
	last := time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC)
	if t.After(last) {
		t = last
	}
	return t.UTC().Round(0)
}

package automaton

import (
	"time"

	"github.com/rhost/rhost/event"
)

// Conds decides the conditions that depend on what a run has bound.
type Conds interface {
	Holds(c Cond, b Bound) bool
}

// Worker is the room a goroutine needs to step runs. It may serve any number of
// machines and keys, one after another. The zero Worker is ready for use.
type Worker struct {
	// Out is what the last Feed or Expire gave out, in order. It is overwritten
	// by the next.
	Out []Done

	// Err is ErrMiss when a strict skip found nothing to skip to. The match is
	// then not given out.
	Err error

	// Counts of what bounds made different; the caller clears them.
	Rejected uint64 // start events refused by the limit
	Dropped  uint64 // start events that made room for others
	Overflow uint64 // forks refused because a key had too many runs

	// Closed keeps events from beginning new runs.
	Closed bool

	m     *Machine
	r     *Runs
	at    time.Time // lane time
	in    *Input
	truth Truth
	conds Conds

	values []event.Value // of the event, as Machine.Needs asks for them
	key    []byte

	next    []run   // what the event makes of runs, besides leaving them where they are
	done    []Done  // what they complete
	over    []Done  // what ran out of time
	open    int     // how many runs there are, those in next counted
	exact   bool    // those that ran out of time are not among them
	stays   bool    // the run being stepped remains as it is, too
	from    int     // where in next begins what it leaves behind
	ways    []int32 // states reached from the run being stepped
	tail    []int32 // states reached from where it went
	marks   []mark  // by state
	steps   uint64  // counts steps, and searches in them
	node    *node   // the event bound to the run being stepped
	started bool    // the event opened a run
	forked  bool    // some run left several behind
	took    []int   // runs in next that bound the event
	keep    map[forkKey]*run
	rivals  []forkKey // those without a start in keep
	gen     uint64    // of marks
	view    view
}

// Feed moves the runs of one key on by an event and lets it begin new ones.
// t says which conditions the event meets; c is asked for the others. Expire must
// have been called for the time of the event.
func (m *Machine) Feed(w *Worker, r *Runs, in *Input, t Truth, c Conds) {
	w.begin(m, r, in.At)
	w.in, w.truth, w.conds = in, t, c
	w.open, w.exact = r.Len(), !m.quiet
	may := t.True | ^t.Known
	for i := range r.groups {
		w.visit(&r.groups[i], may)
	}
	if !w.Closed && (m.nfa.starts&may != 0 || m.nfa.anyStart) {
		before := len(w.next)
		w.step(nil)
		w.started = len(w.next) > before
	}
	if m.best {
		w.share()
	}
	m.finish(w)
	if w.started {
		m.admit(w)
	}
	if w.exact && m.quiet {
		m.sweep(r, in.At)
	}
	w.end()
}

// visit shows the event to those runs of a group that it may mean something to.
func (w *Worker) visit(g *group, may uint64) {
	s := &w.m.nfa.states[g.state]
	may &= s.looks
	if may == 0 && (s.still || !s.alert && !w.m.all) {
		return
	}
	if s.join != nil && may&^s.join.conds == 0 && w.file(g) {
		w.visitEqual(g)
		return
	}
	g.keep(w.goesOn)
}

// goesOn shows the event to a run and reports whether the run remains.
func (w *Worker) goesOn(q *run) bool {
	if w.m.quiet && !w.m.renew(q, w.at) {
		if !w.exact {
			w.open--
		}
		return false
	}
	return w.step(q)
}

func (w *Worker) begin(m *Machine, r *Runs, at time.Time) {
	w.m, w.r, w.at = m, r, at
	if n := len(m.nfa.states); len(w.marks) < n {
		w.marks = append(w.marks, make([]mark, n-len(w.marks))...)
	}
	w.Out, w.Err = w.Out[:0], nil
	w.started, w.forked = false, false
}

// end files the runs that are left and forgets all that would keep events alive.
func (w *Worker) end() {
	w.r.add(w.next)
	clear(w.next)
	clear(w.done)
	clear(w.over)
	w.next, w.done, w.over, w.took = w.next[:0], w.done[:0], w.over[:0], w.took[:0]
	w.in, w.conds, w.node, w.values = nil, nil, nil, nil
}

// step does for one run what the event allows: it follows Proceed edges to all
// the Take and Ignore edges that hold, and every one of those leaves a run or a
// match behind. A nil run is the one that is always waiting to begin. It reports
// whether the run itself is among what is left.
func (w *Worker) step(q *run) bool {
	states := w.m.nfa.states
	at, runs, took := w.m.nfa.start, len(w.next), len(w.took)
	e := test{w: w, truth: w.truth}
	if q != nil {
		at, e.bound = q.state, q.bound()
	}
	w.node, w.stays, w.from = nil, false, runs
	w.steps++
	e.step = w.steps
	stopped := false
	w.ways = w.ways[:0]
	w.way(at, e.step)
	for k := 0; k < len(w.ways); k++ {
		s := &states[w.ways[k]]
		for i := range s.edges {
			ed := &s.edges[i]
			if !e.holds(ed.when) {
				continue
			}
			switch {
			case ed.op == proceed && states[ed.to].kind == stop:
				stopped = true
			case ed.op == proceed:
				w.way(ed.to, e.step)
			case ed.op == take:
				w.take(q, int(ed.elem), ed.to, &e)
			case q != nil:
				w.pass(q, ed.to)
			}
		}
	}
	if stopped {
		w.next, w.took, w.stays = w.next[:runs], w.took[:took], false
	}
	w.settle(q)
	return w.stays
}

// settle counts what a step of q left behind and
// refuses what there is no room for. Whether there is depends on nothing but the
// runs that still have time: not on which of the others were looked at.
func (w *Worker) settle(q *run) {
	was, left := 0, len(w.next)-w.from
	if q != nil {
		was = 1
	}
	if w.stays {
		left++
	}
	if w.open-was+left > w.m.pol.MaxRuns && left > was {
		w.recount(q)
		if excess := min(w.open-was+left-w.m.pol.MaxRuns, len(w.next)-w.from); excess > 0 {
			w.Overflow += uint64(excess)
			w.next = w.next[:len(w.next)-excess]
			for len(w.took) > 0 && w.took[len(w.took)-1] >= len(w.next) {
				w.took = w.took[:len(w.took)-1]
			}
			left -= excess
		}
	}
	w.open += left - was
	w.forked = w.forked || left > 1
	if q != nil && left == 0 {
		w.r.roster = nil
	}
}

// recount leaves out of what is open the runs that ran out of time, which nobody
// may have looked at since. The event then takes them away.
func (w *Worker) recount(q *run) {
	if w.exact {
		return
	}
	w.exact, w.open = true, w.from
	w.r.all(func(o *run) {
		if o == q || !w.m.late(o.last(), w.at) {
			w.open++
		}
	})
}

// take binds the event to elem.
func (w *Worker) take(q *run, elem int, to int32, e *test) {
	next := run{start: start{ev: w.in.Hold()}, state: to}
	var prev *node
	if q != nil {
		if w.node == nil {
			w.m.trim(q)
		}
		next, prev = *q, q.head
		next.state = to
	}
	if w.node == nil || int(w.node.elem) != elem {
		w.node = w.m.nfa.bind(prev, w.in.Hold(), elem, w.values)
	}
	next.head = w.node
	if w.m.nfa.states[to].kind != final {
		w.took = append(w.took, len(w.next))
		w.next = append(w.next, next)
	}
	if w.ends(to, e) {
		w.complete(&next)
	}
}

// pass lets the event by.
func (w *Worker) pass(q *run, to int32) {
	if to == q.state && !w.stays {
		w.stays = true
		return
	}
	next := *q
	next.state = to
	if w.m.nfa.states[to].kind == final {
		w.complete(&next)
		return
	}
	w.next = append(w.next, next)
}

// complete notes a match. Where only the first of several will be given out, it
// keeps that one; otherwise no more than there may be runs.
func (w *Worker) complete(q *run) {
	d := Done{Bound: q.bound(), Start: q.start.ev, Trigger: w.in.Hold()}
	switch {
	case w.m.best && len(w.done) == 1:
		if first(d, w.done[0]) < 0 {
			w.done[0] = d
		}
	case len(w.done) < w.m.pol.MaxRuns:
		w.done = append(w.done, d)
	default:
		w.Overflow++
	}
}

package dfa

import (
	"cmp"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// lazily is the part of `within` by which what leaves without a trace may stay
// longer: the later it is seen to, the more there is at once.
const lazily = 8

// head gives the entry whose first start runs out of time first, and when.
func (s *State) head() (id uint32, at time.Time, ok bool) {
	for {
		order, id, ok := s.due.front()
		if !ok {
			return 0, time.Time{}, false
		}
		if e := s.keys.live(id); e != nil {
			if h := s.first(e); h.Order <= order {
				return id, s.m.due(h), true
			}
		}
		s.due.pop() // no longer open
	}
}

// Deadline says when Expire has something to do.
func (s *State) Deadline() (time.Time, bool) {
	_, at, ok := s.head()
	if ok && s.m.quiet {
		at = at.Add(s.m.pol.Within / lazily)
	}
	return at, ok
}

// Expire does what is due at the earliest deadline; where that has no outcome, all
// that is due by now.
func (s *State) Expire(t *engine.Turn, now time.Time) {
	t.Err = nil
	at := now
	if !s.m.quiet {
		_, first, ok := s.head()
		if !ok || first.After(now) {
			return
		}
		at = first
	}
	from := len(t.Out)
	w := scratch(t)
	for {
		id, due, ok := s.head()
		if !ok || due.After(at) {
			break
		}
		s.due.pop()
		w.begin(s.m, t, at)
		w.key = s.keys.key(id)
		w.take(s, s.keys.at(id))
		w.timeOut()
		s.file(w, nil, 0, id)
		w.end()
	}
	// Several keys may have been due at once.
	slices.SortStableFunc(t.Out[from:], func(a, b engine.Done) int {
		return cmp.Compare(began(&a).Order, began(&b).Order)
	})
}

// timeOut ends the partial matches whose time is over: it completes those that
// wait for just that, and gives out the others where the policy wants to hear of
// them.
func (w *worker) timeOut() {
	var ready []match
	for i := range w.old {
		g := &w.old[i]
		n := 0
		for ; n < len(g.members) && w.m.late(g.members[n].start, w.edge); n++ {
			q := &g.members[n]
			switch m := (match{Deadline: w.m.due(q.start)}); {
			case g.at.fires:
				m.Outcome, m.Pairs = engine.ByTime, q.pairs(nil, g.log)
				ready = append(ready, m)
			case w.m.pol.OnTimeout:
				m.Outcome, m.Pairs = engine.TimedOut, q.pairs(nil, g.log)
				w.over = append(w.over, m)
			}
		}
		if n > 0 {
			g.drop(n)
		}
		if len(g.members) > 0 {
			w.next = append(w.next, *g)
		}
	}
	w.release(ready)
	slices.SortStableFunc(w.over, first)
	for _, m := range w.over {
		w.give(m)
	}
}

package dfa

import "slices"

// admit holds the open starts of a key to the limit, and keeps what the event
// begins.
func (w *worker) admit() {
	if w.opened()+1 > w.m.pol.Limit {
		if !w.m.pol.DropOld {
			w.t.Rejected++
			return
		}
		w.t.Dropped++
		oldest := w.in.Order
		for i := range w.next {
			oldest = min(oldest, w.next[i].members[0].start.Order)
		}
		w.prune(oldest + 1)
	}
	w.forked = w.forked || len(w.fresh) > 1
	for _, mv := range w.fresh {
		if w.runs >= w.m.pol.MaxRuns {
			w.t.Overflow++
			continue
		}
		w.runs++
		w.began = true
		q := member{start: w.in.Hold(), elem: mv.elem}
		i := slices.IndexFunc(w.next, func(g group) bool { return g.at == mv.to })
		if i < 0 {
			w.next = append(w.next, group{at: mv.to, members: append(w.spare, q)})
			w.spare = nil
			continue
		}
		g := &w.next[i]
		q.cut = g.log.len()
		g.members = append(g.members, q)
	}
}

// opened counts the different starts that are open. It is exact where that
// decides whether one more may be.
func (w *worker) opened() int {
	all := 0
	for i := range w.next {
		all += len(w.next[i].members)
	}
	if all < w.m.pol.Limit || !w.forked || len(w.next) < 2 {
		return all
	}
	w.starts = w.starts[:0]
	for i := range w.next {
		for j := range w.next[i].members {
			w.starts = append(w.starts, w.next[i].members[j].start.Order)
		}
	}
	slices.Sort(w.starts)
	return len(slices.Compact(w.starts))
}

package automaton

// An event that meets no condition never changes what a run can still become, as a
// rule: where the pattern may go on in several ways, ignoring an event forks the run
// into one for each, which together wait for what it waited for. There are two
// exceptions, in which the event tears apart what stood or fell together. After
//
//	(a then b?) then not n then c
//
// has bound a, an n ends the run, for b need not come; but once some other event
// was ignored, one fork still waits for b, which n does not forbid, and another has
// gone past the group. This is so in Flink's NFA, which is shown every event, and the
// answers are to be the same. So is the second: of a run that time would complete,
// only the fork does complete that has gone on to the end, while the others run out
// of time.
//
// Which events a machine is shown must not depend on the index or on other rules. So
// a torn pattern is shown every event of keys that have something open.

// bans are conditions that end a run, in all states that Proceed edges lead to, the
// conditions that must fail for that, and whether time completes it.
type bans struct {
	nots, unless uint64
	fires        bool
}

// outcome is what is known of the states that ignoring an event leads to.
type outcome struct {
	any, torn, splits bool
	bans              // of one of them
}

// findTorn sets torn and splits. Both follow from the states that Proceed edges lead
// to, as a fixed point: patterns may have ten thousand states in a row.
func (n *NFA) findTorn() {
	ends := make([]bans, len(n.states))
	backwards(ends, func(i int) bans {
		b := ends[i]
		b.fires = n.states[i].fires
		for _, e := range n.states[i].edges {
			switch {
			case e.op != proceed:
			case n.states[e.to].kind == stop:
				for _, c := range e.when {
					b.nots |= c.pos
					b.unless |= c.neg
				}
			default:
				b.nots |= ends[e.to].nots
				b.unless |= ends[e.to].unless
			}
		}
		return b
	})
	outs := make([]outcome, len(n.states))
	backwards(outs, func(i int) outcome {
		o := outs[i]
		for _, e := range n.states[i].edges {
			switch {
			case e.op == ignore && n.states[e.to].kind != final:
				o = o.and(outcome{any: true, bans: ends[e.to]})
			case e.op == proceed:
				o = o.and(outs[e.to])
			}
		}
		return o
	})
	for i, o := range outs {
		if int32(i) != n.start { // what has not begun ignores nothing
			o = o.and(outcome{any: o.any, bans: ends[i]})
			n.torn, n.splits = n.torn || o.torn, n.splits || o.splits
		}
	}
}

// and joins what is known; states that differ are torn.
func (o outcome) and(p outcome) outcome {
	switch {
	case !p.any:
		return o
	case !o.any:
		return p
	}
	o.torn = o.torn || p.torn || o.nots != p.nots || o.unless != p.unless
	o.splits = o.splits || p.splits || o.fires != p.fires
	return o
}

// backwards works out what belongs to every state, from the last to the first, until
// nothing changes.
func backwards[T comparable](list []T, of func(i int) T) {
	for changed := true; changed; {
		changed = false
		for i := len(list) - 1; i >= 0; i-- {
			if next := of(i); next != list[i] {
				list[i], changed = next, true
			}
		}
	}
}

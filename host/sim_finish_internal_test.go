package host

import (
	"slices"
	"time"

	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// finish heals everything, has one node own each group, and lets that go on until
// nothing is left to do. Those who owned a group before do not know, and go on as
// well. Then all is checked.
func (w *simWorld) finish() {
	w.say("everything heals")
	w.calm = true
	w.model.Set(func(c *eventlogtest.Config) { c.Rates = eventlogtest.Rates{} })
	for _, n := range w.nodes {
		n.way.Cut(false)
		n.full, n.paused = false, false
	}
	if w.leases != nil {
		w.agree()
	}
	for !w.claims && w.model.Land() { // or a process would find them, and start over
	}
	for _, g := range w.groups {
		w.sound = false
		o := w.settle(g)
		if len(w.problems) > 0 {
			return
		}
		w.checkGroup(g, o)
	}
}

// settle has one owner bring a group to rest. Until then it may go from node to node
// a few times more.
func (w *simWorld) settle(g *simGroup) *simOwner {
	var o *simOwner
	moves := w.pick(3)
	for try := 0; try < 10 && len(w.problems) == 0; try++ {
		o = w.takeOver(g, w.nodes[w.pick(len(w.nodes))])
		if o.over {
			continue
		}
		for !o.over && !o.running {
			o.step()
		}
		if try < moves {
			if w.worn {
				g.variant ^= 1 // soon it is again what it was
			}
			w.rest(o, 5+w.pick(30))
			continue
		}
		w.sound = true
		if w.rest(o, 20_000) {
			return o
		}
		if len(w.problems) == 0 && !o.over {
			w.broken("%s does not come to rest: %d running, %d to be sent, position %v of %v", o, len(o.lane.running), len(o.lane.emits), o.lane.pos, o.log.Tail())
		}
	}
	if len(w.problems) == 0 {
		w.broken("group %d finds no owner", g.no)
	}
	return o
}

// rest lets an owner do all there is to do, and time pass when there is nothing, for
// so many rounds. It reports whether the owner lives to see the end.
func (w *simWorld) rest(o *simOwner, rounds int) bool {
	again := slices.DeleteFunc(slices.Clone(o.g.events), func(e *simEvent) bool {
		return e.acked || w.once(4) // or its client has given up
	})
	for batch := range slices.Chunk(again, 3) {
		o.submit(batch)
	}
	for range rounds {
		if o.over || len(w.problems) > 0 {
			return false
		}
		if !o.idle() {
			o.work()
			w.others(o)
			if len(w.deletes) > 0 && w.once(20) {
				w.landDelete()
			}
			if !w.sound && w.once(20) {
				w.letters(o.g)
			}
			continue
		}
		if o.lane.untilNext() > 1000*time.Hour {
			return true
		}
		w.now = o.sleeps
	}
	return false
}

// others lets somebody else take a step.
func (w *simWorld) others(than *simOwner) {
	if o := w.owners[w.pick(len(w.owners))]; o != than && o.running && w.once(5) {
		o.step()
	}
}

// work does everything once that can be done.
func (o *simOwner) work() {
	for i := range simSteps {
		if s := &simSteps[i]; !o.over && s.can(o) {
			o.do(s)
		}
	}
}

// idle reports whether there is nothing to do before time passes.
func (o *simOwner) idle() bool {
	l := o.lane
	unread := slices.ContainsFunc(o.g.sources, func(s *simSource) bool { r := o.reading[s]; return r == nil || r.next < s.lines })
	return !unread && !o.queued() && o.batch == nil && o.answer == nil && o.sends == nil && len(o.calls) == 0 &&
		o.joined == nil && o.job == nil && o.asked == nil && o.keeping == nil && l.idle() && len(l.ready) == 0 && o.w.now.Before(o.sleeps) &&
		l.inForce.Load().Digest == simDigest(o.g.variant)
}

// simDigest names a variant of the rules.
func simDigest(variant int) string {
	simCompiled.mu.Lock()
	defer simCompiled.mu.Unlock()
	if set := simCompiled.starts[variant]; set != nil {
		return set.Digest
	}
	return ""
}

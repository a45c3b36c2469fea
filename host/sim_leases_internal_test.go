package host

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/cluster/clustertest"
	"github.com/rhost/rhost/host/eventlog"
)

// simTTL is how long leases last. Nodes look four times as often.
const simTTL = 20 * time.Second

// simLeases is the table that nodes agree by, and their members, who decide who tries
// to own which group. Members have clocks of their own, each with its own idea of how
// long a second is; the servers have another, which decides when a lease ends.
type simLeases struct {
	w      *simWorld
	table  *clustertest.Table
	ahead  time.Duration // of the servers' clock
	timers []*simTimer
}

// simMember is a node's part in the leases.
type simMember struct {
	member *cluster.Member // nil: the process is not there
	client *clustertest.Client
	rate   float64   // of its clock
	next   time.Time // when it looks again
	back   time.Time // when it is started again
}

// simLease is what an owner has of a lease.
type simLease struct {
	ctx   context.Context //nolint:containedctx // of a lease, which an owner looks at step by step
	ended func(error)
	last  int // steps that it may still take when it hands over
}

func newSimLeases(w *simWorld) *simLeases {
	l := &simLeases{w: w}
	l.table = clustertest.NewAt(func() time.Time { return w.now.Add(l.ahead) })
	for _, n := range w.nodes {
		n.part = simMember{client: l.table.Client(), rate: []float64{1, 1, 0.9, 1.1, 1.15}[w.pick(5)], back: w.now}
	}
	return l
}

// simClock is a member's clock.
type simClock struct {
	leases *simLeases
	node   *simNode
}

func (c simClock) Now() time.Time {
	return testDay.Add(time.Duration(float64(c.leases.w.now.Sub(testDay)) * c.node.part.rate))
}

func (c simClock) AfterFunc(d time.Duration, f func()) cluster.Timer {
	t := &simTimer{clock: c, fn: f}
	c.leases.timers = append(c.leases.timers, t)
	t.Reset(d)
	return t
}

// simTimer is a timer of a member.
type simTimer struct {
	clock simClock
	at    time.Time
	fn    func()
	set   bool
}

func (t *simTimer) Stop() bool {
	was := t.set
	t.set = false
	return was
}

func (t *simTimer) Reset(d time.Duration) bool {
	was := t.set
	t.at, t.set = t.clock.Now().Add(d), true
	return was
}

// pass lets time pass. Members look meanwhile, and timers end.
func (w *simWorld) pass(d time.Duration) {
	for w.leases != nil && d > 0 {
		step := min(d, simTTL/8)
		w.now, d = w.now.Add(step), d-step
		w.leases.look()
	}
	w.now = w.now.Add(d)
}

// look has those look whose time it is.
func (l *simLeases) look() {
	l.timers = slices.DeleteFunc(l.timers, func(t *simTimer) bool { return !t.set })
	for _, t := range slices.Clone(l.timers) {
		if t.set && !t.clock.node.paused && !t.clock.Now().Before(t.at) {
			t.set = false
			t.fn()
		}
	}
	for _, n := range l.w.nodes {
		p := &n.part
		if n.paused || l.w.now.Before(p.back) || l.w.now.Before(p.next) {
			continue
		}
		if p.member == nil {
			l.join(n)
		}
		p.next = l.w.now.Add(simTTL / 4)
		p.member.Turn(simCtx)
	}
}

// join starts the process of a node.
func (l *simLeases) join(n *simNode) {
	w := l.w
	var p *cluster.Member
	p, err := cluster.NewMember(cluster.Config{
		Node: cluster.Node{Name: strings.ToLower(n.name)}, Groups: len(w.groups), Leases: n.part.client, TTL: simTTL, Settle: simTTL / 2,
		Sole: true, Clock: simClock{l, n},
		Start: func(ctx context.Context, group int, epoch uint64, ended func(error)) {
			if n.part.member == p {
				l.owns(n, w.groups[group], epoch, simLease{ctx: ctx, ended: ended, last: 5 + w.pick(40)})
			}
		},
	})
	if err != nil {
		w.broken("a node cannot join: %v", err)
		return
	}
	n.part.member = p
	w.say("node %s joins", n.name)
}

// owns is the begin of a group's run on a node.
func (l *simLeases) owns(n *simNode, g *simGroup, epoch uint64, lease simLease) {
	w := l.w
	if slices.ContainsFunc(w.owners, func(o *simOwner) bool { return o.g == g && o.node != n }) {
		w.did["two nodes owned a group at a time"]++
	}
	if epoch <= g.epoch {
		w.broken("group %d has the epoch %d after %d", g.no, epoch, g.epoch)
	}
	g.epoch = epoch
	w.say("node %s has the lease of group %d, epoch %d", n.name, g.no, epoch)
	w.did["a lease decided who owns a group"]++
	w.begin(&simOwner{w: w, g: g, node: n, epoch: epoch, lease: lease})
}

// leaves reports whether the owner's lease is over, and if so lets it do what it still
// may: an owner that hands over takes its time, one that has lost its lease stops.
func (o *simOwner) leaves() bool {
	l := &o.lease
	if l.ctx == nil || l.ctx.Err() == nil {
		return false
	}
	if cause := context.Cause(l.ctx); errors.Is(cause, cluster.ErrLost) {
		o.w.did["a lease was lost"]++
		o.end(cause)
		return true
	}
	if l.last--; l.last > 0 && o.running {
		return false
	}
	o.w.did["a group was handed over"]++
	o.end(nil)
	return true
}

// release tells the member that its group is not run any more.
func (l *simLease) release(err error) {
	if l.ctx == nil {
		return
	}
	if errors.Is(err, eventlog.ErrFenced) {
		err = cluster.ErrLost
	}
	l.ctx = nil
	l.ended(err)
}

// mischief is what may happen to leases.
func (w *simWorld) mischief() {
	n := w.nodes[w.pick(len(w.nodes))]
	switch k := w.pick(6); {
	case k < 3:
		lost := 1 + w.pick(6)
		n.part.client.Lose(lost)
		w.say("node %s loses the next %d answers about leases", n.name, lost)
	case k < 5:
		if n.part.member != nil {
			drain := w.once(2)
			n.part.member.Drain(drain)
			w.say("node %s drains: %t", n.name, drain)
		}
	default:
		w.leases.ahead += []time.Duration{-simTTL / 2, simTTL / 2, simTTL}[w.pick(3)]
		w.say("the servers' clock is ahead by %v", w.leases.ahead)
	}
}

// agree has nodes find out who owns what, once nothing goes wrong any more: in a few
// lives of a lease there must be one owner of each group.
func (w *simWorld) agree() {
	for _, n := range w.nodes {
		n.part.client.Cut(false)
		n.part.client.Lose(0)
		if n.part.member != nil {
			n.part.member.Drain(false)
		}
	}
	for range 12 * 8 {
		w.pass(simTTL / 8)
		for _, o := range w.living() {
			for range 3 {
				if !o.over {
					o.step()
				}
			}
		}
		if len(w.problems) > 0 {
			return
		}
	}
	for _, g := range w.groups {
		var list []*simOwner
		for _, o := range w.owners {
			if o.g == g && o.running && o.lease.ctx != nil {
				list = append(list, o)
			}
		}
		if len(list) != 1 {
			w.broken("with leases alone, group %d is owned by %v", g.no, list)
		}
	}
	w.leases = nil // from here on, groups go from node to node as the end of a schedule wants it
	for _, o := range w.owners {
		o.lease = simLease{}
	}
}

package host

import (
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// A simWorld is a few nodes and the groups that they own in turn, with clients,
// sources and actions, on servers that misbehave. It runs in one goroutine and reads
// no clock: what happens next is drawn from the seed, each time one small step of
// somebody. The lanes, the logs and the committers are the real ones.
type simWorld struct {
	seed    uint64
	rng     *rand.Rand
	plant   simPlant
	model   *eventlogtest.Model
	now     time.Time
	worn    bool       // snapshots are taken often, and little is kept
	claims  bool       // groups are claimed when they are taken over
	leases  *simLeases // nil: groups change hands without
	nodes   []*simNode
	groups  []*simGroup
	owners  []*simOwner // those that live, in the order of their start
	started uint64      // owners so far
	steps   int
	real    bool           // on the real engine
	calm    bool           // nothing goes wrong any more with nodes and servers
	deletes []func() error // of blobs, that the servers have not heard of yet
	sound   bool           // nor with actions

	did      map[string]int   // how often something happened that is worth knowing
	trace    *strings.Builder // nil: nobody reads it
	problems []string
}

// simNode is a machine.
type simNode struct {
	name   string
	way    *eventlogtest.Node
	skew   time.Duration // of its clock
	full   bool          // its disk is
	paused bool
	part   simMember // in the leases
}

// simGroup is a group, with all that is outside of the log.
type simGroup struct {
	no      int
	w       *simWorld
	epoch   uint64
	variant int // of its rules, on every node
	lanes   int // that whoever starts next spreads its events over
	events  []*simEvent
	sources []*simSource
	calls   []simDone           // of actions, by whichever owner
	blobs   map[string][]byte   // that were ever stored, by digest
	told    map[string]int      // messages that were published
	sent    map[simFrame]uint64 // who sent what is stored there
	ev, run *simHistory

	// A matcher was made anew from what was left of the log: what patterns and windows
	// had open by then is not known.
	rebuilt bool
}

// simPlant is a bug that is planted.
type simPlant int

const (
	plantNothing simPlant = iota
	plantNoFence
	plantEarlyAck
	plantSnapshotAhead
	plantLostTimer
	plantEarlyStart
	plantNoDedup
	plantForgottenEmits
	plantLanesBehind
	plantSweepNamed
	plantPurgeAhead
	plantDeleteUnfenced
)

func (p simPlant) String() string {
	return [...]string{
		"nothing", "missing fence", "early ack", "snapshot ahead of its checkpoint", "lost timer",
		"command started before its intent is on disk", "duplicates forgotten at take-over", "emitted events forgotten at take-over",
		"cursor ahead of the lanes in a snapshot", "sweep of a blob that is still named", "purge above the oldest snapshot",
		"delete of a blob that another owner has stored again",
	}[p]
}

func newSimWorld(seed uint64, plant simPlant) *simWorld {
	w := &simWorld{seed: seed, rng: rand.New(rand.NewPCG(seed, 5)), plant: plant, now: testDay, did: make(map[string]int)}
	rates := []eventlogtest.Rates{{}, {AckLost: 20, Late: 20, Lost: 10, Undone: 15, Refused: 5, Unread: 5}, eventlogtest.Stormy}
	w.model = eventlogtest.New(eventlogtest.Config{
		Choose: w.pick, Rates: rates[w.pick(3)], NoFence: plant == plantNoFence, AckEarly: plant == plantEarlyAck,
	})
	nodes := []int{1, 3, 3, 4, 5}[w.pick(5)]
	w.claims = nodes > 1
	w.worn = w.once(3)
	for i := range nodes {
		w.nodes = append(w.nodes, &simNode{name: string(rune('A' + i)), way: w.model.Node()})
	}
	if w.claims && !w.once(4) {
		w.leases = newSimLeases(w)
	}
	for i := range 1 + w.pick(2) {
		g := &simGroup{
			no: i, w: w, lanes: w.drawLanes(), blobs: make(map[string][]byte), told: make(map[string]int), sent: make(map[simFrame]uint64),
		}
		g.ev, g.run = newSimHistory(w.model, g, true), newSimHistory(w.model, g, false)
		for s := range w.pick(3) {
			g.sources = append(g.sources, &simSource{name: fmt.Sprint("source", s), lines: 5 + w.pick(20)})
		}
		w.groups = append(w.groups, g)
	}
	return w
}

// drawLanes draws a number of lanes. Most groups have one for a while.
func (w *simWorld) drawLanes() int { return []int{1, 1, 2, 3, 5}[w.pick(5)] }

// pick draws one of n.
func (w *simWorld) pick(n int) int { return w.rng.IntN(n) }

// seldom draws what happens now and then, in some worlds more often.
func (w *simWorld) seldom() bool { return w.worn || w.once(8) }

// once draws what happens once in n times.
func (w *simWorld) once(n int) bool { return w.rng.IntN(n) == 0 }

func (w *simWorld) say(format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%5d %s  ", w.steps, w.now.Sub(testDay).Round(time.Millisecond))
		w.trace.WriteString(unnamed(fmt.Sprintf(format, args...)) + "\n")
	}
}

// unnamed leaves digests out, which are not the same each time: what a snapshot has of
// a map it has in any order.
func unnamed(text string) string { return digests.ReplaceAllString(text, "sha256:…") }

// broken notes a promise that was not kept.
func (w *simWorld) broken(format string, args ...any) {
	text := unnamed(fmt.Sprintf(format, args...))
	w.say("BROKEN: %s", text)
	w.problems = append(w.problems, text)
}

// simQuiet discards what lanes log.
var simQuiet = slog.New(slog.DiscardHandler)

// clock is the time on a node.
func (n *simNode) clock(w *simWorld) func() time.Time {
	return func() time.Time { return w.now.Add(n.skew) }
}

// run runs the schedule of the seed to its end and checks what came of it.
func (w *simWorld) run() {
	defer func() {
		for _, o := range w.living() {
			o.end(nil)
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			w.broken("panic: %v", p)
			if w.trace != nil {
				panic(p)
			}
		}
	}()
	if w.worn {
		w.past()
	}
	for n := 150 + w.pick(250); w.steps < n && len(w.problems) == 0; w.steps++ {
		w.pass(time.Duration(w.pick(100)) * time.Millisecond)
		w.step()
	}
	if len(w.problems) == 0 {
		w.finish()
	}
}

// past gives groups a log that has seen something: snapshots, and a beginning that is
// gone.
func (w *simWorld) past() {
	for _, g := range w.groups {
		o := w.firstOf(g)
		for range 15 + w.pick(25) {
			if o.over || len(w.problems) > 0 {
				break
			}
			if !o.running {
				o.step()
				continue
			}
			w.pass(time.Duration(w.pick(3000)) * time.Millisecond)
			w.stepClient(g)
			o.work()
		}
	}
}

// firstOf gives a group its first owner.
func (w *simWorld) firstOf(g *simGroup) *simOwner {
	if w.leases == nil {
		return w.takeOver(g, w.nodes[w.pick(len(w.nodes))])
	}
	for range 100 {
		if o := w.ownerOf(g); o != nil {
			return o
		}
		w.pass(simTTL / 8)
	}
	w.broken("nobody owns group %d", g.no)
	return &simOwner{over: true}
}

// step lets something happen.
func (w *simWorld) step() {
	g := w.groups[w.pick(len(w.groups))]
	switch k := w.pick(100); {
	case k < 60:
		w.stepOwner(g)
	case k < 76:
		w.stepClient(g)
	case k < 82:
		d := []time.Duration{time.Second, 3 * time.Second, 10 * time.Second, time.Minute}[w.pick(4)]
		w.pass(d)
	case k < 83 && len(w.deletes) > 0:
		w.landDelete()
	case k < 84:
		if w.model.Land() {
			w.did["a message arrived late"]++
			w.say("a message arrives late")
		}
	case k < 87 && w.leases != nil:
		w.mischief()
	case k < 87:
		w.takeOver(g, w.nodes[w.pick(len(w.nodes))])
	case k < 89:
		w.crash(w.nodes[w.pick(len(w.nodes))])
	case k < 90:
		w.powerCut()
	default:
		w.mishap(g, k)
	}
}

// landDelete has the servers hear of a delete that was held up. Nobody hears of them.
func (w *simWorld) landDelete() {
	at := w.pick(len(w.deletes))
	w.say("a delete of a blob arrives late")
	w.did["a delete arrived late"]++
	if err := w.deletes[at](); err == nil {
		w.deletes = slices.Delete(w.deletes, at, at+1)
	}
}

// mishap is what happens more seldom.
func (w *simWorld) mishap(g *simGroup, k int) {
	n := w.nodes[w.pick(len(w.nodes))]
	switch {
	case k < 92:
		cut := !w.once(3)
		n.way.Cut(cut)
		if w.leases != nil {
			n.part.client.Cut(cut)
		}
		w.say("node %s cut off: %t", n.name, cut)
	case k < 94:
		n.paused = !n.paused && !w.once(3)
		w.say("node %s paused: %t", n.name, n.paused)
	case k < 95:
		n.skew = []time.Duration{0, 2 * time.Second, -2 * time.Second, time.Minute, -time.Minute, 20 * time.Minute, -20 * time.Minute}[w.pick(7)]
		w.say("the clock of node %s is off by %v", n.name, n.skew)
	case k < 96:
		n.full = !n.full && !w.once(3)
		w.say("the disk of node %s is full: %t", n.name, n.full)
	case k < 98 && w.once(2) && (w.worn || w.once(2)):
		g.lanes = w.drawLanes()
		w.say("group %d gets %d lanes", g.no, g.lanes)
	case k < 98:
		g.variant = w.pick(simVariants)
		if w.worn {
			g.variant &= 1 // what was in force comes again
		}
		w.say("group %d gets the rules %d", g.no, g.variant)
	case w.worn || w.once(10):
		w.loseSnapshot(g)
	default:
		w.letters(g)
	}
}

// letters redrives or drops what has failed.
func (w *simWorld) letters(g *simGroup) {
	o := w.ownerOf(g)
	if o == nil || o.lane == nil || !o.running {
		return
	}
	o.mortal(func() { w.lettersOf(o) })
}

func (w *simWorld) lettersOf(o *simOwner) {
	for _, d := range o.lane.flows.DeadLetters() {
		redrive := w.once(2)
		w.say("%s letter %s, again: %t", o, d.Execution, redrive)
		w.did["a dead letter was looked at"]++
		if redrive {
			o.check(o.lane.redrive(simCtx, d.Execution))
		} else {
			o.check(o.lane.discard(simCtx, d.Execution))
		}
	}
	o.settle()
}

// crash ends every process of a node.
func (w *simWorld) crash(n *simNode) {
	w.say("node %s crashes", n.name)
	n.part.member, n.part.back = nil, w.now.Add(time.Duration(w.pick(15))*time.Second)
	for _, o := range w.living() {
		if o.node == n {
			o.end(nil)
		}
	}
}

// powerCut takes what is not synced, and the processes of some nodes.
func (w *simWorld) powerCut() {
	w.say("power cut")
	w.model.Crash()
	for _, n := range w.nodes {
		if len(w.nodes) == 1 || w.once(3) {
			w.crash(n)
		}
	}
}

// living are the owners, which may end meanwhile.
func (w *simWorld) living() []*simOwner { return append([]*simOwner(nil), w.owners...) }

// ownerOf draws one of those who believe they own a group.
func (w *simWorld) ownerOf(g *simGroup) *simOwner {
	var list []*simOwner
	for _, o := range w.owners {
		if o.g == g && !o.node.paused {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[w.pick(len(list))]
}

// stepOwner has an owner do one thing. A group that has none gets one before long.
func (w *simWorld) stepOwner(g *simGroup) {
	o := w.ownerOf(g)
	switch {
	case o != nil:
		o.step()
	case w.leases == nil:
		w.takeOver(g, w.nodes[w.pick(len(w.nodes))])
	}
}

// takeOver has a node begin to take a group over. The owner before goes on, unless
// it is a process of the same node. A node that is paused takes nothing.
func (w *simWorld) takeOver(g *simGroup, n *simNode) *simOwner {
	if n.paused {
		return nil
	}
	for _, o := range w.living() {
		if o.g == g && (o.node == n || !w.claims) {
			o.end(nil)
		}
	}
	g.epoch++
	return w.begin(&simOwner{w: w, g: g, node: n, epoch: g.epoch})
}

// begin begins the life of an owner.
func (w *simWorld) begin(o *simOwner) *simOwner {
	w.started++
	o.id = w.started
	w.owners = append(w.owners, o)
	o.open()
	return o
}

// fingerprint tells two runs apart.
func (w *simWorld) fingerprint() uint64 {
	h := fnv.New64a()
	if w.trace != nil {
		_, _ = io.WriteString(h, w.trace.String())
	}
	for _, g := range w.groups {
		for _, hist := range []*simHistory{g.ev, g.run} {
			for i := range hist.frames {
				_, _ = fmt.Fprint(h, hist.frames[i].Seq, hist.frames[i].Sum)
			}
		}
	}
	return h.Sum64()
}

package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

var simCtx = context.Background()

// simOwner is one process that owns a group, or believes it does: the real log,
// committer and lane, and in the place of each of their goroutines what it has in
// hand. It takes one step at a time.
type simOwner struct {
	w       *simWorld
	g       *simGroup
	node    *simNode
	id      uint64
	log     *eventlog.Log // nil: not open yet
	lane    *lane         // nil: not claimed yet
	admit   *admission
	clock   *clock
	reads   int // of streams that go well before one fails; 0: all do
	claimed bool
	running bool // recovered
	over    bool

	sleeps    time.Time         // until when the lane's timer does
	batch     *batch            // taken to be written
	answer    *ack              // of the batch that was written
	sends     []emitted         // taken to be sent
	sending   *eventlog.Pending // of those
	joining   cep.Compaction
	joined    *joined
	calls     []*simCall
	job       *snapshotJob
	sealed    *sealed
	kept      bool // the bytes of the snapshot are
	asked     chan error
	requests  []*simRequest
	rules     *eventlog.Pending // a revision under way
	set       *RuleSet          // which it puts in force
	forgotten bool              // the timers from before the take-over, where that is planted
	reading   map[*simSource]*simReading
}

func (o *simOwner) String() string { return fmt.Sprintf("%s/%d#%d", o.node.name, o.g.no, o.id) }

func (o *simOwner) say(format string, args ...any) {
	if o.w.trace != nil {
		o.w.say("%s "+format, append([]any{o}, args...)...)
	}
}

// simPatience is a context in which nobody waits: the first wait ends it, and with
// it what would have been tried again.
type simPatience struct {
	context.Context
	over bool
}

func (p *simPatience) Done() <-chan struct{} {
	p.over = true
	ended := make(chan struct{})
	close(ended)
	return ended
}

func (p *simPatience) Err() error {
	if p.over {
		return context.Canceled
	}
	return nil
}

// open opens the log.
func (o *simOwner) open() {
	began := o.w.now
	o.clock = &clock{wall: o.node.clock(o.w), elapsed: func() time.Duration { return o.w.now.Sub(began) }}
	c := eventlog.Config{Writer: o.id, Now: o.clock.now, MinFree: 2, RecentBytes: 1 << 14}
	if o.w.plant == plantNoDedup && o.g.epoch > 0 {
		c.DedupRecords = 1
	}
	var err error
	o.log, err = eventlog.OpenStore(simCtx, simStore{o.node.way.Store(o.g.no), o}, c)
	o.say("opens the log: %v", err)
	o.check(err)
}

// claim takes the group over, where several want it.
func (o *simOwner) claim() {
	o.g.epoch++
	if o.w.claims {
		err := o.log.Claim(simCtx, o.node.name, o.g.epoch)
		o.say("claims with epoch %d: %v", o.g.epoch, err)
		if !o.check(err) {
			return
		}
	}
	o.claimed = true
}

// start recovers the lane.
func (o *simOwner) start() {
	if !o.setClock() {
		return
	}
	held := newHeldBlobs(o.log)
	held.now = o.clock.now
	lib := newRuleLibrary(held)
	if !o.w.once(8) {
		simCompiled.tell(lib, o.g.variant)
	}
	o.lane = newLane(laneParts{
		tenant: "default", log: o.log, blobs: held, lib: lib, hub: notify.NewHub(), state: newState(), start: o.begin,
		ticks: true, logger: simQuiet, now: o.clock.now, snapshots: logSnapshots{held},
		newLog: func() string { return "origin" + strconv.Itoa(o.g.no) },
	})
	o.lane.snaps.every = time.Hour // of real time, which decides nothing here
	o.admit = &admission{tenant: "default", log: o.log, now: o.clock.now}
	o.reading = make(map[*simSource]*simReading)
	// The log is read by a goroutine of its own, which must draw nothing: whether
	// that fails is drawn before.
	var unread int
	o.w.model.Set(func(c *eventlogtest.Config) { unread, c.Rates.Unread = c.Rates.Unread, 0 })
	if unread > 0 && o.w.pick(1000) < 5*unread {
		o.reads = 1 + o.w.pick(30)
	}
	err := o.lane.recover(simCtx)
	o.w.model.Set(func(c *eventlogtest.Config) { c.Rates.Unread = unread })
	o.reads = 0
	if o.w.trace != nil {
		from := "nothing"
		if l := o.lane.snaps.latest; l != nil {
			from = fmt.Sprintf("the snapshot of %v and frame %d of RUN", l.position(), l.Run)
		}
		o.say("recovers from %s to %v and frame %d of RUN: %v", from, o.log.Tail(), o.log.RunLog().Tail(), err)
	}
	if !o.check(err) {
		return
	}
	switch o.w.plant {
	case plantLostTimer:
		_, o.forgotten = o.lane.flows.NextTimer()
	case plantForgottenEmits:
		o.lane.emits = nil
	default:
	}
	if o.lane.snaps.latest != nil {
		o.w.did["a lane was recovered from a snapshot"]++
	}
	if o.log.First().Frame > 1 && o.log.RunLog().First() > 1 {
		o.w.did["a lane was recovered from a log whose start is gone"]++
	}
	if n := len(o.lane.emits); n > 0 {
		o.w.did["emitted events were sent after a take-over"]++
	}
	o.running = true
	o.settle()
}

// setClock sets the clock to where the log is, as a host does that starts.
func (o *simOwner) setClock() bool {
	tail := o.log.Tail()
	if tail.Frame == 0 {
		return true
	}
	last, err := timeOf(simCtx, o.log, tail.Frame)
	o.clock.atLeast(last)
	return o.check(err)
}

// check ends the owner when err is not nil, and reports whether it lives. Some
// errors no owner may ever end with.
func (o *simOwner) check(err error) bool {
	if err == nil {
		return true
	}
	var damage *eventlog.CorruptError
	known := false
	for _, usual := range []error{
		eventlog.ErrFenced, eventlog.ErrUncertain, eventlog.ErrUnavailable, eventlog.ErrDiskFull, eventlog.ErrClosed,
		eventlog.ErrOutside, context.Canceled,
	} {
		known = known || errors.Is(err, usual)
	}
	if errors.As(err, &damage) || !known {
		o.w.broken("%s ends with: %v", o, err)
	}
	o.end(err)
	return false
}

// end is the end of the process. What it had in hand is gone.
func (o *simOwner) end(err error) {
	if o.over {
		return
	}
	o.say("ends: %v", err)
	if errors.Is(err, eventlog.ErrFenced) {
		o.w.did["an owner was fenced"]++
	}
	o.over = true
	o.w.owners = slices.DeleteFunc(o.w.owners, func(other *simOwner) bool { return other == o })
	for _, r := range o.requests {
		o.answered(r)
	}
}

// settle is what the lane does after each step, and takes what it gives out.
func (o *simOwner) settle() {
	if o.over || !o.running {
		return
	}
	l := o.lane
	l.settle()
	o.sleeps = o.w.now.Add(l.untilNext())
	select {
	case o.batch = <-l.commits:
		if o.w.plant == plantEarlyStart {
			l.ready = append(l.ready, o.batch.commands...)
			o.batch.commands = nil
			l.settle()
		}
	default:
	}
	select {
	case o.sends = <-l.sends:
	default:
	}
	select {
	case o.joining = <-l.joins:
		o.joined = &joined{}
	default:
	}
	select {
	case o.job = <-l.snaps.jobs:
		if o.w.plant == plantSnapshotAhead {
			o.ahead()
		}
	default:
	}
}

// ahead plants a snapshot that does not wait for its batch.
func (o *simOwner) ahead() {
	l := o.lane
	o.job.capture.tail.run = o.log.RunLog().Tail()
	o.job.capture.tailBefore = nil
	close(o.job.acked)
	for _, b := range append([]*batch{o.batch, l.flying}, l.outbox.full...) {
		if b != nil && b.snap == o.job {
			b.snap = nil
		}
	}
}

// simStep is one thing that an owner can do next.
type simStep struct {
	name string
	can  func(*simOwner) bool
	do   func(*simOwner)
}

// simSteps are what the goroutines of a process do, a piece at a time.
var simSteps = []simStep{
	{"commits", func(o *simOwner) bool { return o.queued() }, (*simOwner).commitEvents},
	{"writes", func(o *simOwner) bool { return o.batch != nil }, (*simOwner).write},
	{"acks", func(o *simOwner) bool { return o.answer != nil }, (*simOwner).ack},
	{"takes", func(o *simOwner) bool { return !o.lane.full() && o.lane.pos != o.log.Tail() }, (*simOwner).feed},
	{"sends", func(o *simOwner) bool { return o.sends != nil && o.sending == nil }, (*simOwner).send},
	{"has sent", func(o *simOwner) bool { return o.sending != nil }, (*simOwner).sent},
	{"calls", func(o *simOwner) bool { return o.callAt(false) >= 0 }, (*simOwner).call},
	{"hears", func(o *simOwner) bool { return o.callAt(true) >= 0 }, (*simOwner).hear},
	{"wakes", func(o *simOwner) bool { return !o.w.now.Before(o.sleeps) }, (*simOwner).wake},
	{"joins", func(o *simOwner) bool { return o.joined != nil }, (*simOwner).join},
	{"snapshot", func(o *simOwner) bool { return o.job != nil || o.w.once(8) }, (*simOwner).snapshot},
	{"reads", func(o *simOwner) bool { return true }, (*simOwner).readSources},
	{"rules", func(o *simOwner) bool { return true }, (*simOwner).putRules},
	{"answers", func(o *simOwner) bool { return true }, (*simOwner).poll},
}

// step takes one of the steps that can be taken.
func (o *simOwner) step() {
	switch {
	case !o.claimed:
		o.claim()
		return
	case !o.running:
		o.start()
		return
	}
	at := o.w.pick(len(simSteps))
	for i := range simSteps {
		if s := &simSteps[(at+i)%len(simSteps)]; s.can(o) {
			s.do(o)
			o.settle()
			return
		}
	}
}

func (o *simOwner) queued() bool {
	return o.sending != nil || o.rules != nil || slices.ContainsFunc(o.requests, func(r *simRequest) bool { return r.pending != nil }) ||
		slices.ContainsFunc(o.g.sources, func(s *simSource) bool { r := o.reading[s]; return r != nil && r.pending != nil })
}

func (o *simOwner) commitEvents() {
	did, err := o.log.Committer().Step(simCtx)
	if did {
		o.say("commits to EV up to %v: %v", o.log.Tail(), err)
	}
	if errors.Is(err, eventlog.ErrClosed) {
		err = nil // it told why before
	}
	if err != nil {
		o.poll() // whoever waits is told before the process ends
	}
	o.check(err)
}

// write writes a batch to RUN. While the disk is full it is tried again.
func (o *simOwner) write() {
	seq, err := o.lane.write(&simPatience{Context: simCtx}, o.batch.recs)
	o.say("writes %d records to RUN as frame %d: %v", len(o.batch.recs), seq, err)
	if errors.Is(err, context.Canceled) {
		o.w.did["a batch waited for room"]++
		return
	}
	o.answer, o.batch = &ack{batch: o.batch, seq: seq, err: err}, nil
}

func (o *simOwner) ack() {
	a := *o.answer
	o.answer = nil
	if a.err == nil {
		o.g.publish(a.batch.messages)
	}
	o.check(o.lane.onAck(a))
}

// errSimEnough ends a reading after one frame.
var errSimEnough = errors.New("enough")

func (o *simOwner) feed() {
	err := o.log.Read(simCtx, o.lane.pos.Next(), func(f *eventlog.Frame) error {
		err := o.lane.onFrame(&simPatience{Context: simCtx}, f)
		o.say("decides frame %d of EV: %v", f.Seq, err)
		return errors.Join(errSimEnough, err)
	})
	if joint, ok := err.(interface{ Unwrap() []error }); ok && errors.Is(err, errSimEnough) { //nolint:errorlint // made a line above
		err = errors.Join(joint.Unwrap()[1:]...)
	}
	o.check(err)
}

func (o *simOwner) send() {
	recs := make([]eventlog.Record, len(o.sends))
	for i := range o.sends {
		recs[i] = o.lane.sendable(&o.sends[i])
	}
	pending, err := o.log.Committer().Submit(recs)
	if errors.Is(err, eventlog.ErrFull) {
		return
	}
	o.sending = pending
	if err != nil {
		o.check(o.lane.onSent(simCtx, err))
	}
}

func (o *simOwner) sent() {
	_, done, err := o.sending.Poll()
	if !done {
		return
	}
	o.sending = nil
	if errors.Is(err, eventlog.ErrDiskFull) {
		return // and again
	}
	o.say("has sent %d events to EV: %v", len(o.sends), err)
	o.sends = nil
	o.check(o.lane.onSent(simCtx, err))
}

// wake is the lane's timer.
func (o *simOwner) wake() {
	at, waits := o.lane.flows.NextTimer()
	if now := o.lane.now(); o.forgotten && waits && !at.After(now) {
		o.say("forgets its timers")
		o.lane.flows.Tick(now) // and nobody hears of it
		o.forgotten = false
	}
	o.say("wakes")
	o.check(o.lane.onTimer(simCtx))
}

func (o *simOwner) join() {
	o.joined.c, o.joined.err = o.joining, o.joining.Run()
	o.lane.onJoined(*o.joined)
	o.joined = nil
}

// snapshot goes on with a snapshot, or asks for one, or lets go of what the oldest
// that is kept does not need.
func (o *simOwner) snapshot() {
	l := o.lane
	switch {
	case o.job == nil && o.asked == nil && o.w.once(2):
		o.asked = make(chan error, 1)
		l.snaps.asked = append(l.snaps.asked, o.asked)
	case o.job == nil:
		if o.w.once(2) {
			o.release()
		}
	case o.sealed == nil:
		select {
		case <-o.job.acked:
		default:
			return
		}
		s, err := l.seal(simCtx, o.job)
		if o.sealed = s; err != nil {
			o.snapshotEnds(err)
		}
	case !o.kept:
		if err := l.keepSealed(simCtx, o.sealed); err != nil {
			o.snapshotEnds(err)
			return
		}
		o.kept = true
	default:
		o.snapshotEnds(l.noteSealed(simCtx, o.sealed))
	}
}

func (o *simOwner) snapshotEnds(err error) {
	end := snapshotEnd{job: o.job, err: err}
	if err == nil {
		end.note = o.sealed.note
		o.say("publishes a snapshot of %v and frame %d of RUN", end.note.position(), end.note.Run)
	} else {
		o.say("has no snapshot: %v", err)
	}
	o.lane.onSnapshot(end)
	o.job, o.sealed, o.kept, o.asked = nil, nil, false, nil
}

// release lets go of what no kept snapshot needs.
func (o *simOwner) release() {
	notes, err := o.lane.snaps.store.NewestSnapshots(simCtx, keptSnapshots)
	if err != nil || len(notes) < 2 {
		return
	}
	ev, run := eventlog.Position{Frame: 1 << 60}, uint64(1<<60)
	for _, n := range notes {
		note, err := readNote(n.body)
		if n.err != nil || err != nil {
			return
		}
		if note.position().Compare(ev) < 0 {
			ev = note.position()
		}
		run = min(run, note.Run)
	}
	o.g.ev.mustRead(o.w, ev.Frame)
	o.g.run.mustRead(o.w, run)
	err = o.log.Release(simCtx, ev, run)
	if err == nil {
		o.w.did["the start of a log was released"]++
	}
	o.say("releases EV below %v and RUN below %d: %v", ev, run, err)
}

func (h *simHistory) mustRead(w *simWorld, to uint64) {
	if err := h.read(to); err != nil {
		w.broken("a stream is damaged: %v", err)
	}
}

// putRules puts the rules of the app folder in force, if others are.
func (o *simOwner) putRules() {
	l := o.lane
	if o.rules != nil {
		_, done, err := o.rules.Poll()
		if !done {
			return
		}
		o.rules = nil
		if err != nil {
			l.lib.forget(o.set)
		} else if l.inForce.Load().row != "" {
			o.w.did["rules were edited"]++
		}
		o.set = nil
		return
	}
	was := l.inForce.Load()
	if was.row != "" && o.w.pick(4) > 0 && !o.w.calm || l.pos != o.log.Tail() {
		return
	}
	set, err := simCompiled.update(was, o.g.variant)
	if err != nil {
		o.w.broken("rules: %v", err)
		return
	}
	if set.Digest == was.Digest {
		return
	}
	if err = l.lib.keep(simCtx, set); err == nil {
		o.set = set
		o.rules, err = o.log.Committer().Submit([]eventlog.Record{{Kind: eventlog.Revision, Tenant: "default", Key: set.Digest}})
		o.say("puts the rules %d in force", o.g.variant)
	}
	if err != nil {
		l.lib.forget(set)
	}
}

// begin is the lane's way to dispatch, which has room for a few.
func (o *simOwner) begin(cmd workflow.Command) bool {
	if len(o.calls) >= 6 {
		return false
	}
	o.calls = append(o.calls, &simCall{cmd: cmd, since: o.log.RunLog().Tail()})
	return true
}

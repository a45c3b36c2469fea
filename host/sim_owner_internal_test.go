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
	epoch   uint64
	lease   simLease
	log     *eventlog.Log // nil: not open yet
	lane    *lane         // nil: not claimed yet
	admit   *admission
	clock   *clock
	reads   int // of streams that go well before one fails; 0: all do
	claimed bool
	running bool // recovered
	over    bool

	sleeps   time.Time         // until when the lane's timer does
	batch    *batch            // taken to be written
	answer   *ack              // of the batch that was written
	sends    []emitted         // taken to be sent
	sending  *eventlog.Pending // of those
	joining  cep.Compaction
	joined   *joined
	calls    []*simCall
	job      *snapshotJob
	asked    chan error
	requests []*simRequest
	rules    *eventlog.Pending // a revision under way
	set      *RuleSet          // which it puts in force
	held     *heldBlobs
	days     int // of work in which nothing was left unwritten

	threads    []*simThread
	thread     *simThread // the one that runs
	publishing *simThread // of the job
	keeping    *simThread
	forgotten  bool // the timers from before the take-over, where that is planted

	lagging    *cep.LanesCapture // of the matcher one frame ago, where that is planted
	laggingSet string            // and the rules it had
	reading    map[*simSource]*simReading
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
	context.Context //nolint:containedctx // it is one
	over            bool
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

// simImpatient are blobs for a lane that does not wait for a disk that is full: the
// process is stopped while it waits.
type simImpatient struct{ *heldBlobs }

func (s simImpatient) PutBlob(ctx context.Context, digest string, b []byte) error {
	err := s.heldBlobs.PutBlob(ctx, digest, b)
	if errors.Is(err, eventlog.ErrDiskFull) {
		return context.Canceled
	}
	return err
}

// open opens the log.
func (o *simOwner) open() {
	began := o.w.now
	o.clock = &clock{wall: o.node.clock(o.w), elapsed: func() time.Duration { return o.w.now.Sub(began) }}
	c := eventlog.Config{Writer: o.id, Now: o.clock.now, MinFree: 2, RecentBytes: 1 << 14}
	if o.w.plant == plantNoDedup && o.id > 1 {
		c.DedupRecords = 1
	}
	var err error
	o.log, err = eventlog.OpenStore(simCtx, simStore{o.node.way.Store(o.g.no), o}, c)
	o.say("opens the log: %v", err)
	o.check(err)
}

// claim takes the group over, where several want it.
func (o *simOwner) claim() {
	if o.w.claims {
		err := o.log.Claim(simCtx, o.node.name, o.epoch)
		o.say("claims with epoch %d: %v", o.epoch, err)
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
	o.held, held.now = held, o.working
	lib := newRuleLibrary(held)
	if !o.w.once(8) {
		simCompiled.tell(lib, o.g.variant)
	}
	o.lane = newLane(laneParts{
		tenant: "default", log: o.log, blobs: simImpatient{held}, lib: lib, hub: notify.NewHub(), state: newState(), start: o.begin,
		lanes: o.g.layout(), inline: []int{0, 300, 700}[o.w.pick(3)], ticks: true, logger: simQuiet, now: o.clock.now, snapshots: logSnapshots{held},
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
	if note := o.lane.snaps.latest; note != nil {
		o.w.did["a lane was recovered from a snapshot"]++
		if len(o.lane.unreadable) > 0 {
			o.w.did["a lane was recovered from an older snapshot"]++
		}
		if note.Lanes != "" {
			o.w.did["lanes were recovered from a snapshot"]++
		}
		if note.Lanes != o.lane.lanes.String() {
			o.w.did["lanes were made anew"]++
			o.g.rebuilt = true
		}
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

// working is time as blobs are held by it: twenty steps after which nothing was left
// to be written stand for a day.
func (o *simOwner) working() time.Time {
	return testDay.Add(heldFor * time.Duration(o.days) / 20)
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
	if !o.w.claims {
		o.w.deletes = nil // its servers end with it
	}
	for _, t := range o.threads {
		t.stop()
	}
	o.w.owners = slices.DeleteFunc(o.w.owners, func(other *simOwner) bool { return other == o })
	for _, r := range o.requests {
		o.answered(r)
	}
	o.lease.release(err)
}

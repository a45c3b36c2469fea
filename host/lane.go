package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

const (
	maxInFlight     = 4096            // actions running or waiting for dispatch; beyond, no frame is taken
	maxOutbox       = 8 << 20         // bytes decided and not yet on disk; beyond, no frame is taken
	progressEvery   = time.Second     // how stale the recorded progress may be when nothing is decided
	maxConflictRuns = 10              // runs of a call whose state changed under it
	diskFullWait    = time.Second     // between tries to write while the disk is full
	lookAgain       = 5 * time.Second // at the clock, while something waits for a time: it may be set forward
)

// lane is the one goroutine in which a tenant's events, matches and executions
// are decided, in log order.
//
// Committed frames go in, and results of actions. What is decided goes out as
// batches, one progress commit in flight at a time: a batch holds the matches,
// the history of executions and the position in EV they stand for. Only when a
// batch is on disk are its commands started, its notifications published and its
// emitted events sent to EV. A crash at any point therefore replays into the
// same decisions, and repeats at most actions outside, with their old keys.
//
// The lane never waits for dispatch or for EV while it holds input: commands
// without room wait in ready, emitted events in the outbox. When too much is
// waiting it stops taking frames, and so pushes back through the log to the
// sources.
type lane struct {
	laneParts

	matcher *cep.Lanes
	rules   *RuleSet
	began   time.Time            // when the first rules came into force
	since   map[string]time.Time // when rules became what they are, if that was later
	flows   *workflow.Engine
	actions *actionFold

	origin  string            // tells this log from every other, but for those it was restored as
	life    string            // tells what starts now from what other copies of the log started; "" until it was restored
	pos     eventlog.Position // last record processed
	replay  eventlog.Position // up to here outputs are in RUN already
	known   map[string]bool   // matches and reports recorded beyond replay, by a batch that ended inside a record
	knownTo eventlog.Position // from here on nothing is known
	cursors map[string][]byte // checkpoints of sources
	items   []cep.Item        // scratch, with events and found
	events  []event.Event
	found   cep.Found

	inForce    atomic.Pointer[RuleSet]  // rules, for everyone
	revision   atomic.Pointer[Revision] // the latest
	recovering bool
	worn       bool             // the index of rules may be worth joining
	joining    bool             // a joining is under way
	late       []cep.Compaction // put in place, and missing in a rule set that is to come
	unreadable []error          // snapshots that could not be used when the lane was recovered
	snaps      snapshots

	bad    *badRecords
	counts counters

	outbox    outbox
	flying    *batch    // on its way to the disk
	committed time.Time // when progress was last recorded
	ready     []workflow.Command
	running   map[string]*running // by command id
	turns     map[string][]string // command ids that run again, one at a time, by key of the state
	emits     []emitted           // on disk in RUN, not yet in EV
	sending   int                 // how many of emits, from the first, are under way to EV
	ticked    time.Time           // deadline for which a tick is under way
	allowed   allowance

	frames  chan *eventlog.Frame
	results chan workflow.Result
	asks    chan func()
	commits chan *batch
	acks    chan ack
	sends   chan []emitted
	sent    chan error
	waiters []waiter

	joins     chan cep.Compaction
	joinings  chan joined
	revisions chan *Revision // live ones, for those who say so
	done      chan struct{}  // closed when Run has ended
}

// laneParts is what the host passes in.
type laneParts struct {
	tenant string
	id     uint32
	log    *eventlog.Log
	blobs  blobs // of the log
	lib    *ruleLibrary
	hub    *notify.Hub
	topics *notify.Histories // nil: none are kept
	state  *state
	lanes  laneLayout
	start  func(workflow.Command) bool // hands a command to dispatch; false: no room now
	ticks  bool                        // the wall clock moves an idle lane's time
	logger *slog.Logger
	now    func() time.Time
	newLog func() string // draws the origin of a log that has none; nil: at random
	inline int           // bytes of a payload, and of a record, beyond which it is a blob; 0: maxPayload and maxInline

	account   *account      // of tenants; nil: nobody counts
	snapshots snapshotStore // nil: none
	every     time.Duration // of replay is worth a snapshot; 0: replayFor
	wholeLog  bool          // recovered without one
}

// running is a command that dispatch has, or that waits to run again.
type running struct {
	cmd  workflow.Command
	runs int
	turn string // key whose turn it has or waits for; "" for none
}

// waiter is somebody who waits for the lane to get somewhere.
type waiter struct {
	met  func() bool
	done chan struct{} // closed once met
}

// ack answers a commit: the RUN sequence of the batch, or why there is none.
type ack struct {
	batch *batch
	seq   uint64
	err   error
}

func newLane(parts laneParts) *lane {
	return &lane{
		laneParts: parts,
		actions:   newActionFold(),
		known:     make(map[string]bool),
		cursors:   make(map[string][]byte),
		bad:       newBadRecords(),
		done:      make(chan struct{}),
		running:   make(map[string]*running),
		turns:     make(map[string][]string),
		frames:    make(chan *eventlog.Frame, 4),
		results:   make(chan workflow.Result, 256),
		asks:      make(chan func()),
		commits:   make(chan *batch, 1),
		acks:      make(chan ack, 1),
		sends:     make(chan []emitted, 1),
		sent:      make(chan error, 1),
		since:     make(map[string]time.Time),
		joins:     make(chan cep.Compaction, 1),
		joinings:  make(chan joined, 1),
		revisions: make(chan *Revision, 64),
		snaps: snapshots{
			store: parts.snapshots, every: cmp.Or(parts.every, replayFor), taken: parts.now(), fresh: true,
			jobs: make(chan *snapshotJob, 1), done: make(chan snapshotEnd, 1),
		},
	}
}

// Run follows the log until ctx ends. recover comes first.
func (l *lane) Run(ctx context.Context) error {
	defer close(l.done)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.follow(ctx) })
	g.Go(func() error { return l.commitLoop(ctx) })
	g.Go(func() error { return l.sendLoop(ctx) })
	g.Go(func() error { return l.joinLoop(ctx) })
	g.Go(func() error { return l.snapshotLoop(ctx) })
	g.Go(func() error { return l.loop(ctx) })
	return g.Wait()
}

func (l *lane) follow(ctx context.Context) error {
	err := l.log.Follow(ctx, l.pos.Next(), func(f *eventlog.Frame) error {
		select {
		case l.frames <- f:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // stopped, not failed
	}
	return fmt.Errorf("follow the log: %w", err)
}

// loop is the lane's own goroutine: everything without a comment of its own is
// touched here alone.
func (l *lane) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		l.settle()
		timer.Reset(l.untilNext())
		frames := l.frames
		if l.full() {
			frames = nil
		}
		var err error
		select {
		case <-ctx.Done():
			return nil
		case f := <-frames:
			err = l.timed(func() error { return l.onFrame(ctx, f) })
		case r := <-l.results:
			err = l.timed(func() error { return l.onResult(ctx, r) })
		case a := <-l.acks:
			err = l.onAck(a)
		case err = <-l.sent:
			err = l.onSent(ctx, err)
		case j := <-l.joinings:
			l.onJoined(j)
		case end := <-l.snaps.done:
			l.onSnapshot(end)
		case ask := <-l.asks:
			ask()
		case <-timer.C:
			err = l.onTimer(ctx)
		}
		if err != nil && ctx.Err() != nil {
			return nil // stopped, not failed: what was not written is decided again
		}
		if err != nil {
			return err
		}
	}
}

// timed counts what a replay would do again.
func (l *lane) timed(fn func() error) error {
	began := time.Now()
	err := fn()
	l.snaps.spent(time.Since(began))
	return err
}

// full reports whether too much is waiting to take another frame.
func (l *lane) full() bool {
	return len(l.running) >= maxInFlight || l.outbox.size() >= maxOutbox || len(l.emits) >= maxInFlight
}

// settle moves on whatever can move without waiting.
func (l *lane) settle() {
	for len(l.ready) > 0 && l.start(l.outside(l.ready[0])) {
		l.ready[0] = workflow.Command{}
		l.ready = l.ready[1:]
	}
	l.snapshot()
	if l.flying == nil {
		if b := l.outbox.next(l.progressDue()); b != nil {
			l.flying = b
			l.commits <- b
		}
	}
	if l.sending == 0 && len(l.emits) > 0 {
		l.sending = min(len(l.emits), maxSend)
		l.sends <- l.emits[:l.sending]
	}
	l.join()
	l.waiters = slices.DeleteFunc(l.waiters, func(w waiter) bool {
		if !w.met() {
			return false
		}
		close(w.done)
		return true
	})
}

// outside makes a command's idempotency key one that no other log gives out:
// matches are named by their place in the log, and places repeat. What tells copies of
// a log from each other is in the key already, where there are any.
func (l *lane) outside(cmd workflow.Command) workflow.Command {
	cmd.Key = l.origin + "/" + cmd.Key
	return cmd
}

// progressDue reports whether progress alone is worth a commit.
func (l *lane) progressDue() bool { return l.now().Sub(l.committed) >= progressEvery }

// quiet reports whether everything accepted so far is decided, done and on disk.
func (l *lane) quiet() bool {
	_, waiting := l.flows.NextTimer()
	return !waiting && l.idle()
}

// idle reports whether nothing is under way, though it may be planned.
func (l *lane) idle() bool {
	return l.pos == l.log.Tail() && l.flying == nil && l.outbox.empty() && len(l.running) == 0 && len(l.emits) == 0
}

// untilNext is how long the lane may sleep.
func (l *lane) untilNext() time.Duration {
	const forever = 1 << 62
	next := time.Duration(forever)
	now := l.now()
	if at, ok := l.flows.NextTimer(); ok {
		next = min(next, at.Sub(now))
	}
	if at, ok := l.tickDue(); ok {
		next = min(next, at.Sub(now))
	}
	if l.outbox.stale() && l.flying == nil {
		next = min(next, progressEvery-now.Sub(l.committed))
	}
	if s := &l.snaps; s.store != nil && s.job == nil && !s.fresh {
		next = min(next, max(snapshotAtMost-now.Sub(s.taken), time.Second))
	}
	if next < forever {
		next = min(next, lookAgain)
	}
	return max(next, 0)
}

// tickDue returns the matcher's next deadline, where an idle lane's time follows
// the wall clock and no tick is under way. Behind the tail there is none: newer
// records bring time.
func (l *lane) tickDue() (time.Time, bool) {
	if !l.ticks || l.pos != l.log.Tail() {
		return time.Time{}, false
	}
	at, ok := l.matcher.NextDeadline()
	if !ok || !at.After(l.ticked) {
		return time.Time{}, false
	}
	return at, true
}

func (l *lane) onTimer(ctx context.Context) error {
	now := l.now()
	if at, ok := l.tickDue(); ok && !at.After(now) {
		// A tick is written to the log like an event, so that a replay sees the
		// same clock.
		l.ticked = at
		l.emits = append(l.emits, emitted{tick: true})
	}
	out := l.flows.Tick(now)
	return l.decide(ctx, out)
}

// errLaneStopped is the error of asking a lane that no longer runs.
var errLaneStopped = errors.New("the host is stopping")

// ask runs fn on the lane's goroutine and waits for it.
func (l *lane) ask(ctx context.Context, fn func()) error {
	ran := make(chan struct{})
	select {
	case l.asks <- func() { defer close(ran); fn() }:
	case <-l.done:
		return errLaneStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	<-ran // the loop runs what it took
	return nil
}

// untilQuiet waits until everything accepted so far is decided, done and on disk.
func (l *lane) untilQuiet(ctx context.Context) error { return l.until(ctx, l.quiet) }

// untilIdle waits like untilQuiet, but not for what is due only after the deadline.
func (l *lane) untilIdle(ctx context.Context, deadline time.Time) error {
	return l.until(ctx, func() bool {
		at, waiting := l.flows.NextTimer()
		return (!waiting || at.After(deadline)) && l.idle()
	})
}

// untilPast waits until the record at pos is dealt with.
func (l *lane) untilPast(ctx context.Context, pos eventlog.Position) error {
	return l.until(ctx, func() bool { return l.pos.Compare(pos) >= 0 })
}

// until waits until met, which the lane asks after each of its steps.
func (l *lane) until(ctx context.Context, met func() bool) error {
	w := waiter{met: met, done: make(chan struct{})}
	if err := l.ask(ctx, func() { l.waiters = append(l.waiters, w) }); err != nil {
		return err
	}
	return l.wait(ctx, w.done)
}

// untilSaved runs fn on the lane's goroutine and waits until what it decided is
// on disk.
func (l *lane) untilSaved(ctx context.Context, fn func() error) error {
	saved := make(chan struct{})
	var err error
	askErr := l.ask(ctx, func() {
		if err = fn(); err == nil {
			l.outbox.tell(saved)
		}
	})
	if askErr != nil || err != nil {
		return errors.Join(askErr, err)
	}
	return l.wait(ctx, saved)
}

func (l *lane) wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-l.done:
		return errLaneStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

package host

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

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
	{"snapshot", func(o *simOwner) bool { return o.job != nil || o.w.seldom() }, (*simOwner).snapshot},
	{"keeps", func(o *simOwner) bool { return o.keeping != nil || o.w.seldom() }, (*simOwner).keep},
	{"reads", func(o *simOwner) bool { return true }, (*simOwner).readSources},
	{"rules", func(o *simOwner) bool { return true }, (*simOwner).putRules},
	{"answers", func(o *simOwner) bool { return true }, (*simOwner).poll},
}

// step takes one of the steps that can be taken.
func (o *simOwner) step() {
	switch {
	case o.leaves():
		return
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
			o.do(s)
			return
		}
	}
}

// do takes a step. Some time passes, or two snapshots of one moment may be the same, or
// not: what they have of a map they have in any order.
func (o *simOwner) do(s *simStep) {
	o.w.now = o.w.now.Add(time.Microsecond)
	o.mortal(func() {
		s.do(o)
		o.settle()
		if !o.over && !o.unwritten() {
			o.days++
		}
	})
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
	if o.w.plant == plantLanesBehind && o.lane.lanes.n > 1 {
		o.lagging, o.laggingSet = o.lane.matcher.Capture(), o.lane.rules.row
	}
	err := o.log.Read(simCtx, o.lane.pos.Next(), func(f *eventlog.Frame) error {
		err := o.lane.onFrame(&simPatience{Context: simCtx}, f)
		o.say("decides frame %d of EV: %v", f.Seq, err)
		return errors.Join(errSimEnough, err)
	})
	if joint, ok := err.(interface{ Unwrap() []error }); ok && errors.Is(err, errSimEnough) {
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
		switch {
		case o.w.plant == plantSnapshotAhead:
			o.ahead()
		case o.w.plant == plantLanesBehind && o.lagging != nil && o.laggingSet == l.rules.row:
			o.job.capture.matcher = o.lagging
		}
	default:
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

package host

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/rhost/rhost/host/eventlog"
)

// snapshot goes on with a snapshot, or asks for one.
func (o *simOwner) snapshot() {
	l := o.lane
	switch {
	case o.publishing != nil:
		o.publishing.further()
	case o.job == nil:
		if o.asked == nil && o.w.once(2) {
			o.asked = make(chan error, 1)
			l.snaps.asked = append(l.snaps.asked, o.asked)
		}
	default:
		select {
		case <-o.job.acked:
		default:
			return
		}
		o.publishing = o.spawn(func() {
			end := l.publish(simCtx, o.job)
			end.job = o.job
			o.job, o.asked, o.publishing = nil, nil, nil
			if end.err == nil {
				o.say("publishes a snapshot of %v and frame %d of RUN", end.note.position(), end.note.Run)
			} else {
				o.say("has no snapshot: %v", end.err)
			}
			l.onSnapshot(end)
		})
		o.publishing.further()
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

// keep goes on with removing what need not be kept, or begins to.
func (o *simOwner) keep() {
	if o.keeping != nil {
		o.keeping.further()
		return
	}
	if (o.w.calm || !o.w.worn) && !o.w.once(4) {
		return
	}
	k := &keeper{
		config: RetentionConfig{Age: keepAge([]time.Duration{1, 20 * time.Second, 2 * time.Minute}[o.w.pick(3)]), Bytes: -1},
		log:    o.log, blobs: o.held, now: o.clock.now, size: o.size,
	}
	if o.w.once(3) {
		k.config.Bytes = 2000
	}
	if o.w.plant == plantSweepNamed {
		o.stale(k)
	}
	if o.w.once(3) {
		k.swept = o.clock.now()
	}
	o.keeping = o.spawn(func() {
		sweeps := k.swept
		err := k.once(simCtx)
		o.keeping = nil
		if err == nil && k.swept != sweeps {
			o.w.did["blobs were swept"]++
		}
		o.say("has let go of what need not be kept: %v", err)
		o.passable(err)
	})
	o.keeping.further()
}

// stale plants a keeper that does not see what is written from now on.
func (o *simOwner) stale(k *keeper) {
	log, err := eventlog.OpenStore(simCtx, o.node.way.Store(o.g.no), eventlog.Config{Now: o.clock.now})
	if err != nil {
		return
	}
	k.log, k.swept = log, time.Time{}
	k.blobs = newHeldBlobs(log)
}

// size is how much the streams of the group take.
func (o *simOwner) size(ctx context.Context) (size int64, err error) {
	for _, kind := range []eventlog.StreamKind{eventlog.EventStream, eventlog.RunStream} {
		st, one := o.node.way.Store(o.g.no).Stream(kind).State(ctx)
		size, err = size+int64(st.Bytes), cmp.Or(err, one)
	}
	return size, err
}

// passable looks at an error that a process goes on with.
func (o *simOwner) passable(err error) {
	if _, damage := errors.AsType[*eventlog.CorruptError](err); damage {
		o.w.broken("%s finds damage: %v", o, err)
	}
}

// unwritten reports whether something was accepted that may name a blob, and is not
// on disk.
func (o *simOwner) unwritten() bool {
	l := o.lane
	return l.flying != nil || !l.outbox.empty() || o.rules != nil || o.job != nil
}

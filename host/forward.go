package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

const (
	// maxDepth is how long a chain of events that cause each other may be.
	maxDepth = 8
	// maxSend is how many emitted events go to EV in one commit.
	maxSend = 256
	// maxSkew is how far an event's time may lie ahead of its arrival.
	maxSkew = 5 * time.Minute

	// typeBadRecord is the event by which a source reports what it could not read.
	typeBadRecord = "rhost.source.bad_record"
)

// The flags of an event's record. They are decided at admission and written, so
// that a replay, whatever the configuration is by then, sees the same clock.
const (
	flagNoClock eventlog.Flags = 1 << iota // does not move the lane's time
	flagClamped                            // its time is beyond its arrival and the skew: arrival counts
	flagReport                             // it reports what a source could not read
)

// clockOf is the time at which a record happens; zero leaves the lane's time be.
func clockOf(r *eventlog.Record, ev *event.Event) time.Time {
	switch {
	case r.Flags&flagNoClock != 0:
		return time.Time{}
	case r.Flags&flagClamped != 0 || ev.Time.IsZero():
		return r.Ingest
	}
	return ev.Time
}

// depthOf is the cascade depth of an event: 0 from outside, one more than its
// cause for an event that an action emitted. It rides in the record's key, in
// the host's own envelope, where no guest reaches it.
func depthOf(r *eventlog.Record) int {
	depth, err := strconv.Atoi(r.Key)
	if err != nil {
		return 0
	}
	return depth
}

// emitted is something the lane sends to EV: an event that an action emitted,
// or a tick of the clock.
type emitted struct {
	tick  bool
	event event.Event
	depth int
	seq   uint64 // of the RUN frame that holds its effect
	room  int64  // promised to it; at least what it will count
}

// sendable is what goes into EV. An emitted event bears the wall clock's time,
// which must not move a lane that follows the clock of its events.
func (l *lane) sendable(e *emitted) eventlog.Record {
	if e.tick {
		return eventlog.Record{Kind: eventlog.Tick, Tenant: l.tenant}
	}
	rec := eventlog.Record{
		Kind: eventlog.Event, Tenant: l.tenant, Key: strconv.Itoa(e.depth),
		Dedup: eventlog.DedupKeyOf(l.tenant, e.event.Source, e.event.ID),
		Body:  e.event.AppendBinary(nil),
	}
	if !l.ticks {
		rec.Flags |= flagNoClock
	}
	return rec
}

// effects applies the effects of a record on state, and returns what is due
// once the record is on disk: notifications, and events to be sent to EV.
func (l *lane) effects(rec workflow.Record) (notes []notify.Message, emits []emitted) {
	run := l.actions.open[rec.Execution]
	if rec.Succeeded == nil || run == nil {
		return nil, nil
	}
	for i, e := range rec.Succeeded.Effects {
		switch e.Kind {
		case workflow.EffectStateSet:
			l.state.set(e.Name, e.Value)
		case workflow.EffectKVSet:
			l.state.kv.set(e.Name, e.Bytes, e.Expires)
		case workflow.EffectNotify:
			m := notify.Message{Topic: e.Name, At: rec.At, Rule: run.Rule, Match: run.Match, Payload: e.Value}
			m.Place, _ = l.topics.Append(m, func() string { return epochOf(l.origin, e.Name, rec.EffectID(i)) })
			notes = append(notes, m)
		case workflow.EffectEmit:
			if run.depth >= maxDepth {
				l.logger.Warn("an emitted event is dropped: the rules cause each other in a loop",
					"rule", run.Rule, "type", e.Name, "depth", maxDepth)
				continue
			}
			room := roomOf(e)
			l.allowed.made += room
			emits = append(emits, emitted{event: emittedEvent(rec, i, e, run.Rule), depth: run.depth + 1, room: room})
		}
	}
	return notes, emits
}

func emittedEvent(rec workflow.Record, i int, e workflow.Effect, rule string) event.Event {
	return event.Event{
		ID: rec.EffectID(i), Source: "/rhost/rules/" + rule, Type: e.Name, Subject: e.Subject, Time: rec.At, Data: e.Value,
	}
}

// sendLoop writes to EV what the lane wants there.
func (l *lane) sendLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case list := <-l.sends:
			recs := make([]eventlog.Record, len(list))
			for i := range list {
				recs[i] = l.sendable(&list[i])
			}
			l.sent <- l.send(ctx, recs)
		}
	}
}

// send commits recs. Those that do not fit into one frame go in halves; each is
// small enough by itself, for an effect is bounded.
func (l *lane) send(ctx context.Context, recs []eventlog.Record) error {
	err := whileFull(ctx, l.logger, func() error {
		_, err := l.log.Committer().CommitAdmitted(ctx, recs) // the room was promised
		return err
	})
	if errors.Is(err, eventlog.ErrTooLarge) && len(recs) > 1 {
		half := len(recs) / 2
		if err := l.send(ctx, recs[:half]); err != nil {
			return err
		}
		return l.send(ctx, recs[half:])
	}
	return err
}

// onSent records that emitted events have reached EV, so that a restart does
// not send them again.
func (l *lane) onSent(ctx context.Context, err error) error {
	n := l.sending // others have come since
	l.sending = 0
	if errors.Is(err, eventlog.ErrClosed) || errors.Is(err, context.Canceled) {
		return nil // stopping; a restart sends them
	}
	if err != nil {
		return fmt.Errorf("send emitted events: %w", err)
	}
	last := uint64(0)
	for _, e := range l.emits[:n] {
		last = max(last, e.seq)
		l.sentOne(&e)
	}
	l.emits = append(l.emits[:0:0], l.emits[n:]...)
	if last == 0 || len(l.emits) > 0 && l.emits[0].seq == last {
		return nil // ticks alone, or the rest of that frame is still to come
	}
	return l.record(ctx, forwardedRecord(last))
}

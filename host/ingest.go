package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/tenants"
)

// ErrReserved is the error of an event whose type only the host may use.
var ErrReserved = errors.New("types that start with rhost. are reserved for the host")

// admission lets events into the log: it checks them, stamps on them what a
// replay must not decide again, and hands them to the committer. It is safe for
// concurrent use.
type admission struct {
	tenant  string
	log     *eventlog.Log
	account *account // of tenants; nil: nobody counts
	// paused is told that a source waits for a quota, and, without an error, that it
	// goes on. Nil: nobody is.
	paused func(source string, err error)
	// eventClock says that some source's events alone move the lane's time.
	eventClock bool
	now        func() time.Time
}

// accept writes events in one frame and returns when they are on disk. It does
// not wait: a full log is eventlog.ErrFull, a tenant that has reached a quota
// *tenants.Full, and nothing is accepted then. An
// event accepted before, by source and id, counts as accepted.
func (a *admission) accept(ctx context.Context, events []event.Event) error {
	recs := make([]eventlog.Record, 0, len(events))
	for i := range events {
		rec, err := a.record(&events[i], !a.eventClock)
		if err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
		recs = append(recs, rec)
	}
	return a.paced(recs, func() error {
		_, err := a.log.Committer().TryCommit(ctx, recs)
		return err
	})
}

// paced commits recs within the tenant's rate.
func (a *admission) paced(recs []eventlog.Record, commit func() error) error {
	n := int64(0)
	for i := range recs {
		n += recs[i].Charge()
	}
	if err := a.account.pace(a.tenant, n); err != nil {
		return err
	}
	err := commit()
	if err != nil && !errors.Is(err, eventlog.ErrUncertain) {
		a.account.unpace(a.tenant, n)
	}
	if full := (*tenants.Full)(nil); errors.As(err, &full) {
		a.account.refused(full.Tenant, full.Quota)
	}
	return err
}

// maxStored is the largest event that a frame of the log has room for.
const maxStored = 990_000

// record prepares one event.
func (a *admission) record(ev *event.Event, clock bool) (eventlog.Record, error) {
	if strings.HasPrefix(ev.Type, "rhost.") {
		return eventlog.Record{}, fmt.Errorf("type %q: %w", ev.Type, ErrReserved)
	}
	rec := a.trusted(ev, clock)
	if n := len(rec.Body); n > maxStored {
		return eventlog.Record{}, fmt.Errorf("the event has %d bytes, over the limit of %d; send a reference to the payload instead: %w", n, maxStored, eventlog.ErrTooLarge)
	}
	return rec, nil
}

// trusted prepares an event that may be of a reserved type.
func (a *admission) trusted(ev *event.Event, clock bool) eventlog.Record {
	if ev.ID == "" {
		ev.ID = event.NewID(a.now())
	}
	rec := eventlog.Record{
		Kind: eventlog.Event, Tenant: a.tenant,
		Dedup: eventlog.DedupKeyOf(a.tenant, ev.Source, ev.ID),
		Body:  ev.AppendBinary(nil),
	}
	if !clock {
		rec.Flags |= flagNoClock
	}
	if ev.Time.After(a.now().Add(maxSkew)) {
		rec.Flags |= flagClamped
	}
	return rec
}

// intake is the admission of one source; it implements connect.Sink.
type intake struct {
	*admission
	name string
}

// Submit writes a batch with the source's checkpoint, in one frame where it
// fits. It waits while the log is full, or the tenant has reached a quota, which is
// how a source is held back. A batch that was submitted before is accepted once,
// record by record.
func (in intake) Submit(ctx context.Context, b connect.Batch) error {
	return in.commit(ctx, in.records(b), in.patiently)
}

// caller is an intake for somebody who waits for an answer himself: a quota is a
// *connect.Refusal at once.
type caller struct{ intake }

// Submit implements connect.Sink.
func (c caller) Submit(ctx context.Context, b connect.Batch) error {
	err := c.commit(ctx, c.records(b), c.write)
	if full, ok := errors.AsType[*tenants.Full](err); ok {
		return &connect.Refusal{After: full.RetryAfter, Err: err}
	}
	return err
}

// records prepares a batch. An event that may not be admitted becomes a bad record.
func (in intake) records(b connect.Batch) []eventlog.Record {
	recs := make([]eventlog.Record, 0, len(b.Events)+len(b.Bad)+1)
	for i := range b.Events {
		rec, err := in.record(&b.Events[i], b.Clock || !in.eventClock)
		if err != nil {
			b.Bad = append(b.Bad, connect.BadRecord{Position: b.Events[i].ID, Reason: err.Error()})
			continue
		}
		recs = append(recs, rec)
	}
	for _, bad := range b.Bad {
		ev := in.report(bad, b.Cursor != nil)
		rec := in.trusted(&ev, false)
		rec.Flags |= flagReport
		recs = append(recs, rec)
	}
	if b.Cursor != nil {
		recs = append(recs, eventlog.Record{Kind: eventlog.Checkpoint, Tenant: in.tenant, Key: in.name, Body: b.Cursor})
	}
	return recs
}

// commit writes recs in order, in halves where they do not fit one frame: the
// checkpoint is last, so a crash between the halves reads the second again, and
// what it holds is recognised.
func (in intake) commit(ctx context.Context, recs []eventlog.Record, write writeFunc) error {
	if len(recs) == 0 {
		return nil
	}
	err := write(ctx, recs)
	if errors.Is(err, eventlog.ErrTooLarge) && len(recs) > 1 {
		half := len(recs) / 2
		if err := in.commit(ctx, recs[:half], write); err != nil {
			return err
		}
		return in.commit(ctx, recs[half:], write)
	}
	if err != nil {
		return fmt.Errorf("source %s: %w", in.name, err)
	}
	return nil
}

// writeFunc stores records, all in one frame or none.
type writeFunc func(ctx context.Context, recs []eventlog.Record) error

func (in intake) write(ctx context.Context, recs []eventlog.Record) error {
	return in.paced(recs, func() error {
		_, err := in.log.Committer().Commit(ctx, recs)
		return err
	})
}

// lookForRoom is how often somebody who waits for room looks whether there is some.
const lookForRoom = time.Second

// patiently is write for a source that can wait for as long as the tenant may bring
// or hold no more.
func (in intake) patiently(ctx context.Context, recs []eventlog.Record) error {
	told := false
	for {
		err := in.write(ctx, recs)
		var full *tenants.Full
		if !errors.As(err, &full) {
			if told && in.paused != nil {
				in.paused(in.name, nil)
			}
			return err
		}
		if in.paused != nil {
			told = true
			in.paused(in.name, full)
		}
		select {
		case <-time.After(min(full.RetryAfter, lookForRoom)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// report makes the event that stands for a record the source could not read:
// it travels in the log beside the checkpoint that passes it, so it is neither
// lost nor told twice. What a source may read again has an id that is the same
// the next time, of the place and of what is there: a file that was truncated
// holds another record at the same place. What is read once has a new one, for
// the next input has a line 1 too.
func (in intake) report(bad connect.BadRecord, again bool) event.Event {
	data, err := json.Marshal(BadRecord{
		Source: in.name, Position: bad.Position, Reason: bad.Reason, Raw: strings.ToValidUTF8(string(bad.Raw), "\uFFFD"),
	})
	if err != nil {
		panic(err) // plain strings
	}
	id := event.NewID(in.now())
	if again {
		sum := sha256.Sum256(append([]byte(bad.Reason+"\x00"), bad.Raw...))
		id = bad.Position + "/" + hex.EncodeToString(sum[:8])
	}
	return event.Event{
		ID: "bad/" + in.name + "/" + id, Source: "/rhost/sources/" + in.name,
		Type: typeBadRecord, Data: data,
	}
}

package host

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// maxItems is how many records the matcher is shown at a time.
const maxItems = 1024

func (l *lane) onFrame(ctx context.Context, f *eventlog.Frame) error {
	events, err := decodeEvents(f, l.events)
	if err != nil {
		return err
	}
	l.events = events
	return l.onRecords(ctx, f, events)
}

// decodeEvents decodes the events of a frame: as many as it has records, those that
// are no events left empty. They are made of dst where it has room, and of the
// frame's bytes.
func decodeEvents(f *eventlog.Frame, dst []event.Event) ([]event.Event, error) {
	dst = slices.Grow(dst[:0], len(f.Records))[:len(f.Records)]
	for i := range f.Records {
		if f.Records[i].Kind != eventlog.Event {
			continue
		}
		var err error
		if dst[i], _, err = event.DecodeBinary(f.Records[i].Body); err != nil {
			return nil, fmt.Errorf("%s of the log: decode event: %w", f.At(i), err)
		}
	}
	return dst, nil
}

// onRecords decides a frame whose events are decoded. The matcher is shown what
// lies between two changes of rules, and then the records are decided one by one.
func (l *lane) onRecords(ctx context.Context, f *eventlog.Frame, events []event.Event) error {
	for i := 0; i < len(f.Records); {
		if f.Records[i].Kind == eventlog.Revision {
			if err := l.onRevision(ctx, f.At(i), &f.Records[i]); err != nil {
				return err
			}
			i++
			continue
		}
		n := l.match(f.Records[i:], events[i:])
		for k := range n {
			if err := l.onRecord(ctx, f.At(i+k), &f.Records[i+k], &events[i+k], l.found.Of(k)); err != nil {
				return err
			}
		}
		i += n
	}
	return nil
}

// match shows the matcher records, up to the next that changes the rules. It
// returns how many they are.
func (l *lane) match(recs []eventlog.Record, events []event.Event) int {
	l.items = l.items[:0]
	for i := range recs {
		r := &recs[i]
		if r.Kind == eventlog.Revision || i == maxItems {
			break
		}
		it := cep.Item{Pos: cep.Position{Lane: r.Lane, Seq: r.LaneSeq}}
		switch r.Kind {
		case eventlog.Event:
			it.Event, it.At = &events[i], clockOf(r, &events[i])
		case eventlog.Tick:
			it.At = r.Ingest
		case eventlog.Revision, eventlog.Checkpoint, eventlog.Claim, eventlog.Origin:
		}
		l.items = append(l.items, it)
	}
	l.matcher.Feed(l.items, &l.found)
	return len(l.items)
}

func (l *lane) onRevision(ctx context.Context, pos eventlog.Position, r *eventlog.Record) error {
	l.pos = pos
	if err := l.revise(ctx, r); err != nil {
		return err
	}
	if l.live() {
		l.outbox.reached(pos)
	}
	return nil
}

// onRecord decides what one record of the log causes, and the matches that it
// completed. Up to the recorded progress there is nothing to decide: what the
// record caused is in RUN. ev is the record's event, if it is one.
func (l *lane) onRecord(ctx context.Context, pos eventlog.Position, r *eventlog.Record, ev *event.Event, matches []cep.Match) error {
	l.pos = pos
	switch r.Kind {
	case eventlog.Event:
		if err := l.arrived(ctx, r, ev); err != nil {
			return err
		}
	case eventlog.Checkpoint:
		l.cursors[r.Key] = bytes.Clone(r.Body) // the frame is large, and goes
	case eventlog.Origin:
		l.life = r.Key
	case eventlog.Tick, eventlog.Revision, eventlog.Claim:
	}
	if !l.live() {
		return nil
	}
	for i := range matches {
		if err := l.onMatch(ctx, &matches[i], depthOf(r)); err != nil {
			return err
		}
	}
	l.outbox.reached(pos)
	if len(l.known) > 0 && !l.recovering {
		l.forgetKnown()
	}
	return nil
}

// feed hands one record of EV to a matcher.
func feed(m *cep.Matcher, r *eventlog.Record, dst []cep.Match) ([]cep.Match, error) {
	at := cep.Position{Lane: r.Lane, Seq: r.LaneSeq}
	switch r.Kind {
	case eventlog.Event:
		ev, _, err := event.DecodeBinary(r.Body)
		if err != nil {
			return dst, fmt.Errorf("decode event: %w", err)
		}
		return m.Feed(&ev, at, clockOf(r, &ev), dst), nil
	case eventlog.Tick:
		return m.Advance(r.Ingest, at, dst), nil
	case eventlog.Revision, eventlog.Checkpoint, eventlog.Claim, eventlog.Origin:
	}
	return dst, nil
}

// live reports whether the record in hand lies beyond the recorded progress.
func (l *lane) live() bool { return l.pos.Compare(l.replay) > 0 }

// arrived counts an event, shows it to whoever watches, and keeps it when it is
// the report of something that a source could not read.
func (l *lane) arrived(ctx context.Context, r *eventlog.Record, ev *event.Event) error {
	if !l.live() {
		return nil
	}
	l.counts.events.Add(1)
	watched := l.hub.Wanted(notify.TopicEvents)
	if watched {
		l.hub.Publish(notify.Message{Topic: notify.TopicEvents, At: r.Ingest, Payload: ev.AppendJSON(nil)})
	}
	if r.Flags&flagReport == 0 {
		return nil
	}
	rec := badRecordOf(ev, r)
	if l.known[rec.Key] {
		return nil
	}
	l.counts.bad.Add(1)
	if err := l.bad.fold(&rec); err != nil {
		return err
	}
	return l.record(ctx, rec)
}

// onMatch records a match and starts what it causes. A match that is known was
// recorded before a crash; whether its execution was, the engine knows.
func (l *lane) onMatch(ctx context.Context, m *cep.Match, depth int) error {
	def := l.lib.flow(m.Rule.Version)
	acts := def != nil && m.Rule.Mode == cep.Live && !m.Timeout
	if !l.known[m.ID] {
		if err := l.recordMatch(ctx, m, acts); err != nil {
			return err
		}
	}
	if !acts {
		return nil
	}
	vars := varsOf(l.tenant, m, depth)
	encoded, err := vars.encode(ctx, patient{l}, cmp.Or(l.inline, maxPayload))
	if err != nil {
		return err
	}
	info := workflow.StartInfo{Key: m.ID, Rule: m.Rule.Name, Version: m.Rule.Version, Origin: l.life, Payload: encoded, Match: vars}
	return l.decide(ctx, l.flows.Start(def, info, l.now()))
}

func (l *lane) recordMatch(ctx context.Context, m *cep.Match, acts bool) error {
	rec := matchRecord(m, l.id, acts)
	if err := l.record(ctx, rec); err != nil {
		return err
	}
	l.counts.matches.Add(1)
	l.outbox.publish(notify.Message{Topic: notify.TopicMatches, At: m.At, Rule: m.Rule.Name, Match: m.ID, Payload: rec.Body})
	return nil
}

// onResult takes the end of an action. A call whose state changed under it runs
// again; see conflict.go.
func (l *lane) onResult(ctx context.Context, r workflow.Result) error {
	id := commandID(r.Execution, r.Step, r.Undo)
	run, ok := l.running[id]
	if !ok {
		return fmt.Errorf("result for %s of %s, which is not running", r.Step, r.Execution)
	}
	if key, lost := l.lost(id, r.Effects); r.Failure == nil && lost {
		run.runs++
		if run.runs < maxConflictRuns {
			l.again(id, key, run)
			return nil
		}
		r = run.cmd.Fail(workflow.FailConflict, "the state it read changed under it every time")
	}
	l.leave(run)
	delete(l.running, id)
	return l.decide(ctx, l.flows.Complete(r, l.now()))
}

// decide puts what the engine wants into the outbox and applies its effects.
func (l *lane) decide(ctx context.Context, out workflow.Output) error {
	for _, rec := range out.Records {
		encoded, err := flowRecord(rec)
		if err != nil {
			return err
		}
		if err := l.record(ctx, encoded); err != nil {
			return err
		}
		act, told := l.actions.fold(rec)
		notes, emits := l.effects(rec)
		l.outbox.emit(emits...)
		for _, m := range notes {
			l.outbox.publish(m)
		}
		if told {
			l.counts.action(act)
			l.outbox.publish(act.message())
		}
	}
	for _, cmd := range out.Commands {
		l.running[commandID(cmd.Execution, cmd.Step, cmd.Undo)] = &running{cmd: cmd}
	}
	l.outbox.command(out.Commands...)
	l.applied()
	return nil
}

// record puts one record into the outbox.
func (l *lane) record(ctx context.Context, r eventlog.RunRecord) error {
	r, err := shrink(ctx, patient{l}, r, cmp.Or(l.inline, maxInline))
	if err != nil {
		return err
	}
	l.outbox.add(r)
	return nil
}

// redrive sets a dead-lettered execution going again.
func (l *lane) redrive(ctx context.Context, id string) error {
	out, err := l.flows.Redrive(id, l.now())
	if err != nil {
		return err
	}
	return l.decide(ctx, out)
}

// discard forgets a dead letter, of an execution or of a source.
func (l *lane) discard(ctx context.Context, id string) error {
	if l.bad.drop(id) {
		return l.record(ctx, eventlog.RunRecord{Kind: runBadDropped, Key: id})
	}
	out, err := l.flows.Discard(id, l.now())
	if err != nil {
		return err
	}
	return l.decide(ctx, out)
}

func commandID(execution, step string, undo bool) string {
	if undo {
		return execution + "/undo/" + step
	}
	return execution + "/" + step
}

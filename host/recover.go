package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/sandbox"
)

// originChars is enough that no two logs share an origin.
const originChars = 16

// recover brings the lane to where the log ends: to the newest snapshot that can be
// read, or to the beginning; from there RUN is folded into executions and state,
// then EV is replayed through the matcher, outputs suppressed up to the recorded
// progress. What lies beyond it is decided as if it had just arrived.
//
// The commands whose results are missing are given out again once Run begins.
func (l *lane) recover(ctx context.Context) error {
	l.recovering = true
	defer func() { l.recovering = false }()
	ok, err := l.recoverSnapshot(ctx)
	if err != nil {
		return err
	}
	folded := uint64(0) // frame of RUN
	if ok {
		folded = l.snaps.latest.Run
	} else if err := l.fromNothing(ctx); err != nil {
		return err
	}
	l.committed = l.now()
	began, from := time.Now(), l.pos

	forwarded := uint64(0)
	err = replayRun(ctx, l.log, folded+1, func(seq uint64, recs []eventlog.RunRecord) error {
		if err := l.foldFrame(ctx, seq, recs, &forwarded); err != nil {
			return fmt.Errorf("frame %d of RUN: %w", seq, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.allowed = allowance{} // all of which was let in before
	l.topics.ShowAll()
	if l.account.quota(l.tenant).Events.Held > 0 {
		// What is decided next has to know what there is room for.
		if err := l.account.catchUp(ctx, l.log); err != nil {
			return err
		}
	}
	l.dropForwarded(forwarded)
	l.outbox.reached(l.replay)
	l.outbox.saved = l.replay
	if l.origin == "" {
		l.origin = l.drawOrigin()
		l.outbox.add(eventlog.RunRecord{Kind: runOrigin, Key: l.origin})
	}
	// Executions that are open come before those that the replay will start,
	// whose commands would else be given out twice.
	if err := l.decide(ctx, l.flows.Recovered(l.now())); err != nil {
		return err
	}
	if err := l.replayEvents(ctx); err != nil {
		return err
	}
	l.forgetKnown()
	if err := l.recoverAccount(ctx); err != nil {
		return err
	}
	if l.pos != from || l.log.RunLog().Tail() > folded {
		l.snaps.spent(time.Since(began))
	}
	return nil
}

func (l *lane) drawOrigin() string {
	if l.newLog != nil {
		return l.newLog()
	}
	return rand.Text()[:originChars]
}

// flowOptions are what the engine of executions needs of the lane.
func (l *lane) flowOptions(ctx context.Context) workflow.Options {
	return workflow.Options{
		Definition: l.lib.definition,
		Match: func(raw workflow.Payload) (any, error) {
			return decodePayload(ctx, raw, l.log)
		},
		Admit: l.admitEffects,
	}
}

// fromNothing is the state of a lane before the log begins.
func (l *lane) fromNothing(ctx context.Context) error {
	if ev, run := l.log.First(), l.log.RunLog().First(); !l.whole() {
		return fmt.Errorf("the log begins with frame %d, and frame %d of RUN: no snapshot of what came before can be read; restore the data folder from a backup: %w",
			ev.Frame, run, errors.Join(l.unreadable...))
	}
	l.flows = workflow.NewEngine(l.flowOptions(ctx))
	empty, err := noRules()
	if err != nil {
		return err
	}
	l.rules = empty
	l.inForce.Store(empty)
	l.matcher = cep.NewLanes(empty.Program, cep.Options{Tenant: l.tenant}, l.lanes.n, l.lanes.by)
	return nil
}

// forgetKnown lets go of what is known once it is decided.
func (l *lane) forgetKnown() {
	if len(l.known) > 0 && l.pos.Compare(l.knownTo) >= 0 {
		clear(l.known)
	}
}

// foldFrame applies one batch of RUN, its progress first: of a batch that ended
// inside a record of EV the progress stands for the record before, and so what
// the batch holds may lie beyond it.
func (l *lane) foldFrame(ctx context.Context, seq uint64, recs []eventlog.RunRecord, forwarded *uint64) error {
	for i := range recs {
		if recs[i].Kind != runProgress {
			continue
		}
		pos, err := decodeProgress(recs[i].Body)
		if err != nil {
			return err
		}
		l.replay = pos
		clear(l.known)
	}
	for i := range recs {
		if err := l.foldRun(ctx, seq, &recs[i], forwarded); err != nil {
			return err
		}
	}
	return nil
}

// foldRun applies one record of RUN.
func (l *lane) foldRun(ctx context.Context, seq uint64, r *eventlog.RunRecord, forwarded *uint64) error {
	if len(r.Body) > maxInline { // it was kept as a blob
		l.account.keeps(l.tenant, sandbox.Digest(r.Body), len(r.Body))
	}
	switch r.Kind {
	case runOrigin:
		l.origin = r.Key
	case runRules:
		return l.lib.learn(ctx, r.Key)
	case runMatch:
		l.known[r.Key] = true
	case runForwarded:
		to, err := decodeForwarded(r.Body)
		if err != nil {
			return err
		}
		*forwarded = max(*forwarded, to)
	case runBad, runBadDropped:
		l.known[r.Key] = true
		return l.bad.fold(r)
	case runFlow:
		rec, err := workflow.DecodeRecord(r.Body)
		if err != nil {
			return fmt.Errorf("history of %s: %w", r.Key, err)
		}
		if err := l.foldPayload(ctx, rec); err != nil {
			return err
		}
		if err := l.flows.Apply(rec); err != nil {
			return err
		}
		l.actions.fold(rec)
		_, emits := l.effects(rec) // notifications were published when they were new
		for _, e := range emits {
			e.seq = seq
			l.emits = append(l.emits, e)
		}
	default: // read elsewhere
	}
	return nil
}

// dropForwarded forgets the emitted events that are known to be in EV.
func (l *lane) dropForwarded(to uint64) {
	var left []emitted
	for _, e := range l.emits {
		if e.seq > to {
			left = append(left, e)
		}
	}
	l.emits = left
}

// replayEvents feeds the log to the matcher, and strikes the emitted events that
// reached EV without a record of it. Where more has been decided than may wait for
// the disk, it leaves the rest of the log to Run.
func (l *lane) replayEvents(ctx context.Context) error {
	waiting := make(map[eventlog.DedupKey]bool, len(l.emits))
	for i := range l.emits {
		waiting[l.sendable(&l.emits[i]).Dedup] = true
	}
	l.knownTo = l.log.Tail()
	stopped := false
	err := readAhead(ctx, l.log, l.pos.Next(), func(f *eventlog.Frame, events []event.Event) error {
		for i := 0; i < len(f.Records) && len(waiting) > 0; i++ {
			delete(waiting, f.Records[i].Dedup)
		}
		l.account.seen(f)
		if stopped = stopped || l.live() && l.full(); !stopped {
			return l.onRecords(ctx, f, events)
		}
		if len(waiting) == 0 {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("replay the log: %w", err)
	}
	var left []emitted
	for _, e := range l.emits {
		if waiting[l.sendable(&e).Dedup] {
			left = append(left, e)
		}
	}
	l.emits = left
	return nil
}

// errEnough ends a replay before the end of the log.
var errEnough = errors.New("enough")

// aheadFrames is how many frames are read and decoded before they are replayed.
const aheadFrames = 4

// decoded is a frame with its events.
type decoded struct {
	frame  *eventlog.Frame
	events []event.Event
}

// readAhead hands the frames from a position on to fn, while the next ones are read
// and decoded. fn may keep neither frames nor events.
func readAhead(ctx context.Context, log *eventlog.Log, from eventlog.Position, fn func(*eventlog.Frame, []event.Event) error) error {
	ctx, stop := context.WithCancel(ctx)
	frames, used := make(chan decoded, aheadFrames), make(chan []event.Event, aheadFrames+2)
	ended := make(chan error, 1)
	go func() {
		defer close(frames)
		ended <- log.Read(ctx, from, func(f *eventlog.Frame) error {
			var events []event.Event
			select {
			case events = <-used:
			default:
			}
			events, err := decodeEvents(f, events)
			if err != nil {
				return err
			}
			select {
			case frames <- decoded{f, events}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	var err error
	for d := range frames {
		if err != nil {
			continue // what is under way
		}
		if err = fn(d.frame, d.events); err != nil {
			stop()
		}
		select {
		case used <- d.events:
		default:
		}
	}
	stop()
	if end := <-ended; err == nil {
		err = end
	}
	return err
}

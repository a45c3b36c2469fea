package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/sandbox"
)

// How often a snapshot is taken. The time that the lane has spent on what came
// since the last one is about what a replay takes, for a replay does the same
// without writing anything.
const (
	replayFor      = 4 * time.Second // of replay make a snapshot worth while; it is 5 s by the time it is there
	pauseShare     = 100             // the lane stands still for no more than one part of so many
	writeShare     = 10              // and one processor is busy with snapshots for no more than one of so many
	snapshotAtMost = time.Hour       // between two, where anything happened at all: what is old can be removed then
	foldRecord     = 10 * time.Microsecond
)

// snapshots is what a lane knows of its own snapshots. It belongs to the lane's
// goroutine.
type snapshots struct {
	store snapshotStore // nil: none are taken
	every time.Duration // of replay; replayFor

	busy    time.Duration   // spent since the latest snapshot was captured
	fresh   bool            // nothing has happened since
	pause   time.Duration   // that the latest took of the lane
	wrote   time.Duration   // that the latest took of a processor
	taken   time.Time       // when the latest was captured
	asked   []chan error    // by those who want one now
	job     *snapshotJob    // under way
	latest  *snapshotNote   // published, or recovered from; nil: none
	changed func()          // told that there is another; nil: nobody
	removed map[string]bool // whose notes are still there; of whoever writes one, which is one at a time
	reached func(string)    // for tests: told how far a snapshot has come; nil: nobody

	jobs chan *snapshotJob
	done chan snapshotEnd
}

// snapshotJob is a snapshot under way.
type snapshotJob struct {
	capture *laneCapture
	pause   time.Duration
	asked   []chan error
	acked   chan struct{} // closed when its batch is on disk
}

// snapshotEnd is how a job ended.
type snapshotEnd struct {
	job  *snapshotJob
	note *snapshotNote
	took time.Duration
	err  error
}

// spent counts time that a replay would spend again.
func (s *snapshots) spent(d time.Duration) {
	s.busy += d
	s.fresh = false
}

// covers reports whether a snapshot is under way whose batch is not on disk yet.
func (s *snapshots) covers() bool {
	if s.job == nil {
		return false
	}
	select {
	case <-s.job.acked:
		return false
	default:
		return true
	}
}

// wants reports whether it is time for another snapshot.
func (s *snapshots) wants(now time.Time) bool {
	switch {
	case s.store == nil || s.job != nil:
		return false
	case len(s.asked) > 0:
		return true
	case s.fresh:
		return false
	}
	since := now.Sub(s.taken)
	if since >= 0 && (since < s.pause*pauseShare || since < s.wrote*writeShare) {
		return false
	}
	return s.busy >= s.every || since >= snapshotAtMost
}

// snapshot takes one when it is time. Emitted events that are on their way to EV
// are waited for: whether they are there by now is not known.
func (l *lane) snapshot() {
	if l.sending > 0 || !l.snaps.wants(l.now()) {
		return
	}
	began := time.Now()
	job := &snapshotJob{capture: l.capture(), asked: l.snaps.asked, acked: make(chan struct{})}
	l.outbox.mark(job)
	job.pause = time.Since(began)
	s := &l.snaps
	s.job, s.asked, s.busy, s.fresh, s.taken = job, nil, 0, true, l.now()
	s.jobs <- job // there is room: one is under way at a time
}

// capture takes the state of the lane. What is large is copied as it changes, until
// release.
func (l *lane) capture() *laneCapture {
	c := &laneCapture{
		tenant: l.tenant, origin: l.origin, life: l.life, at: l.pos, taken: l.now().UTC(), rules: l.rules, began: l.began,
		since: maps.Clone(l.since), revision: l.revision.Load(), cursors: maps.Clone(l.cursors), bad: slices.Clone(l.bad.list),
		matcher: l.matcher.Capture(), draining: l.matcher.Draining(), flows: l.flows.Capture(), known: l.lib.reached(),
	}
	c.values, c.kv = l.state.freeze()
	c.holdings = l.account.capture(l.tenant)
	c.topics = l.topics.Capture()
	for _, e := range l.emits {
		if !e.tick {
			c.tail.emits = append(c.tail.emits, e)
		}
	}
	if l.flying != nil {
		c.tailBefore = append(c.tailBefore, l.flying)
	}
	c.tailBefore = append(c.tailBefore, l.outbox.full...)
	return c
}

// onDisk completes a job whose batch is on disk, as RUN's frame seq.
func (l *lane) onDisk(job *snapshotJob, b *batch, seq uint64) {
	c := job.capture
	if b.to != c.at {
		panic("host: the batch of a snapshot stands for another position")
	}
	c.tail.run = seq
	for _, before := range append(c.tailBefore, b) {
		c.tail.emits = append(c.tail.emits, before.emits...)
	}
	c.tailBefore = nil
	close(job.acked)
}

// snapshotLoop writes and publishes what the lane captures.
func (l *lane) snapshotLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case job := <-l.snaps.jobs:
			end := l.publish(ctx, job)
			end.job = job
			select {
			case l.snaps.done <- end:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// publish writes a snapshot and says where it is.
func (l *lane) publish(ctx context.Context, job *snapshotJob) snapshotEnd {
	s, err := l.seal(ctx, job)
	if err == nil {
		err = l.keepSealed(ctx, s)
	}
	if err == nil {
		err = l.noteSealed(ctx, s)
	}
	if err != nil {
		return snapshotEnd{err: err}
	}
	return snapshotEnd{note: s.note, took: s.took}
}

// sealed is a snapshot that is written down, and not kept yet.
type sealed struct {
	note *snapshotNote
	body []byte
	took time.Duration
}

// seal writes a snapshot down. It waits until its batch is on disk: a snapshot is
// never ahead of what is recorded.
func (l *lane) seal(ctx context.Context, job *snapshotJob) (*sealed, error) {
	var waited time.Duration
	began := time.Now()
	b, err := job.capture.encode(l.lib, func() error {
		l.snaps.at("written")
		from := time.Now()
		defer func() { waited = time.Since(from) }()
		select {
		case <-job.acked:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return nil, err
	}
	l.snaps.at("sealed")
	c := job.capture
	return &sealed{body: b, took: time.Since(began) - waited, note: &snapshotNote{
		Version: noteVersion, Digest: sandbox.Digest(b), Frame: c.at.Frame, Index: c.at.Index, Run: c.tail.run, At: c.taken, Bytes: len(b), Lanes: l.lanes.String(),
	}}, nil
}

// keepSealed keeps the bytes of a snapshot.
func (l *lane) keepSealed(ctx context.Context, s *sealed) error {
	if err := l.snaps.store.PutBlob(ctx, s.note.Digest, s.body); err != nil {
		return err
	}
	l.snaps.at("kept")
	return nil
}

// noteSealed says where a snapshot is: from then on it counts.
func (l *lane) noteSealed(ctx context.Context, s *sealed) error {
	text, err := json.Marshal(s.note)
	if err == nil {
		err = l.snaps.store.AppendSnapshot(ctx, text)
	}
	if err == nil {
		l.removeOld(ctx)
	}
	l.snaps.at("published")
	return err
}

// removeOld removes the snapshots that a new one leaves over. What stays behind is
// found by the keeper.
func (l *lane) removeOld(ctx context.Context) {
	const beyond = 3 // a few, for those that a crash has left
	stored, err := l.snaps.store.NewestSnapshots(ctx, keptSnapshots+beyond)
	kept, gone := make(map[string]bool), make(map[string]bool)
	for i, one := range stored {
		note, bad := readNote(one.body)
		switch {
		case one.err != nil || bad != nil:
		case i < keptSnapshots:
			kept[note.Digest] = true
		case kept[note.Digest] || err != nil:
		case l.snaps.removed[note.Digest]:
			gone[note.Digest] = true
		default:
			err = l.snaps.store.Remove(ctx, note.Digest)
			gone[note.Digest] = err == nil
		}
	}
	l.snaps.removed = gone
	if err != nil && ctx.Err() == nil {
		l.logger.Warn("a snapshot that is not needed any more is not removed yet", "error", err)
	}
}

func (s *snapshots) at(place string) {
	if s.reached != nil {
		s.reached(place)
	}
}

// onSnapshot lets go of what a job kept.
func (l *lane) onSnapshot(end snapshotEnd) {
	s, c := &l.snaps, end.job.capture
	s.job, s.pause, s.wrote = nil, end.job.pause, end.took
	c.flows.End()
	l.state.melt()
	defer func() {
		for _, asked := range end.job.asked {
			asked <- end.err // which has room
		}
	}()
	if end.err != nil {
		l.logger.Error("no snapshot could be kept; a restart replays more of the log", "error", end.err)
		return
	}
	l.lib.prune(c.digests, c.draining, c.known)
	s.latest = end.note
	l.logger.Debug("snapshot", "ev", c.at.String(), "run", c.tail.run, "bytes", end.note.Bytes, "pause", s.pause, "wrote", s.wrote)
	if s.changed != nil {
		s.changed()
	}
}

// snapshotNow takes a snapshot, unless nothing has happened since the last, and
// waits until it is published.
func (l *lane) snapshotNow(ctx context.Context) error { return l.snapshotIf(ctx, false) }

// snapshotAnyway is snapshotNow, whether or not anything has happened.
func (l *lane) snapshotAnyway(ctx context.Context) error { return l.snapshotIf(ctx, true) }

func (l *lane) snapshotIf(ctx context.Context, anyway bool) error {
	ended := make(chan error, 1)
	err := l.ask(ctx, func() {
		if l.snaps.store == nil || !anyway && l.snaps.fresh && l.snaps.job == nil {
			ended <- nil
			return
		}
		l.snaps.asked = append(l.snaps.asked, ended)
	})
	if err != nil {
		return err
	}
	select {
	case err := <-ended:
		return err
	case <-l.done:
		return errLaneStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// recoverSnapshot brings the lane to the newest snapshot that can be read. ok is
// false when there is none.
func (l *lane) recoverSnapshot(ctx context.Context) (ok bool, err error) {
	if l.snaps.store == nil || l.wholeLog {
		return false, nil
	}
	notes, err := l.snaps.store.NewestSnapshots(ctx, keptSnapshots)
	if err != nil {
		return false, err
	}
	for _, otherLanes := range []bool{false, true} {
		if otherLanes && l.whole() {
			break // a replay of everything is exact
		}
		for i, stored := range notes {
			note, err := l.recoverFrom(ctx, stored, otherLanes)
			switch {
			case err == nil:
				l.snaps.latest, l.snaps.taken = note, note.At
				return true, nil
			case errors.Is(err, errOtherLanes):
				continue
			case ctx.Err() != nil || errors.Is(err, eventlog.ErrClosed) || errors.Is(err, eventlog.ErrUnavailable):
				return false, err // which says nothing of the snapshot
			}
			l.logger.Error("a snapshot cannot be read; the one before is used, and more of the log is replayed",
				"snapshot", i+1, "of", len(notes), "error", err)
			l.unreadable = append(l.unreadable, err)
		}
	}
	return false, nil
}

// whole reports whether the log goes back to its beginning.
func (l *lane) whole() bool { return l.log.First().Frame <= 1 && l.log.RunLog().First() <= 1 }

// errOtherLanes is the error of a snapshot whose matcher had other lanes than are
// asked for.
var errOtherLanes = errors.New("the snapshot is of other lanes")

// recoverFrom brings the lane to a snapshot: one of this lane's layout, or else one
// of another, whose matcher is built anew.
func (l *lane) recoverFrom(ctx context.Context, stored storedNote, otherLanes bool) (*snapshotNote, error) {
	if stored.err != nil && otherLanes {
		return nil, errOtherLanes // it was told before
	}
	if stored.err != nil {
		return nil, stored.err
	}
	note, err := readNote(stored.body)
	if err != nil {
		return nil, err
	}
	if (note.Lanes != l.lanes.String()) != otherLanes {
		return nil, errOtherLanes
	}
	b, err := l.snaps.store.GetBlob(ctx, note.Digest)
	if err != nil {
		return nil, err
	}
	s, err := readSnapshot(b, l.flowOptions(ctx))
	if err == nil && (s.at != note.position() || s.run != note.Run) {
		err = fmt.Errorf("%w: its note says that it is another", errSnapshot)
	}
	if err == nil && (s.run > l.log.RunLog().Tail() || s.at.Compare(l.log.Tail()) > 0) {
		err = fmt.Errorf("%w: it is ahead of the log, which ends at %v and frame %d of RUN", errSnapshot, l.log.Tail(), l.log.RunLog().Tail())
	}
	if ev, run := l.log.First().Frame, l.log.RunLog().First(); err == nil && (ev > 1 && s.at.Frame < ev || run > s.run+1) {
		err = fmt.Errorf("%w: what came after it is gone: the log begins with frame %d, and frame %d of RUN", errSnapshot, ev, run)
	}
	if err == nil {
		err = l.restore(ctx, s, otherLanes)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot %s of %v: %w", short(note.Digest), note.At, err)
	}
	return note, nil
}

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/yamldoc"
)

const (
	defaultKeepAge   = 30 * 24 * time.Hour
	defaultKeepBytes = 10 << 30

	retainEvery = time.Minute
	sweepEvery  = 24 * time.Hour
	// heldFor is how long a blob that was just stored is left alone, whatever names
	// it: the record that will may still wait for the disk.
	heldFor = 24 * time.Hour
)

// RetentionConfig says how much of the log is kept. What no snapshot needs any more
// and is older, or more, than that goes.
type RetentionConfig struct {
	Age   keepAge   `yaml:"age"`   // 30d; off keeps the log for ever
	Bytes keepBytes `yaml:"bytes"` // of the log and its blobs on disk: 10GiB; off has no bound
	// Replay is about how long a restart may replay the log: when there is as much
	// to be replayed, a snapshot is taken. 4s.
	Replay time.Duration `yaml:"replay"`
}

// check checks the key replay.
func (c RetentionConfig) check() error {
	if c.Replay != 0 && (c.Replay < time.Millisecond || c.Replay > time.Hour) {
		return fmt.Errorf("rhost.yaml: retention.replay: %v is not between 1ms and 1h; the default is %v", c.Replay, replayFor)
	}
	return nil
}

// keepAge is an age; off is -1.
type keepAge time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *keepAge) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*k = -1
		return nil
	}
	d, err := yamldoc.ParseDuration(string(text))
	if err != nil || d < time.Minute {
		return fmt.Errorf("%q is no age of a minute or more; write one such as 7d, or off", text)
	}
	*k = keepAge(d)
	return nil
}

// keepBytes is a number of bytes; off is -1.
type keepBytes int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *keepBytes) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*k = -1
		return nil
	}
	n, err := yamldoc.ParseBytes(string(text))
	if err != nil || n < 1<<20 {
		return fmt.Errorf("%q is no size of 1MiB or more; write one such as 10GiB, or off", text)
	}
	*k = keepBytes(n)
	return nil
}

func (c RetentionConfig) withDefaults() RetentionConfig {
	if c.Age == 0 {
		c.Age = keepAge(defaultKeepAge)
	}
	if c.Bytes == 0 {
		c.Bytes = defaultKeepBytes
	}
	if c.Replay == 0 {
		c.Replay = replayFor
	}
	return c
}

// keeper removes what need not be kept: the beginning of the log, and blobs that
// nothing names.
type keeper struct {
	config RetentionConfig
	log    *eventlog.Log
	size   func(context.Context) (int64, error) // of the log on disk
	ledger string                               // file that names versions of plugins
	blobs  *heldBlobs
	now    func() time.Time
	swept  time.Time

	account  *account                    // of tenants; nil: nobody counts
	snapshot func(context.Context) error // takes one, whether or not anything has happened
	editions *editions                   // of a cluster; nil: none
}

// run looks, every minute, whether something may go.
func (k *keeper) run(ctx context.Context, warn func(error)) error {
	k.swept = k.now() // starting has enough to do
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := k.once(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, eventlog.ErrClosed) {
			warn(err)
		}
	}
}

// once removes what may go now.
func (k *keeper) once(ctx context.Context) error {
	floor, ok, err := k.floor(ctx)
	if err == nil && !ok && k.account.refusing() {
		err = k.snapshot(ctx)
	}
	if err != nil || !ok {
		return err
	}
	cut, err := k.cut(ctx)
	if err == nil && !cut.IsZero() {
		err = k.release(ctx, floor, cut)
	}
	if err == nil {
		err = k.account.trim(ctx, k.log)
	}
	if err == nil && k.now().Sub(k.swept) >= sweepEvery {
		err = k.sweep(ctx)
		k.swept = k.now()
	}
	return err
}

// floor is what the oldest snapshot that is kept leaves to be replayed. ok is false
// while there is none: then all of the log is needed.
func (k *keeper) floor(ctx context.Context) (floor snapshotNote, ok bool, err error) {
	stored, err := logSnapshots{k.blobs}.NewestSnapshots(ctx, keptSnapshots)
	if err != nil || len(stored) < keptSnapshots {
		return floor, false, err // the first ones leave no other to fall back on
	}
	for _, one := range stored {
		if one.err != nil {
			continue // it is of no use, and the others are older
		}
		note, err := readNote(one.body)
		if err != nil {
			continue
		}
		if !ok || note.Frame < floor.Frame || note.Run < floor.Run {
			floor, ok = *note, true
		}
	}
	return floor, ok, nil
}

// cut is the time from which on the log is kept by age and size; zero: all of it.
func (k *keeper) cut(ctx context.Context) (time.Time, error) {
	first, tail := k.log.First(), k.log.Tail()
	if tail.Frame <= first.Frame {
		return time.Time{}, nil
	}
	var cut time.Time
	if k.config.Age > 0 {
		// By the newest record, when the clock has run ahead of it.
		newest, err := timeOf(ctx, k.log, tail.Frame)
		if err != nil {
			return cut, err
		}
		cut = earlier(newest, k.now()).Add(-time.Duration(k.config.Age))
	}
	if k.config.Bytes > 0 {
		size, err := k.size(ctx)
		if err != nil {
			return cut, err
		}
		if over := size - int64(k.config.Bytes); over > 0 {
			share := float64(over) / float64(size)
			at, err := timeOf(ctx, k.log, first.Frame+uint64(share*float64(tail.Frame-first.Frame)))
			if err != nil {
				return cut, err
			}
			if at.After(cut) {
				cut = at
			}
		}
	}
	return cut, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// release removes what is older than cut, as far as the floor allows.
func (k *keeper) release(ctx context.Context, floor snapshotNote, cut time.Time) error {
	ev, err := k.log.Since(ctx, cut)
	if err != nil {
		return err
	}
	run, err := k.log.RunLog().Since(ctx, cut)
	if err != nil {
		return err
	}
	if ev.Frame > floor.Frame && k.account.refusing() {
		// Somebody waits for room, and so nothing happens that would be a reason for
		// the snapshots without which more cannot go.
		if err := k.snapshot(ctx); err != nil {
			return err
		}
	}
	ev.Frame, ev.Index = min(ev.Frame, floor.Frame), 0
	run = min(run, floor.Run+1)
	if ev.Frame <= k.log.First().Frame && run <= k.log.RunLog().First() {
		return nil
	}
	return k.log.Release(ctx, ev, run)
}

// sizeOf is how much the files below a folder take.
func sizeOf(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return skipGone(err)
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return skipGone(err)
	})
	return size, err
}

// skipGone passes over what was removed meanwhile.
func skipGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// digests finds what may be the name of a blob.
var digests = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// sweep removes blobs that nothing names: no record of RUN, no revision of rules in
// EV, no snapshot that is kept, no plugin's version, no edition of a cluster. What there was before the marks
// are made is looked at, so nothing that comes meanwhile is removed; a sweep that
// ends in the middle has removed only what it may. Other groups of the engine have
// blobs of their own.
func (k *keeper) sweep(ctx context.Context) error {
	all, mark, err := k.log.Blobs(ctx)
	if err != nil {
		return err
	}
	k.blobs.forgetOld(heldFor)
	m := marker{keeper: k, named: make(map[string]bool)}
	if err := m.all(ctx); err != nil {
		return fmt.Errorf("look for blobs in use: %w", err)
	}
	// Another owner would have named some that this log does not see. One that comes
	// after this stores what it names again, behind the mark.
	if err := k.log.StillOurs(ctx); err != nil {
		return fmt.Errorf("remove blobs: %w", err)
	}
	for _, digest := range all {
		if m.named[digest] {
			continue
		}
		if err := k.blobs.drop(ctx, digest, mark); err != nil {
			return err
		}
	}
	return nil
}

// marker notes which blobs are in use.
type marker struct {
	*keeper
	named map[string]bool
}

func (m *marker) all(ctx context.Context) error {
	ledger, err := os.ReadFile(m.ledger)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	m.text(ledger)
	if m.editions != nil {
		if err := m.editions.mark(ctx, m.text); err != nil {
			return err
		}
	}
	if err := m.snapshots(ctx); err != nil {
		return err
	}
	err = m.log.Read(ctx, eventlog.Position{}, func(f *eventlog.Frame) error {
		for i := range f.Records {
			if r := &f.Records[i]; r.Kind == eventlog.Revision {
				m.rules(ctx, r.Key)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.log.RunLog().Replay(ctx, 0, func(_ uint64, recs []eventlog.RunRecord) error {
		for i := range recs {
			r := &recs[i]
			m.text(r.Body)
			if r.Kind == runRules {
				m.rules(ctx, r.Key)
			}
			if r.Kind&runIndirect != 0 {
				if err := m.inside(ctx, string(r.Body)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// text marks all that a text may name.
func (m *marker) text(b []byte) {
	for _, digest := range digests.FindAll(b, -1) {
		m.named[string(digest)] = true
	}
}

// rules marks a rule set and its files. One that is not there any more was named by
// what is older than the log.
func (m *marker) rules(ctx context.Context, digest string) {
	if m.named[digest+" read"] {
		return
	}
	m.named[digest], m.named[digest+" read"] = true, true
	if b, err := m.log.GetBlob(ctx, digest); err == nil {
		m.text(b)
	}
}

// inside marks what a record that is kept as a blob names.
func (m *marker) inside(ctx context.Context, digest string) error {
	b, err := m.log.GetBlob(ctx, digest)
	if err == nil {
		m.text(b)
	}
	return err
}

// snapshots marks the ones kept, and what they name. One that cannot be read
// stops the sweep: what it names is not known.
func (m *marker) snapshots(ctx context.Context) error {
	stored, err := logSnapshots{m.blobs}.NewestSnapshots(ctx, keptSnapshots)
	if err != nil {
		return err
	}
	for _, one := range stored {
		if one.err != nil {
			return one.err
		}
		note, err := readNote(one.body)
		if err != nil {
			return err
		}
		m.named[note.Digest] = true
		b, err := m.log.GetBlob(ctx, note.Digest)
		if err != nil {
			return err
		}
		if err := unseal(b, func(f *formReader) { m.stream(ctx, f) }); err != nil {
			return err
		}
	}
	return nil
}

// stream marks all that the inside of a snapshot may name.
func (m *marker) stream(ctx context.Context, f *formReader) {
	const overlap = len("sha256:") + 64 - 1
	found := make(map[string]bool)
	buf := make([]byte, 1<<16)
	kept := 0
	for {
		n, err := f.R.Read(buf[kept:])
		for _, digest := range digests.FindAll(buf[:kept+n], -1) {
			found[string(digest)] = true
		}
		end := kept + n
		kept = min(end, overlap)
		copy(buf, buf[end-kept:end])
		if err != nil {
			break // the end, or what unseal tells
		}
	}
	for digest := range found {
		m.rules(ctx, digest) // whatever it is, it may name others
	}
}

// heldBlobs are the blobs of a log while blobs that nothing names are removed beside:
// what was stored lately stays, whether or not a record names it yet.
type heldBlobs struct {
	*eventlog.Log
	now func() time.Time // only its differences count
	// gone is told of blobs that drop has removed; nil: nobody is.
	gone func(digest string)

	mu  sync.RWMutex         // held, for reading, while a blob is stored
	own sync.Mutex           // guards put
	put map[string]time.Time // stored by this process, and there
}

func newHeldBlobs(log *eventlog.Log) *heldBlobs {
	return &heldBlobs{Log: log, now: time.Now, put: make(map[string]time.Time)}
}

// PutBlob stores a blob that is not removed for a day.
func (h *heldBlobs) PutBlob(ctx context.Context, digest string, b []byte) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.touch(digest) {
		return nil
	}
	if err := h.Log.PutBlob(ctx, digest, b); err != nil {
		return err
	}
	h.own.Lock()
	defer h.own.Unlock()
	h.put[digest] = h.now()
	return nil
}

// touch has a blob be new, if it was stored by this process.
func (h *heldBlobs) touch(digest string) bool {
	h.own.Lock()
	defer h.own.Unlock()
	_, ok := h.put[digest]
	if ok {
		h.put[digest] = h.now()
	}
	return ok
}

// drop removes a blob, unless it was stored lately, or after mark.
func (h *heldBlobs) drop(ctx context.Context, digest string, mark eventlog.BlobMark) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.Lock()
	_, held := h.put[digest]
	h.own.Unlock()
	if held {
		return nil
	}
	err := h.DeleteBlob(ctx, digest, mark)
	if err == nil && h.gone != nil {
		h.gone(digest)
	}
	return err
}

// Remove removes a blob, whenever it was stored.
func (h *heldBlobs) Remove(ctx context.Context, digest string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.Lock()
	delete(h.put, digest)
	h.own.Unlock()
	return h.DeleteBlob(ctx, digest, eventlog.AnyBlob)
}

// forgetOld lets go of blobs stored so long ago. That is time in which this process
// ran: when a clock is set forward, or a machine was asleep, what waits to be written
// still waits.
func (h *heldBlobs) forgetOld(age time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.Lock()
	defer h.own.Unlock()
	now := h.now()
	for digest, when := range h.put {
		if now.Sub(when) > age {
			delete(h.put, digest)
		}
	}
}

// LogSummary says what of the log is kept.
type LogSummary struct {
	Since    time.Time `json:"since,omitzero"` // of the oldest record; older ones were removed
	Begin    string    `json:"begin"`          // position of the oldest record
	End      string    `json:"end"`            // and of the newest
	Snapshot time.Time `json:"snapshot,omitzero"`
	Bytes    int       `json:"snapshot_bytes,omitempty"`
	Replay   int64     `json:"replay_ms"` // about how long a replay of what came after it takes
}

// logSummary asks the lane and the log.
func (h *Host) logSummary(ctx context.Context) *LogSummary {
	first := h.log.First()
	s := &LogSummary{Begin: strconv.FormatUint(first.Frame, 10), End: h.log.Tail().String()}
	var err error
	if s.Since, err = begins(ctx, h.log); err != nil {
		return nil
	}
	err = h.lane.ask(ctx, func() {
		if note := h.lane.snaps.latest; note != nil {
			s.Snapshot, s.Bytes = note.At, note.Bytes
		}
		s.Replay = h.lane.snaps.busy.Milliseconds()
	})
	if err != nil {
		return nil
	}
	return s
}

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/yamldoc"
)

const (
	defaultKeepAge   = 30 * 24 * time.Hour
	defaultKeepBytes = 10 << 30

	retainEvery = time.Minute
	sweepEvery  = 24 * time.Hour
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

package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// The defaults and bounds of a Config.
const (
	DefaultMaxQueue      = 4096
	DefaultMaxQueueBytes = 64 << 20
	DefaultMaxFrame      = 1_000_000
	DefaultRecentBytes   = 32 << 20
	DefaultDedupWindow   = 10 * time.Minute
	DefaultDedupRecords  = 500_000
	DefaultAckTimeout    = 10 * time.Second
	DefaultMinFree       = 64 << 20

	minMaxFrame = 4 << 10
	maxMaxFrame = 1_000_000 // with its header a message stays below the server's 1 MiB
)

// Config says where a log lives and how much it may use. Fields left zero have
// their defaults.
type Config struct {
	// Dir is the folder of the log, for Open. It is created with mode 0700 when
	// missing; its parent must exist.
	Dir string
	// MaxQueue is how many commits may wait for their answer, and MaxQueueBytes
	// how much they may carry together. Beyond either, TryCommit returns ErrFull;
	// Commit joins the end of the queue and waits.
	MaxQueue      int
	MaxQueueBytes int64
	// MaxFrame bounds the bytes of one frame, and so of one Commit or Append.
	MaxFrame int
	// RecentBytes is how much of the newest frames is kept in memory for
	// followers. One that falls further behind reads from the stream.
	RecentBytes int64
	// DedupWindow and DedupRecords say how far back a record's DedupKey is
	// recognised: in time, and in records written since. Negative: not at all.
	DedupWindow  time.Duration
	DedupRecords int
	// AckTimeout is how long a stored frame may take to be acknowledged before
	// its outcome counts as unknown.
	AckTimeout time.Duration
	// MinFree is the room on disk, in bytes, below which commits are refused
	// with ErrDiskFull.
	MinFree int64
	// Owner describes this process to others that find the folder locked.
	Owner string
	// Logger receives what the log and its storage engine have to say: warnings
	// and errors, and more at debug level. Nil: nothing.
	Logger *slog.Logger
	// Now is the clock of Ingest stamps; nil means time.Now. Readings may jump;
	// stamps do not go back.
	Now func() time.Time
	// Meter is asked whether there is room for the events of a tenant. Nil: nobody.
	Meter Meter
	// Writer marks the frames of this log, so that it knows them again. 0 draws a
	// number; a test that wants to have the same frames each time sets it.
	Writer uint64
}

// withDefaults returns c with its zero fields filled in.
func (c Config) withDefaults() Config {
	setDefault(&c.MaxQueue, DefaultMaxQueue)
	setDefault(&c.MaxQueueBytes, DefaultMaxQueueBytes)
	setDefault(&c.MaxFrame, DefaultMaxFrame)
	setDefault(&c.RecentBytes, DefaultRecentBytes)
	setDefault(&c.DedupWindow, DefaultDedupWindow)
	setDefault(&c.DedupRecords, DefaultDedupRecords)
	setDefault(&c.AckTimeout, DefaultAckTimeout)
	setDefault(&c.MinFree, DefaultMinFree)
	setDefault(&c.Owner, "another process")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports everything wrong with c, not only the first thing. Zero
// fields are fine.
func (c Config) Validate() error {
	var errs []error
	if c.MaxFrame != 0 && (c.MaxFrame < minMaxFrame || c.MaxFrame > maxMaxFrame) {
		errs = append(errs, fmt.Errorf("max frame: %d is outside %d to %d bytes", c.MaxFrame, minMaxFrame, maxMaxFrame))
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"max queue", int64(c.MaxQueue)},
		{"max queue bytes", c.MaxQueueBytes},
		{"recent bytes", c.RecentBytes},
		{"ack timeout", int64(c.AckTimeout)},
		{"min free", c.MinFree},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %d is below 0", f.name, f.value))
		}
	}
	return errors.Join(errs...)
}

package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Log is the open log of one group. Its methods may be called from any
// goroutine.
type Log struct {
	cfg       Config
	store     Store
	engine    *Engine // closed with the log; nil when it is somebody else's
	events    *stream
	committer *Committer
	recent    *recent
	run       *RunLog
	notes     notes
	witnessed floors      // what the witness knew at the start of how far the streams were purged
	releasing sync.Mutex  // held by Release
	claimed   atomic.Bool // by this log, see Claim
	deleting  atomic.Bool // a delete of a blob has failed, and may come to the servers yet
	fenced    atomic.Bool // another owner was found to have written
	count     counters
	free      func() (int64, bool) // room where the log is stored

	closing   chan struct{} // closed by Close
	closeOnce sync.Once
	closeErr  error
}

// Open opens the log of one machine, group 0 of an engine in c.Dir, creating it
// when there is none, and checks what it finds. It appends nothing by itself: a
// command that only reads opens the folder in the same way. Close the log when
// done.
//
// The errors name the folder and the cause: *LockedError when another process
// has it open, ErrDiskFull, *CorruptError when stored data is damaged or
// missing; the folder is then left as it is.
func Open(ctx context.Context, c Config) (*Log, error) {
	if c.Dir == "" {
		return nil, errors.New("open log: dir: must name a folder")
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	e, err := startEngine(ctx, EngineConfig{Dir: c.Dir, Owner: c.Owner, Logger: c.Logger})
	if err != nil {
		return nil, nameFolder("open log", c.Dir, err)
	}
	l, err := e.open(ctx, 0, c)
	if err != nil {
		return nil, nameFolder("open log", c.Dir, errors.Join(err, e.Close()))
	}
	l.engine = e
	return l, nil
}

// Open opens the log of one group. c.Dir and c.Owner are not looked at. Several
// groups may be open at a time, each of them once. Close the log before the
// engine.
func (e *Engine) Open(ctx context.Context, group int, c Config) (*Log, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l, err := e.open(ctx, group, c)
	if err != nil {
		return nil, e.cfg.name(fmt.Sprintf("open log of group %d", group), err)
	}
	return l, nil
}

func (e *Engine) open(ctx context.Context, group int, c Config) (*Log, error) {
	c.Dir = e.cfg.Dir
	s, err := e.store(group)
	if err != nil {
		return nil, err
	}
	l, err := openOn(ctx, s, c, s.origin)
	if err != nil {
		if e.folder != nil {
			e.folder.doubt()
		}
		return nil, errors.Join(err, s.Close())
	}
	e.log.ready.Store(true)
	return l, nil
}

// OpenStore opens the log that is kept in s, which belongs to the log from here
// on, whatever OpenStore returns. c.Dir and c.Owner are not looked at.
func OpenStore(ctx context.Context, s Store, c Config) (*Log, error) {
	err := c.Validate()
	if err == nil {
		var l *Log
		if l, err = openOn(ctx, s, c, origin{}); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("open log: %w", errors.Join(err, s.Close()))
}

// origin is what else is known of a store.
type origin struct {
	witness *witness                 // of what has been stored, or nil
	said    [witnessSlots]*testimony // what it knew before
	// patience is how long a store may lag behind what it has acknowledged: servers
	// that store together do, while they elect a leader.
	patience time.Duration
}

// openOn takes over the streams of s where they end.
func openOn(ctx context.Context, s Store, c Config, o origin) (*Log, error) {
	c = c.withDefaults()
	l := &Log{cfg: c, store: s, closing: make(chan struct{}), recent: newRecent(c.RecentBytes), free: s.Free}
	l.events = l.stream(s, EventStream, o.patience)
	runs := l.stream(s, RunStream, o.patience)
	writer := cmp.Or(c.Writer, rand.Uint64())
	l.notes = notes{store: s.Notes(), writer: writer, stamp: func() int64 { return l.stamp(time.Now()) }, within: c.AckTimeout}
	l.committer = newCommitter(l, l.appender(l.events, eventFrame, o.witness, slotEvents, writer))
	l.run = newRunLog(l, l.appender(runs, runFrame, o.witness, slotRun, writer))
	l.witnessed = floorsSaid(o.said)
	if err := l.recoverEvents(ctx, o.said[slotEvents]); err != nil {
		return nil, err
	}
	if err := l.run.recover(ctx, o.said[slotRun]); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Log) stream(s Store, kind StreamKind, patience time.Duration) *stream {
	return &stream{Stream: s.Stream(kind), timeout: l.cfg.AckTimeout, patience: patience, floor: func(ctx context.Context) (uint64, error) {
		f, err := l.floors(ctx)
		if kind == RunStream {
			return f.run, err
		}
		return f.ev, err
	}}
}

func (l *Log) appender(s *stream, typ frameType, w *witness, slot int, writer uint64) *appender {
	// The run log may use up half of the reserve: what was accepted can then
	// still be dealt with.
	least := l.cfg.MinFree
	if typ == runFrame {
		least /= 2
	}
	return &appender{
		s: s, typ: typ, writer: writer, witness: w, slot: slot, logger: l.cfg.Logger,
		room: func() error { return l.checkRoom(least) }, fenced: &l.fenced,
	}
}

func (l *Log) checkRoom(least int64) error {
	if free, ok := l.free(); ok && free < least {
		return fmt.Errorf("%w: %d bytes are free%s, and %d are kept in reserve", ErrDiskFull, free, l.where(), least)
	}
	return nil
}

// stamp is the log's reading of the clock at the moment now.
func (l *Log) stamp(now time.Time) int64 {
	if l.cfg.Now != nil {
		now = l.cfg.Now()
	}
	return now.UnixNano()
}

// Committer returns the log's only writer of records.
func (l *Log) Committer() *Committer { return l.committer }

// RunLog returns the stream of what the host has decided.
func (l *Log) RunLog() *RunLog { return l.run }

// Tail is the position of the last record known to be durable; zero when the
// log is empty.
func (l *Log) Tail() Position { return l.recent.view(0).tail }

// where is the log's folder as a part of a sentence.
func (l *Log) where() string {
	if l.cfg.Dir == "" {
		return ""
	}
	return " in " + l.cfg.Dir
}

// Close stops the log and waits until nothing of it runs any more, the
// committer's Run included. Calls in progress fail with ErrClosed; to lose no
// queued record, end Run's context first and wait for it. A second Close does
// nothing and returns what the first did.
func (l *Log) Close() error {
	l.closeOnce.Do(func() {
		close(l.closing)
		l.committer.shut()
		l.recent.close()
		if err := l.release(l.run.shut() && !l.committer.out.doubt); err != nil {
			l.closeErr = fmt.Errorf("close log%s: %w", l.where(), err)
		}
	})
	return l.closeErr
}

// release gives back what opening has got, last things first. sure says that
// the fate of every frame is known.
func (l *Log) release(sure bool) error {
	if s, ok := l.store.(*natsStore); ok && !sure && s.engine.folder != nil {
		s.engine.folder.doubt()
	}
	err := l.store.Close()
	if l.engine != nil {
		err = errors.Join(err, l.engine.Close())
	}
	return err
}

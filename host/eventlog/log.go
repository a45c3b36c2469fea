package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// leastFree is the room on disk without which a log cannot even be opened.
const leastFree = 4 << 20

// Log is an open log. Its methods may be called from any goroutine.
type Log struct {
	cfg       Config
	lock      *os.File
	witness   *witness
	engine    *engine
	events    *stream
	committer *Committer
	recent    *recent
	run       *RunLog
	blobs     blobs
	count     counters
	free      func() (int64, bool) // room on disk

	closing   chan struct{} // closed by Close
	closeOnce sync.Once
	closeErr  error
}

// Open opens the log in c.Dir, creating it when there is none, and checks what
// it finds. It appends nothing by itself: a command that only reads opens the
// folder in the same way. Close the log when done.
//
// The errors name the folder and the cause: *LockedError when another process
// has it open, ErrDiskFull, *CorruptError when stored data is damaged or
// missing; the folder is then left as it is.
func Open(ctx context.Context, c Config) (*Log, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	c = c.withDefaults()
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", c.Dir, err)
	}
	c.Dir = dir
	l := &Log{cfg: c, closing: make(chan struct{}), recent: newRecent(c.RecentBytes)}
	l.free = func() (int64, bool) { return diskFree(dir) }
	if err := l.open(ctx); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			err = fmt.Errorf("%w: %w", ErrDiskFull, err)
		}
		err = errors.Join(err, l.release(false))
		if locked := (*LockedError)(nil); errors.As(err, &locked) {
			return nil, err // it names the folder already
		}
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	if err := prepareDir(l.cfg.Dir); err != nil {
		return err
	}
	var err error
	if l.lock, err = lockDir(l.cfg.Dir, l.cfg.Owner); err != nil {
		return explain(err)
	}
	if free, ok := l.free(); ok && free < leastFree {
		return fmt.Errorf("%w: %d bytes are free, a log needs %d to start", ErrDiskFull, free, leastFree)
	}
	said, err := l.inspect()
	if err != nil {
		return explain(err)
	}
	if l.engine, err = startEngine(ctx, l.cfg.Dir, l.cfg.Logger); err != nil {
		return err
	}
	if err := l.attach(ctx, said); err != nil {
		return err
	}
	l.engine.ready()
	return nil
}

// prepareDir makes sure that dir is a folder to write in.
func prepareDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return nil
	}
	info, statErr := os.Stat(dir)
	switch {
	case statErr == nil && !info.IsDir():
		return errors.New("it is a file, not a folder")
	case statErr == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("its parent folder is missing: %w", err)
	}
	return fmt.Errorf("the folder cannot be created: %w", err)
}

// explain adds what an operator can do to errors of the file system.
func explain(err error) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("the folder is not writable: %w", err)
	}
	return err
}

// inspect reads what the log left behind when it was last open, before the
// storage engine changes anything.
func (l *Log) inspect() (said [witnessSlots]*testimony, err error) {
	if l.witness, said, err = openWitness(l.cfg.Dir); err != nil {
		return said, err
	}
	clean := said[slotClean] != nil && said[slotClean].seq == 1
	for slot, name := range []string{slotEvents: eventStream, slotRun: runStream, slotClean: blobStream} {
		if clean {
			// The engine reads its index then; where that is gone, the blocks.
			if ok, err := indexed(l.cfg.Dir, name); err != nil {
				return said, err
			} else if ok {
				continue
			}
		}
		var last *testimony // the blobs have none
		if name != blobStream {
			last = said[slot]
		}
		torn, err := preflight(l.cfg.Dir, name, last)
		if err != nil {
			return said, err
		}
		if torn > 0 {
			l.cfg.Logger.Info("the log was not closed in good order; a write that was never acknowledged is dropped",
				"stream", name, "bytes", torn)
		}
	}
	return said, l.witness.sayClean(false)
}

// attach connects to the streams and takes over where they end.
func (l *Log) attach(ctx context.Context, said [witnessSlots]*testimony) error {
	var err error
	if l.events, err = l.stream(eventStream, eventSubject); err != nil {
		return err
	}
	runs, err := l.stream(runStream, runSubject)
	if err != nil {
		return err
	}
	writer := rand.Uint64()
	l.committer = newCommitter(l, l.appender(l.events, eventFrame, slotEvents, writer))
	l.run = newRunLog(l, l.appender(runs, runFrame, slotRun, writer))
	l.blobs.log = l
	if err := l.recoverEvents(ctx, said[slotEvents]); err != nil {
		return err
	}
	return l.run.recover(ctx, said[slotRun])
}

func (l *Log) stream(name, subject string) (*stream, error) {
	write, err := l.engine.connect("write " + name)
	if err != nil {
		return nil, err
	}
	read, err := l.engine.connect("read " + name)
	if err != nil {
		return nil, err
	}
	return &stream{name: name, subject: subject, write: write, read: read, timeout: l.cfg.AckTimeout}, nil
}

func (l *Log) appender(s *stream, typ frameType, slot int, writer uint64) appender {
	// The run log may use up half of the reserve: what was accepted can then
	// still be dealt with.
	least := l.cfg.MinFree
	if typ == runFrame {
		least /= 2
	}
	return appender{
		s: s, typ: typ, writer: writer, witness: l.witness, slot: slot, logger: l.cfg.Logger,
		room: func() error { return l.checkRoom(least) },
	}
}

func (l *Log) checkRoom(least int64) error {
	if free, ok := l.free(); ok && free < least {
		return fmt.Errorf("%w: %d bytes are free in %s, and %d are kept in reserve", ErrDiskFull, free, l.cfg.Dir, least)
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

// Close stops the log and waits until nothing of it runs any more, the
// committer's Run included. Calls in progress fail with ErrClosed; to lose no
// queued record, end Run's context first and wait for it. A second Close does
// nothing and returns what the first did.
func (l *Log) Close() error {
	l.closeOnce.Do(func() {
		close(l.closing)
		l.committer.shut()
		l.recent.close()
		clean := l.run.shut() && !l.committer.out.doubt
		if err := l.release(clean); err != nil {
			l.closeErr = fmt.Errorf("close log %s: %w", l.cfg.Dir, err)
		}
	})
	return l.closeErr
}

// release gives back what open has got, last things first.
func (l *Log) release(clean bool) error {
	var errs []error
	if l.engine != nil {
		l.engine.stop()
	}
	if l.witness != nil {
		if clean {
			errs = append(errs, l.witness.sayClean(true))
		}
		errs = append(errs, l.witness.close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}

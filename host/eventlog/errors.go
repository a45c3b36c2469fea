package eventlog

import (
	"errors"
	"fmt"
)

// What callers compare with errors.Is. The errors returned say more than
// these: sizes, names, and what to do.
var (
	// ErrFull means that the committer's queue has no room. Nothing was
	// written; push back on the source and try again later.
	ErrFull = errors.New("the log's queue is full")
	// ErrTooLarge means that what was to be one frame is larger than a frame
	// may be. Nothing was written and no later try can succeed.
	ErrTooLarge = errors.New("too large for one frame")
	// ErrClosed means that the log, or its committer, takes nothing any more.
	ErrClosed = errors.New("the log is closed")
	// ErrFenced means that somebody else has written to the stream since: this
	// process no longer owns it and must stop. Nothing was written.
	ErrFenced = errors.New("another writer has taken over the log")
	// ErrUncertain means that the log did not answer in time: what was to be
	// written may or may not be stored. Records with a DedupKey may be sent again.
	ErrUncertain = errors.New("the log did not answer; the outcome is unknown")
	// ErrBroken means that a write of the storage engine failed, after which it takes
	// no other until it is started anew: the log has to be closed and opened again,
	// once the cause, a disk without room as a rule, is gone.
	ErrBroken = errors.New("the storage engine cannot write any more; make room and start again")
	// ErrDiskFull means that the disk has no room for another frame. Nothing
	// was written; commits succeed again once there is room.
	ErrDiskFull = errors.New("the disk is full")
	// ErrNotFound means that there is no blob with the digest asked for.
	ErrNotFound = errors.New("not found")
	// ErrOutside means that a position lies outside what the log holds: beyond
	// its end, or before its first frame.
	ErrOutside = errors.New("outside the log")
)

// LockedError reports that another process has the log's folder open.
type LockedError struct {
	Dir    string
	Holder string // what the other process said of itself, such as "pid 71, rhost run, since …"
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("open log %s: it is in use by %s; stop that process first or choose another folder", e.Dir, e.Holder)
}

// CorruptError reports stored data that is not what was written. The log never
// skips such data: reading stops before it, and everything before it is good.
type CorruptError struct {
	Stream string // such as "EV", "RUN" or, of group 3, "EV-3"
	Seq    uint64 // first frame concerned; 0 when it is no frame
	Reason string
	Fix    string
}

func (e *CorruptError) Error() string {
	where := "stream " + e.Stream
	if e.Seq > 0 {
		where = fmt.Sprintf("%s, frame %d", where, e.Seq)
	}
	return fmt.Sprintf("%s: %s; %s", where, e.Reason, e.Fix)
}

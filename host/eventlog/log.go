package eventlog

import (
	"context"
	"errors"
)

var errNotYet = errors.New("not available yet")

// Log is an open log. Its methods may be called from any goroutine.
type Log struct{ cfg Config }

// Open opens the log in c.Dir, creating it when there is none, and checks what
// it finds. It writes nothing by itself: a command that only reads opens the
// folder in the same way. Close the log when done.
//
// The errors name the folder and the cause: *LockedError when another process
// has it open, *CorruptError when stored data is damaged or missing.
func Open(ctx context.Context, c Config) (*Log, error) { return nil, errNotYet }

// Close stops the log and waits until nothing of it runs any more. Calls in
// progress fail with ErrClosed. Stop the committer's Run first to lose no
// queued record. A second Close does nothing.
func (l *Log) Close() error { return errNotYet }

// Committer returns the log's only writer of records.
func (l *Log) Committer() *Committer { return nil }

// RunLog returns the stream of what the host has decided.
func (l *Log) RunLog() *RunLog { return nil }

// Tail is the position of the last record known to be durable; zero when the
// log is empty.
func (l *Log) Tail() Position { return Position{} }

// Follow hands every frame that holds a record at or after from to fn, in
// order, each once: first those stored, then those being committed, from
// memory, as soon as they are durable. A frame is never seen before its
// commit was acknowledged. A follower that is slower than the committer holds
// nobody up: it reads from the stream until it has caught up.
//
// Follow returns nil when ctx ends, fn's error as it is when fn fails,
// ErrOutside when from lies beyond the log's end, *CorruptError at damaged
// data, ErrClosed when the log is closed.
func (l *Log) Follow(ctx context.Context, from Position, fn func(*Frame) error) error {
	return errNotYet
}

// Read is Follow up to the tail at the time of the call.
func (l *Log) Read(ctx context.Context, from Position, fn func(*Frame) error) error {
	return errNotYet
}

// PutBlob stores b under its digest, "sha256:" and 64 hexadecimal digits. It
// is durable when PutBlob returns; storing it again does nothing.
func (l *Log) PutBlob(ctx context.Context, digest string, b []byte) error { return errNotYet }

// GetBlob returns what was stored under digest, verified, or ErrNotFound.
func (l *Log) GetBlob(ctx context.Context, digest string) ([]byte, error) { return nil, errNotYet }

// Committer is the single way to write records. See Commit.
type Committer struct{}

// Result says where the records of one Commit are.
type Result struct {
	// Last is the highest position among the records, a duplicate counting
	// where it was first stored.
	Last Position
	// Duplicates lists the indices of records that had been accepted before and
	// were not stored again. Nil when all are new.
	Duplicates []int
}

// Run commits what Commit and TryCommit bring, until ctx ends; then it takes
// nothing new, commits what is queued and returns nil. Call it once.
func (c *Committer) Run(ctx context.Context) error { return errNotYet }

// Commit stores recs, all in one frame and in their order, or none of them,
// and returns once they are safe on disk. It waits while the queue is full.
//
// When ctx ends while recs are queued, they are withdrawn; when it ends later,
// Commit returns ErrUncertain.
func (c *Committer) Commit(ctx context.Context, recs []Record) (Result, error) {
	return Result{}, errNotYet
}

// TryCommit is Commit, except that it returns ErrFull at once when the queue
// is full.
func (c *Committer) TryCommit(ctx context.Context, recs []Record) (Result, error) {
	return Result{}, errNotYet
}

// RunKind says what a RunRecord is. The host gives the numbers their meaning;
// zero is refused.
type RunKind uint8

// RunRecord is one entry of the run log: a match, an intent, a result, a state
// change, a checkpoint. The log reads none of it.
type RunRecord struct {
	Kind RunKind
	Key  string
	Body []byte
}

// RunLog is the stream RUN: everything the core decides, one frame for each
// progress commit.
type RunLog struct{}

// Append stores recs as one frame, whole or not at all, and returns its
// sequence once it is safe on disk. Concurrent calls are put in some order.
func (r *RunLog) Append(ctx context.Context, recs []RunRecord) (seq uint64, err error) {
	return 0, errNotYet
}

// Replay hands every frame from sequence from on, in order, up to the tail at
// the time of the call. From 0 and 1 both mean the start.
func (r *RunLog) Replay(ctx context.Context, from uint64, fn func(seq uint64, recs []RunRecord) error) error {
	return errNotYet
}

// Tail is the sequence of the last frame known to be durable; 0 when empty.
func (r *RunLog) Tail() uint64 { return 0 }

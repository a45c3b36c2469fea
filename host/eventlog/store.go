package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Store is where the log of one group is kept: two streams of frames, a few
// small notes, and blobs. An Engine gives them out; the package eventlogtest has
// one in memory.
//
// A Store knows nothing of what it keeps. Its methods, and those of what it
// gives out, may be called together. Close ends it; calls in progress fail.
type Store interface {
	// Stream is the stream of one kind. It need not exist before its Ensure.
	Stream(kind StreamKind) Stream
	// Notes and Blobs need not be created; the first Put does that.
	Notes() Notes
	Blobs() Blobs
	// Free tells how many bytes may still be stored, when that is known.
	Free() (bytes int64, known bool)
	Close() error
}

// StreamKind names one of a group's streams.
type StreamKind uint8

// The kinds of streams.
const (
	EventStream StreamKind = iota + 1 // EV: what comes in
	RunStream                         // RUN: what the core decides
)

// NamesOf returns what the stream of a kind is called in group, and the subject
// of its messages. Group 0, which is all that one machine has, goes without a
// number: EV and ev.0; group 3 has EV-3 and ev.3.
func (k StreamKind) NamesOf(group int) (stream, subject string) {
	switch k {
	case EventStream:
		return groupName("EV", group), "ev." + strconv.Itoa(group)
	case RunStream:
		return groupName("RUN", group), "run." + strconv.Itoa(group)
	}
	panic(fmt.Sprintf("eventlog: there is no stream of kind %d", uint8(k)))
}

func groupName(base string, group int) string {
	if group == 0 {
		return base
	}
	return base + "-" + strconv.Itoa(group)
}

// maxGroup bounds the numbers of groups.
const maxGroup = 9999

// Stream is a sequence of messages, numbered from 1 without a gap. Messages
// leave it by Purge alone, the oldest first.
type Stream interface {
	// Name is what errors call the stream.
	Name() string
	// Ensure creates the stream, or takes over the one that is there.
	Ensure(ctx context.Context) error
	State(ctx context.Context) (StreamState, error)
	// Publish stores b as message seq and returns once it is safe on disk, or on
	// as many disks as the store promises. It does so at most once and only when
	// seq-1 is the last message. The outcomes are
	//
	//	nil           stored
	//	ErrStale      not stored: seq is taken, or seq-1 is not there yet
	//	ErrUncertain  nobody knows; it may even be stored later
	//	any other     not stored, and will not be
	Publish(ctx context.Context, seq uint64, b []byte) error
	// Get returns message seq, or ErrNotFound. The bytes are the caller's.
	Get(ctx context.Context, seq uint64) ([]byte, error)
	// Scan hands fn those of the messages from..to that there are, in order, and
	// returns fn's error as it is. The bytes are fn's to keep.
	Scan(ctx context.Context, from, to uint64, fn func(seq uint64, b []byte) error) error
	// Purge removes the messages below seq, which must not be beyond the last.
	Purge(ctx context.Context, seq uint64) error
}

// StreamState is what a store says a stream holds. An empty stream has no Last;
// one that was emptied has, and Count 0.
type StreamState struct {
	First, Last uint64
	Count       uint64
	Bytes       uint64
	Missing     []uint64 // sequences missing between First and Last, as far as the store lists them
}

// Notes are small records under a few names. Of each name the newest NotesKept
// are kept, the others go by themselves.
type Notes interface {
	// Put stores b under name when after is the sequence of the newest note of
	// that name, 0 meaning that there is none. The outcomes are those of
	// Stream.Publish.
	Put(ctx context.Context, name string, after uint64, b []byte) (seq uint64, err error)
	// List returns the notes of a name, newest first.
	List(ctx context.Context, name string) ([]Note, error)
}

// NotesKept is how many notes of one name a store keeps.
const NotesKept = 8

// Note is one stored note. Sequences grow and need not be dense.
type Note struct {
	Seq  uint64
	Body []byte
}

// Blobs keeps bytes under names of lower-case hexadecimal digits.
type Blobs interface {
	// Put stores b, which replaces what the name stood for, whole or not at all.
	// It is durable when Put returns.
	Put(ctx context.Context, name string, b []byte) error
	// Get returns ErrNotFound for a name that was never stored, and *CorruptError
	// when a part is missing.
	Get(ctx context.Context, name string) ([]byte, error)
	// List returns all names, in no order, and a mark that parts what was stored
	// until now from what is stored after it, by whomever.
	List(ctx context.Context) (names []string, mark BlobMark, err error)
	// Delete removes a name, unless it was stored, or stored again, after mark. One
	// that is not there is no error.
	Delete(ctx context.Context, name string, mark BlobMark) error
}

// BlobMark is a place among all that was ever stored as blobs of a group.
type BlobMark uint64

// AnyBlob is behind whatever will be stored.
const AnyBlob BlobMark = math.MaxUint64

// What a Store's methods return besides ErrUncertain and ErrNotFound.
var (
	// ErrStale is the refusal of a message whose expected place is not the next.
	ErrStale = errors.New("the sequence is taken")
	// ErrUnavailable means that nobody can store anything at the moment: there is
	// no connection, or the servers are without a majority. Nothing was written;
	// try again later.
	ErrUnavailable = errors.New("the log's servers are not available")
)

// readTimeout bounds one request for stored data.
const readTimeout = 10 * time.Second

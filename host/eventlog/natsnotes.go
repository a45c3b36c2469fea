package eventlog

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// natsNotes keeps a group's notes in the stream SNAP, a subject for each name,
// of which the server drops all but the newest.
type natsNotes struct {
	connect  func(name string) (*nats.Conn, error)
	name     string
	subject  string // without the note's name
	replicas int
	shared   bool // see Engine.shared

	mu    sync.Mutex // guards the rest
	nc    *nats.Conn // opened at the first use
	ready bool       // the stream exists
}

func newNatsNotes(group, replicas int, shared bool, connect func(string) (*nats.Conn, error)) *natsNotes {
	return &natsNotes{
		connect: connect, replicas: replicas, shared: shared,
		name: groupName(noteStream, group), subject: "snap." + strconv.Itoa(group) + ".",
	}
}

// open returns the connection. With create it makes sure of the stream as well.
func (n *natsNotes) open(ctx context.Context, create bool) (*nats.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.nc == nil {
		nc, err := n.connect(n.name)
		if err != nil {
			return nil, err
		}
		n.nc = nc
	}
	if !create || n.ready {
		return n.nc, nil
	}
	c := streamConfig(n.name, n.subject+"*", n.replicas)
	c.MaxMsgsPerSubject = NotesKept
	c.AllowDirect = false // notes are read where they are written
	if err := ensure(ctx, n.nc, c, n.shared); err != nil {
		return nil, err
	}
	n.ready = true
	return n.nc, nil
}

func (n *natsNotes) Put(ctx context.Context, name string, after uint64, b []byte) (uint64, error) {
	nc, err := n.open(ctx, true)
	if err != nil {
		return 0, err
	}
	expect := nats.Header{"Nats-Expected-Last-Subject-Sequence": {strconv.FormatUint(after, 10)}}
	return send(ctx, nc, &nats.Msg{Subject: n.subject + name, Header: expect, Data: b}, n.shared)
}

func (n *natsNotes) List(ctx context.Context, name string) ([]Note, error) {
	nc, err := n.open(ctx, false)
	if err != nil {
		return nil, err
	}
	var notes []Note
	for next := uint64(1); ; {
		note, err := n.after(ctx, nc, name, next)
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		notes = append(notes, note)
		next = note.Seq + 1
	}
	slices.Reverse(notes)
	return notes[:min(len(notes), NotesKept)], nil
}

// last returns the newest note of a name, or ErrNotFound.
func (n *natsNotes) last(ctx context.Context, name string) (Note, error) {
	nc, err := n.open(ctx, false)
	if err != nil {
		return Note{}, err
	}
	return fromLeader(ctx, nc, n.name, leaderRequest{Last: n.subject + name}, n.shared)
}

// after returns the first note of a name at or after seq, from the stream's
// leader: another server's copy may lag behind.
func (n *natsNotes) after(ctx context.Context, nc *nats.Conn, name string, seq uint64) (Note, error) {
	return fromLeader(ctx, nc, n.name, leaderRequest{Seq: seq, Next: n.subject + name}, n.shared)
}

package eventlogtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rhost/rhost/host/eventlog"
)

func isNotFound(err error) bool { return errors.Is(err, eventlog.ErrNotFound) }

// notes are a group's notes as a node sees them.
type notes struct {
	store *store
	name  string
}

func (n *notes) Put(_ context.Context, name string, after uint64, b []byte) (uint64, error) {
	m, done, err := n.store.open()
	if err == nil {
		m.sequence(n.name).made = true
	}
	done()
	if err != nil {
		return 0, err
	}
	return n.store.publish(n.name, message{name: name, data: b}, func(q *sequence) bool {
		return q.newest(name) == after
	})
}

func (n *notes) List(_ context.Context, name string) ([]eventlog.Note, error) {
	m, done, err := n.store.openRead()
	defer done()
	if err != nil {
		return nil, err
	}
	q := m.reading(n.name)
	var list []eventlog.Note
	for seq := q.last(); seq > q.base && len(list) < eventlog.NotesKept; seq-- {
		if msg := q.at(seq); msg.name == name && !msg.gone {
			list = append(list, eventlog.Note{Seq: seq, Body: slices.Clone(msg.data)})
		}
	}
	return list, nil
}

// newest is the sequence of the newest note of a name; 0 when there is none.
func (s *sequence) newest(name string) uint64 {
	for seq := s.last(); seq > s.base; seq-- {
		if m := s.at(seq); m.name == name && !m.gone {
			return seq
		}
	}
	return 0
}

// blobs are the blobs of all groups as a node sees them. One is stored, whole and
// synced, or it is not.
type blobs struct{ store *store }

func (b *blobs) Put(_ context.Context, name string, body []byte) error {
	m, done, err := b.store.open()
	defer done()
	if err != nil {
		return err
	}
	f := m.fault()
	switch {
	case f == refused:
		return fmt.Errorf("%w: no server stores it", eventlog.ErrUnavailable)
	case m.full(len(body)) || f == lost || f == late || f == undone:
		return fmt.Errorf("%w: no answer", eventlog.ErrUncertain)
	}
	m.blobs[name] = slices.Clone(body)
	if f == ackLost {
		return fmt.Errorf("%w: no answer", eventlog.ErrUncertain)
	}
	return nil
}

func (b *blobs) Get(_ context.Context, name string) ([]byte, error) {
	m, done, err := b.store.openRead()
	defer done()
	if err != nil {
		return nil, err
	}
	body, ok := m.blobs[name]
	if !ok {
		return nil, eventlog.ErrNotFound
	}
	return slices.Clone(body), nil
}

func (b *blobs) List(context.Context) ([]string, error) {
	m, done, err := b.store.openRead()
	defer done()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(m.blobs)), nil
}

func (b *blobs) Delete(_ context.Context, name string) error {
	m, done, err := b.store.open()
	defer done()
	if err != nil {
		return err
	}
	delete(m.blobs, name)
	return nil
}

package eventlogtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// blobName names a blob. Groups have blobs of their own.
type blobName struct {
	group int
	name  string // digits of the digest
}

func nameOf(group int, digest string) blobName { return blobName{group, digest[len("sha256:"):]} }

// lateBlob is a blob that was sent, and is not there yet.
type lateBlob struct {
	name blobName
	body []byte
}

// landBlob has a late blob be there.
func (m *Model) landBlob(i int) {
	b := m.under[i]
	m.under = slices.Delete(m.under, i, i+1)
	m.putBlob(b.name, b.body)
}

// blob is a blob and its place among all that were stored.
type blob struct {
	body []byte
	no   int
}

func (m *Model) putBlob(name blobName, body []byte) {
	m.stored++
	m.blobs[name] = blob{body, m.stored}
}

// blobs are the blobs of a group as a node sees them. One is stored, whole and
// synced, or it is not.
type blobs struct{ store *store }

func (b *blobs) name(name string) blobName { return blobName{b.store.group, name} }

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
	case f == late:
		m.under = append(m.under, lateBlob{b.name(name), slices.Clone(body)})
		return fmt.Errorf("%w: no answer yet", eventlog.ErrUncertain)
	case m.full(len(body)) || f == lost || f == undone:
		return fmt.Errorf("%w: no answer", eventlog.ErrUncertain)
	}
	m.putBlob(b.name(name), slices.Clone(body))
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
	found, ok := m.blobs[b.name(name)]
	if !ok {
		return nil, eventlog.ErrNotFound
	}
	return slices.Clone(found.body), nil
}

// List sorts by when a blob was stored, since the order of digests would be another
// each time, where what is stored is.
func (b *blobs) List(context.Context) (names []string, mark eventlog.BlobMark, err error) {
	m, done, err := b.store.openRead()
	defer done()
	if err != nil {
		return nil, 0, err
	}
	for name := range m.blobs {
		if name.group == b.store.group {
			names = append(names, name.name)
		}
	}
	slices.SortFunc(names, func(x, y string) int { return cmp.Compare(m.blobs[b.name(x)].no, m.blobs[b.name(y)].no) })
	return names, eventlog.BlobMark(m.stored), nil
}

func (b *blobs) Delete(_ context.Context, name string, mark eventlog.BlobMark) error {
	m, done, err := b.store.open()
	defer done()
	if err != nil {
		return err
	}
	if eventlog.BlobMark(m.blobs[b.name(name)].no) <= mark {
		delete(m.blobs, b.name(name))
	}
	return nil
}

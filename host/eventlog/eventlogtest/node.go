package eventlogtest

import (
	"context"
	"fmt"
	"slices"

	"github.com/rhost/rhost/host/eventlog"
)

// Node is one machine's way to the servers of a model.
type Node struct {
	model *Model
	cut   bool // guarded by model.mu
}

// Node returns a new way to the servers.
func (m *Model) Node() *Node { return &Node{model: m} }

// Cut separates the node from the servers, or joins it again. What it sent
// before may still arrive.
func (n *Node) Cut(cut bool) {
	n.model.mu.Lock()
	defer n.model.mu.Unlock()
	n.cut = cut
}

// Store returns the store of a group. Any number of them may be open at a time.
func (n *Node) Store(group int) eventlog.Store { return &store{node: n, group: group} }

type store struct {
	node   *Node
	group  int
	closed bool // guarded by the model's lock
}

func (s *store) Stream(kind eventlog.StreamKind) eventlog.Stream {
	name, _ := kind.NamesOf(s.group)
	return &stream{store: s, name: name}
}

func (s *store) Notes() eventlog.Notes {
	return &notes{store: s, name: notesOf(s.group)}
}
func (s *store) Blobs() eventlog.Blobs { return &blobs{store: s} }

func (s *store) Free() (int64, bool) {
	m := s.node.model
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(m.cfg.Capacity-m.used(), 0), m.cfg.Capacity > 0
}

func (s *store) Close() error {
	s.node.model.mu.Lock()
	defer s.node.model.mu.Unlock()
	s.closed = true
	return nil
}

func notesOf(group int) string { return fmt.Sprintf("notes of group %d", group) }

// open begins a call: it takes the model's lock and reports why the call cannot
// be made. done ends it.
func (s *store) open() (m *Model, done func(), err error) {
	m = s.node.model
	m.mu.Lock()
	switch {
	case s.closed:
		err = eventlog.ErrClosed
	case s.node.cut:
		err = fmt.Errorf("%w: the node is cut off", eventlog.ErrUnavailable)
	}
	return m, m.mu.Unlock, err
}

// openRead is open for a call that reads.
func (s *store) openRead() (m *Model, done func(), err error) {
	m, done, err = s.open()
	if err == nil && m.unread() {
		err = fmt.Errorf("%w: nobody answered", eventlog.ErrUnavailable)
	}
	return m, done, err
}

// reading returns the messages of a name to somebody who reads them: a server
// shows what is synced. m.mu is held.
func (m *Model) reading(name string) *sequence {
	q := m.sequence(name)
	if !m.cfg.AckEarly {
		q.sync()
	}
	return q
}

// publish stores msg at the end of the sequence when fits still holds then.
func (s *store) publish(name string, msg message, fits func(*sequence) bool) (uint64, error) {
	m, done, err := s.open()
	defer done()
	if err != nil {
		return 0, err
	}
	q := m.sequence(name)
	for len(q.late) > 0 && m.cfg.Choose(2) == 1 {
		q.land(m.cfg.Choose(len(q.late)), m.cfg.NoFence)
	}
	msg.data = slices.Clone(msg.data)
	f := m.fault()
	switch {
	case m.full(len(msg.data)) || f == lost:
		return 0, fmt.Errorf("%w: no answer", eventlog.ErrUncertain)
	case f == refused || !q.made:
		return 0, fmt.Errorf("%w: no server stores it", eventlog.ErrUnavailable)
	case f == late:
		q.late = append(q.late, lateMessage{message: msg, fits: func() bool { return fits(q) }})
		return 0, fmt.Errorf("%w: no answer yet", eventlog.ErrUncertain)
	case !fits(q) && !m.cfg.NoFence:
		return 0, eventlog.ErrStale
	}
	seq := q.add(msg)
	if f == undone {
		return 0, fmt.Errorf("%w: no answer", eventlog.ErrUncertain)
	}
	if !m.cfg.AckEarly || m.cfg.Choose(2) == 0 {
		q.sync()
	}
	if f == ackLost {
		return 0, fmt.Errorf("%w: no answer", eventlog.ErrUncertain)
	}
	return seq, nil
}

// stream is one stream as a node sees it.
type stream struct {
	store *store
	name  string
}

func (s *stream) Name() string { return s.name }

func (s *stream) Ensure(context.Context) error {
	m, done, err := s.store.openRead()
	defer done()
	if err == nil {
		m.sequence(s.name).made = true
	}
	return err
}

func (s *stream) State(context.Context) (st eventlog.StreamState, err error) {
	m, done, err := s.store.openRead()
	defer done()
	if err != nil {
		return st, err
	}
	q := m.reading(s.name)
	st = eventlog.StreamState{First: q.base + 1, Last: q.last(), Bytes: uint64(q.bytes)}
	for seq := st.First; seq <= st.Last; seq++ {
		if q.at(seq).gone {
			st.Missing = append(st.Missing, seq)
		} else {
			st.Count++
		}
	}
	return st, nil
}

func (s *stream) Publish(_ context.Context, seq uint64, b []byte) error {
	_, err := s.store.publish(s.name, message{data: b}, func(q *sequence) bool { return q.last()+1 == seq })
	return err
}

func (s *stream) Get(_ context.Context, seq uint64) ([]byte, error) {
	m, done, err := s.store.openRead()
	defer done()
	if err != nil {
		return nil, err
	}
	q := m.reading(s.name)
	if !q.has(seq) {
		return nil, eventlog.ErrNotFound
	}
	return slices.Clone(q.at(seq).data), nil
}

func (s *stream) Scan(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	for seq := from; seq <= to; seq++ {
		b, err := s.Get(ctx, seq)
		switch {
		case err == nil:
			if err := fn(seq, b); err != nil {
				return err
			}
		case !isNotFound(err):
			return err
		}
	}
	return nil
}

// Purge may get lost, or go only part of the way.
func (s *stream) Purge(_ context.Context, seq uint64) error {
	m, done, err := s.store.open()
	defer done()
	if err != nil {
		return err
	}
	q := m.sequence(s.name)
	f := m.fault()
	if f != none && f != ackLost {
		if all := int(min(seq, q.last()) - min(q.base, seq)); all > 0 {
			q.purge(seq - uint64(m.cfg.Choose(all+1)))
		}
		return fmt.Errorf("%w: no answer", eventlog.ErrUncertain)
	}
	q.purge(seq)
	if f == ackLost {
		return fmt.Errorf("%w: no answer", eventlog.ErrUncertain)
	}
	return nil
}

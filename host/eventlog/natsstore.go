package eventlog

import (
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
)

// natsStore is the Store of one group of an Engine.
type natsStore struct {
	engine  *Engine
	group   int
	streams map[StreamKind]*natsStream
	notes   *natsNotes
	origin  origin

	mu     sync.Mutex // guards the rest
	conns  []*nats.Conn
	closed bool
}

// Store opens the store of one group. Streams have connections of their own, so
// that a large frame on its way to one holds up no other. A group's store is
// opened by one at a time; whoever writes with an outdated view of it is refused.
func (e *Engine) Store(group int) (Store, error) { return e.store(group) }

func (e *Engine) store(group int) (*natsStore, error) {
	if group < 0 || group > maxGroup {
		return nil, fmt.Errorf("open group %d: it is outside 0 to %d", group, maxGroup)
	}
	s := &natsStore{engine: e, group: group, streams: make(map[StreamKind]*natsStream)}
	s.notes = newNatsNotes(group, e.cfg.Replicas, e.shared(), s.connect)
	for _, kind := range []StreamKind{EventStream, RunStream} {
		name, subject := kind.NamesOf(group)
		write, err := s.connect("write " + name)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		read, err := s.connect("read " + name)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.streams[kind] = &natsStream{
			name: name, subject: subject, replicas: e.cfg.Replicas, shared: e.shared(), write: write, read: read,
		}
	}
	if e.shared() {
		s.origin.patience = readTimeout
	}
	if e.folder != nil && e.folder.checked {
		var err error
		if s.origin.witness, s.origin.said, err = e.folder.witnessOf(group); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *natsStore) connect(name string) (*nats.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	nc, err := s.engine.connect(name)
	if err == nil {
		s.conns = append(s.conns, nc)
	}
	return nc, err
}

func (s *natsStore) Stream(kind StreamKind) Stream { return s.streams[kind] }
func (s *natsStore) Notes() Notes                  { return s.notes }
func (s *natsStore) Blobs() Blobs                  { return s.engine.blobs.of(s.group) }
func (s *natsStore) Free() (int64, bool)           { return s.engine.free() }

// broken is why the engine stores nothing any more, or nil.
func (s *natsStore) broken() error {
	if text := s.engine.log.stuck.Load(); text != nil {
		return fmt.Errorf("%w: %s", ErrBroken, *text)
	}
	return nil
}

// Close gives the connections back. The engine goes on.
func (s *natsStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, nc := range s.conns {
		s.engine.disconnect(nc)
	}
	s.conns = nil
	return nil
}

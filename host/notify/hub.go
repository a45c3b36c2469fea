package notify

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// ErrClosed is the error of a subscription that was closed, or whose hub was.
var ErrClosed = errors.New("subscription is closed")

// The topics of the host's own activity.
const (
	TopicEvents  = "rhost:events"
	TopicMatches = "rhost:matches"
	TopicActions = "rhost:actions"
	TopicLogs    = "rhost:logs" // what plugins log, of every level
)

// Message is one notification.
type Message struct {
	Topic   string          `json:"topic"`
	At      time.Time       `json:"at"`
	Rule    string          `json:"rule,omitempty"`
	Match   string          `json:"match,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"` // JSON; never changed once published
	Place   Place           `json:"id,omitzero"`       // in a topic that is kept

	// Make, where Payload is nil, makes it when somebody listens.
	Make func() json.RawMessage `json:"-"`
}

// Hub passes messages to subscriptions.
type Hub struct {
	mu     sync.RWMutex
	topics map[string]map[*Subscription]struct{} // guarded by mu; nil once closed
}

// NewHub returns a hub without subscriptions.
func NewHub() *Hub {
	return &Hub{topics: make(map[string]map[*Subscription]struct{})}
}

// Publish hands m to the subscriptions of its topic, in the order of the calls.
// It never blocks.
func (h *Hub) Publish(m Message) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	subs := h.topics[m.Topic]
	if m.Make != nil && len(subs) > 0 {
		m.Payload = m.Make()
	}
	m.Make = nil
	for s := range subs {
		s.push(m)
	}
}

// Wanted reports whether anyone listens to the topic, so that a caller can save
// itself the making of a message nobody reads.
func (h *Hub) Wanted(topic string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.topics[topic]) > 0
}

// Subscribe listens to the topics, keeping at most size messages that were not
// read yet. The caller closes the subscription.
func (h *Hub) Subscribe(size int, topics ...string) (*Subscription, error) {
	s := &Subscription{hub: h, names: topics, ring: make([]Message, max(size, 1)), ready: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics == nil {
		return nil, ErrClosed
	}
	for _, name := range topics {
		set := h.topics[name]
		if set == nil {
			set = make(map[*Subscription]struct{})
			h.topics[name] = set
		}
		set[s] = struct{}{}
	}
	return s, nil
}

// Close ends every subscription. It may be called twice.
func (h *Hub) Close() {
	h.mu.Lock()
	topics := h.topics
	h.topics = nil
	h.mu.Unlock()
	for _, set := range topics {
		for s := range set {
			s.end()
		}
	}
}

func (h *Hub) drop(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range s.names {
		delete(h.topics[name], s)
		if len(h.topics[name]) == 0 {
			delete(h.topics, name)
		}
	}
}

// Subscription is one reader's place in the hub.
type Subscription struct {
	hub   *Hub
	names []string
	ready chan struct{} // holds a token while there may be something to read

	mu     sync.Mutex
	ring   []Message // guarded by mu
	head   int       // guarded by mu; index of the oldest
	count  int       // guarded by mu
	lost   int       // guarded by mu; dropped since the last Next
	closed bool      // guarded by mu
}

// Next returns the oldest message and how many were lost just before it. It
// waits for one until ctx ends; after Close it drains what is left, then
// returns ErrClosed.
func (s *Subscription) Next(ctx context.Context) (m Message, lost int, err error) {
	for {
		m, lost, ok, closed := s.pop()
		if ok {
			return m, lost, nil
		}
		if closed {
			return Message{}, 0, ErrClosed
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return Message{}, 0, ctx.Err()
		}
	}
}

// Close ends the subscription. It may be called twice, and while Next waits.
func (s *Subscription) Close() {
	s.hub.drop(s)
	s.end()
}

func (s *Subscription) push(m Message) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	if s.count == len(s.ring) {
		s.head = (s.head + 1) % len(s.ring)
		s.count--
		s.lost++
	}
	s.ring[(s.head+s.count)%len(s.ring)] = m
	s.count++
	s.mu.Unlock()
	s.wake()
}

func (s *Subscription) pop() (m Message, lost int, ok, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return Message{}, 0, false, s.closed
	}
	m = s.ring[s.head]
	s.ring[s.head] = Message{} // let the payload go
	s.head = (s.head + 1) % len(s.ring)
	s.count--
	lost, s.lost = s.lost, 0
	return m, lost, true, false
}

func (s *Subscription) end() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
}

func (s *Subscription) wake() {
	select {
	case s.ready <- struct{}{}:
	default: // a token is there already
	}
}

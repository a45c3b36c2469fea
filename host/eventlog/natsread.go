package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
)

const (
	readBytes  = 2 << 20 // asked for at once; one frame may exceed it
	readFrames = 4096
	// scanTries bounds how often a scan is begun again where it was without getting
	// any further. The servers elect a leader in less.
	scanTries = 6
)

// A message is a stored frame, undecoded.
type message struct {
	seq  uint64
	data []byte
}

// getRequest asks the stream for messages without a consumer.
type getRequest struct {
	Seq      uint64 `json:"seq,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

func (s *natsStream) directSubject() string { return "$JS.API.DIRECT.GET." + s.name }

// Get asks any server that has a copy, and the leader when that one has not.
func (s *natsStream) Get(ctx context.Context, seq uint64) ([]byte, error) {
	body, err := json.Marshal(getRequest{Seq: seq})
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", s.name, err)
	}
	b, err := getOne(ctx, s.read, s.name, s.directSubject(), body, s.shared)
	if s.replicas > 1 && errors.Is(err, ErrNotFound) {
		n, err := fromLeader(ctx, s.read, s.name, leaderRequest{Seq: seq}, true)
		return n.Body, err
	}
	return b, err
}

// getOne sends one request for one message.
func getOne(ctx context.Context, nc *nats.Conn, stream, subject string, body []byte, shared bool) (b []byte, err error) {
	err = whileUnavailable(ctx, shared, func(ctx context.Context) error {
		m, err := nc.RequestWithContext(ctx, subject, body)
		if shared && errors.Is(err, nats.ErrNoResponders) && gone(ctx, nc, stream) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		b = m.Data
		switch status := m.Header.Get("Status"); status {
		case "":
			return nil
		case noMessages:
			return ErrNotFound
		default:
			return fmt.Errorf("%s %s", status, m.Header.Get("Description"))
		}
	})
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("stream %s: %w", stream, ErrNotFound)
	case err != nil && !errors.Is(err, ErrNotFound):
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return b, err
}

// Scan asks any server that has a copy. Where that one ends too early, or leaves
// something out, the leader is asked.
func (s *natsStream) Scan(ctx context.Context, from, to uint64, fn func(seq uint64, data []byte) error) error {
	c := scan{s: s, next: from, fn: fn}
	for try := 1; c.next <= to; try++ {
		began := c.next
		more := true
		err := s.scanOnce(ctx, c.next, to, func(m message) error { return c.see(ctx, m) })
		if err == nil && c.next <= to { // that server has no more
			more, err = c.askLeader(ctx)
		}
		if c.next > began {
			try = 0
		}
		switch {
		case c.failed != nil:
			return c.failed
		case err == nil && !more:
			return nil
		case err != nil && (ctx.Err() != nil || !s.shared || try >= scanTries || !pause(ctx, tryPause)):
			return err
		}
	}
	return nil
}

// A scan is how far a Scan has come.
type scan struct {
	s      *natsStream
	next   uint64
	fn     func(seq uint64, data []byte) error
	failed error // what fn returned
}

// see hands m on, after what m's server has left out.
func (c *scan) see(ctx context.Context, m message) error {
	for c.next < m.seq {
		if more, err := c.askLeader(ctx); err != nil {
			return err
		} else if !more {
			break
		}
	}
	return c.hand(m)
}

func (c *scan) hand(m message) error {
	c.next = m.seq + 1
	c.failed = c.fn(m.seq, m.data)
	return c.failed
}

// askLeader hands on the next message if the leader has it.
func (c *scan) askLeader(ctx context.Context) (bool, error) {
	if c.s.replicas == 1 {
		return false, nil // it has been asked
	}
	n, err := fromLeader(ctx, c.s.read, c.s.name, leaderRequest{Seq: c.next}, true)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, c.hand(message{n.Seq, n.Body})
}

// scanOnce hands fn what one server has. It reads in chunks and asks for the next
// chunk before it hands on the last, so that at most two are in memory.
func (s *natsStream) scanOnce(ctx context.Context, from, to uint64, fn func(message) error) error {
	inbox := s.read.NewInbox()
	sub, err := s.read.SubscribeSync(inbox)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", s.name, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection has gone, and the subscription with it
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return fmt.Errorf("read stream %s: %w", s.name, err)
	}
	if err := s.ask(inbox, from, to); err != nil {
		return err
	}
	for err == nil && from <= to {
		var chunk []message
		chunk, err = s.receive(ctx, sub, from, to)
		ended := len(chunk) == 0 && err == nil
		if len(chunk) > 0 {
			from = chunk[len(chunk)-1].seq + 1
		}
		if err == nil && !ended && from <= to {
			err = s.ask(inbox, from, to)
		}
		// What came before an error is good.
		for _, m := range chunk {
			if err := fn(m); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
	}
	return err
}

func (s *natsStream) ask(inbox string, from, to uint64) error {
	body, err := json.Marshal(getRequest{
		Seq:      from,
		Batch:    int(min(to-from+1, readFrames)),
		MaxBytes: readBytes,
	})
	if err == nil {
		err = s.read.PublishRequest(s.directSubject(), inbox, body)
	}
	if err != nil {
		return fmt.Errorf("read stream %s: %w", s.name, err)
	}
	return nil
}

// receive collects the answer to one request: messages up to to; none when
// there are no more.
func (s *natsStream) receive(ctx context.Context, sub *nats.Subscription, from, to uint64) ([]message, error) {
	wait := readTimeout
	if s.shared {
		wait = tryTimeout // another server may answer
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var chunk []message
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return chunk, fmt.Errorf("read frame %d of stream %s: %w", from, s.name, err)
		}
		switch status := m.Header.Get("Status"); {
		case status == endOfBatch || status == noMessages:
			return chunk, nil
		case status != "":
			return chunk, fmt.Errorf("read frame %d of stream %s: %s %s", from, s.name, status, m.Header.Get("Description"))
		}
		seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil {
			return chunk, fmt.Errorf("read frame %d of stream %s: %w", from, s.name, err)
		}
		if seq <= to {
			chunk = append(chunk, message{seq: seq, data: m.Data})
		}
	}
}

package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
)

const (
	readBytes  = 2 << 20 // asked for at once; one frame may exceed it
	readFrames = 4096
)

// A message is a stored frame, undecoded.
type message struct {
	seq  uint64
	data []byte
}

// Scan reads in chunks and asks for the next chunk before it hands on the last,
// so that at most two are in memory.
func (s *natsStream) Scan(ctx context.Context, from, to uint64, fn func(seq uint64, data []byte) error) error {
	if from > to {
		return nil
	}
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
			if err := fn(m.seq, m.data); err != nil {
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
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
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

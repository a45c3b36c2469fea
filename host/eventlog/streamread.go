package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
)

// A message is a stored frame, undecoded.
type message struct {
	seq  uint64
	data []byte
}

// scan hands the messages from..to to fn in order and reports the first one
// missing as *CorruptError. It reads in chunks and asks for the next chunk
// before it hands on the last, so that at most two are in memory.
func (s *stream) scan(ctx context.Context, from, to uint64, fn func(seq uint64, data []byte) error) error {
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
		if from += uint64(len(chunk)); err == nil && from <= to {
			err = s.ask(inbox, from, to)
		}
		// What came before an error is good.
		for _, m := range chunk {
			if err := fn(m.seq, m.data); err != nil {
				return err
			}
		}
	}
	return err
}

func (s *stream) ask(inbox string, from, to uint64) error {
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

// receive collects the answer to one request: messages without a gap, at least
// one of them unless there is an error.
func (s *stream) receive(ctx context.Context, sub *nats.Subscription, from, to uint64) ([]message, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var chunk []message
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return chunk, fmt.Errorf("read frame %d of stream %s: %w", from, s.name, err)
		}
		switch status := m.Header.Get("Status"); {
		case status == endOfBatch && len(chunk) > 0:
			return chunk, nil
		case status == endOfBatch || status == noMessages:
			return chunk, s.missing(from)
		case status != "":
			return chunk, fmt.Errorf("read frame %d of stream %s: %s %s", from, s.name, status, m.Header.Get("Description"))
		}
		seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil {
			return chunk, fmt.Errorf("read frame %d of stream %s: %w", from, s.name, err)
		}
		if seq > to {
			continue
		}
		if want := from + uint64(len(chunk)); seq != want {
			return chunk, s.missing(want)
		}
		chunk = append(chunk, message{seq: seq, data: m.Data})
	}
}

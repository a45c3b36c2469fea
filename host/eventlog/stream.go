package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	wrongLastSequence = 10071 // the server's code for a broken expectation
	noMessages        = "404"
	endOfBatch        = "204"

	readBytes   = 2 << 20 // asked for at once; one frame may exceed it
	readFrames  = 4096
	readTimeout = 10 * time.Second
)

// errStale is the server's refusal of a frame whose sequence is taken.
var errStale = errors.New("the sequence is taken")

// A stream is one of the log's two streams in the storage engine. Its methods
// may be called together.
type stream struct {
	name    string
	subject string
	write   *nats.Conn // publishing
	read    *nats.Conn // everything else
	timeout time.Duration
}

// streamState is what the storage engine says a stream holds.
type streamState struct {
	first, last, count uint64
	missing            []uint64 // sequences missing between first and last, as far as listed
}

// ensure creates the stream, or takes over the one that is there.
func (s *stream) ensure(ctx context.Context) error {
	js, err := jetstream.New(s.read)
	if err != nil {
		return fmt.Errorf("stream %s: %w", s.name, err)
	}
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        s.name,
		Subjects:    []string{s.subject},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxMsgs:     -1,
		MaxBytes:    -1,
		MaxMsgSize:  maxPayload,
		AllowDirect: true,
		DenyDelete:  true,
		// The server's own de-duplication is not used; a short window spares
		// the start-up from reading the newest messages for it.
		Duplicates: 100 * time.Millisecond,
		Replicas:   1,
	})
	if err != nil {
		return fmt.Errorf("create stream %s: %w", s.name, err)
	}
	return nil
}

// state asks for the stream's bounds and what is missing between them.
func (s *stream) state(ctx context.Context) (streamState, error) {
	js, err := jetstream.New(s.read)
	if err != nil {
		return streamState{}, fmt.Errorf("stream %s: %w", s.name, err)
	}
	st, err := js.Stream(ctx, s.name)
	if err != nil {
		return streamState{}, fmt.Errorf("look up stream %s: %w", s.name, err)
	}
	info, err := st.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return streamState{}, fmt.Errorf("read state of stream %s: %w", s.name, err)
	}
	return streamState{
		first: info.State.FirstSeq, last: info.State.LastSeq, count: info.State.Msgs,
		missing: info.State.Deleted,
	}, nil
}

// publish stores frame as sequence seq and returns once it is on disk.
// errStale means that seq is taken, ErrUncertain that nobody knows whether the
// frame is stored. After any other error it is not.
func (s *stream) publish(seq uint64, frame []byte) error {
	expect := nats.Header{"Nats-Expected-Last-Sequence": {strconv.FormatUint(seq-1, 10)}}
	stored, err := s.send(s.subject, expect, frame)
	switch {
	case errors.Is(err, errStale):
		return err
	case err != nil:
		return fmt.Errorf("store frame %d of stream %s: %w", seq, s.name, err)
	case stored != seq:
		return fmt.Errorf("%w: frame %d of stream %s was stored as %d", ErrUncertain, seq, s.name, stored)
	}
	return nil
}

// send stores one message and returns its sequence once it is on disk. The
// errors are those of publish.
func (s *stream) send(subject string, h nats.Header, data []byte) (uint64, error) {
	reply, err := s.write.RequestMsg(&nats.Msg{Subject: subject, Header: h, Data: data}, s.timeout)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	var ack struct {
		Seq   uint64 `json:"seq"`
		Error *struct {
			Code        int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, fmt.Errorf("%w: unreadable answer %q", ErrUncertain, reply.Data)
	}
	switch {
	case ack.Error != nil && ack.Error.Code == wrongLastSequence:
		return 0, errStale
	case ack.Error != nil:
		return 0, errors.New(ack.Error.Description)
	}
	return ack.Seq, nil
}

// getRequest asks the stream for messages without a consumer.
type getRequest struct {
	Seq       uint64     `json:"seq,omitempty"`
	Batch     int        `json:"batch,omitempty"`
	MaxBytes  int        `json:"max_bytes,omitempty"`
	StartTime *time.Time `json:"start_time,omitempty"`
}

func (s *stream) directSubject() string { return "$JS.API.DIRECT.GET." + s.name }

// get returns the message with sequence seq.
func (s *stream) get(ctx context.Context, seq uint64) ([]byte, error) {
	body, err := json.Marshal(getRequest{Seq: seq})
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", s.name, err)
	}
	_, b, err := s.getOne(ctx, s.directSubject(), body)
	if errors.Is(err, ErrNotFound) {
		return nil, s.missing(seq)
	}
	return b, err
}

// since returns the sequence of the first message stored at or after at;
// ErrNotFound when there is none.
func (s *stream) since(ctx context.Context, at time.Time) (uint64, error) {
	body, err := json.Marshal(getRequest{StartTime: &at})
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", s.name, err)
	}
	seq, _, err := s.getOne(ctx, s.directSubject(), body)
	return seq, err
}

// getOne sends one request for one message.
func (s *stream) getOne(ctx context.Context, subject string, body []byte) (uint64, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	m, err := s.read.RequestWithContext(ctx, subject, body)
	if errors.Is(err, nats.ErrNoResponders) {
		return 0, nil, fmt.Errorf("stream %s: %w", s.name, ErrNotFound)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read stream %s: %w", s.name, err)
	}
	if status := m.Header.Get("Status"); status != "" {
		if status == noMessages {
			return 0, nil, ErrNotFound
		}
		return 0, nil, fmt.Errorf("read stream %s: %s %s", s.name, status, m.Header.Get("Description"))
	}
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return 0, nil, fmt.Errorf("read stream %s: %w", s.name, err)
	}
	return seq, m.Data, nil
}

// missing is the error for a frame that ought to be there and cannot be read.
func (s *stream) missing(seq uint64) error { return s.corrupt(seq, "it is missing or unreadable") }

func (s *stream) corrupt(seq uint64, reason string) error {
	return &CorruptError{Stream: s.name, Seq: seq, Reason: reason, Fix: corruptFix}
}

const corruptFix = "keep a copy of the log's folder as it is, then restore the folder from a backup, or move it away to start an empty log"

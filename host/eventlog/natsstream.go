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
	// The server's codes.
	wrongLastSequence         = 10071 // a broken expectation
	wrongLastSequenceConstant = 10164
	noMessages                = "404"
	endOfBatch                = "204"
)

// natsStream is a Stream in JetStream.
type natsStream struct {
	name    string
	subject string
	write   *nats.Conn // publishing
	read    *nats.Conn // everything else
}

func (s *natsStream) Name() string { return s.name }

func (s *natsStream) Ensure(ctx context.Context) error {
	return ensure(ctx, s.read, streamConfig(s.name, s.subject))
}

// streamConfig is what all our streams have in common. Messages go by purging
// alone, never by themselves and never one by one.
func streamConfig(name, subject string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        name,
		Subjects:    []string{subject},
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
	}
}

func ensure(ctx context.Context, nc *nats.Conn, c jetstream.StreamConfig) error {
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.CreateOrUpdateStream(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("create stream %s: %w", c.Name, err)
	}
	return nil
}

// State asks for the stream's bounds and what is missing between them.
func (s *natsStream) State(ctx context.Context) (StreamState, error) {
	js, err := jetstream.New(s.read)
	if err != nil {
		return StreamState{}, fmt.Errorf("stream %s: %w", s.name, err)
	}
	st, err := js.Stream(ctx, s.name)
	if err != nil {
		return StreamState{}, fmt.Errorf("look up stream %s: %w", s.name, err)
	}
	info, err := st.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return StreamState{}, fmt.Errorf("read state of stream %s: %w", s.name, err)
	}
	return StreamState{
		First: info.State.FirstSeq, Last: info.State.LastSeq, Count: info.State.Msgs,
		Bytes: info.State.Bytes, Missing: info.State.Deleted,
	}, nil
}

func (s *natsStream) Publish(ctx context.Context, seq uint64, frame []byte) error {
	expect := nats.Header{"Nats-Expected-Last-Sequence": {strconv.FormatUint(seq-1, 10)}}
	stored, err := send(ctx, s.write, &nats.Msg{Subject: s.subject, Header: expect, Data: frame})
	switch {
	case err != nil:
		return err
	case stored != seq:
		return fmt.Errorf("%w: it was stored as %d", ErrUncertain, stored)
	}
	return nil
}

// send stores one message and returns its sequence once it is on disk. The
// errors are those of Stream.Publish.
func send(ctx context.Context, nc *nats.Conn, m *nats.Msg) (uint64, error) {
	reply, err := nc.RequestMsgWithContext(ctx, m)
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
	case ack.Error == nil:
		return ack.Seq, nil
	case ack.Error.Code == wrongLastSequence || ack.Error.Code == wrongLastSequenceConstant:
		return 0, ErrStale
	}
	return 0, errors.New(ack.Error.Description)
}

// Purge removes what lies below seq.
func (s *natsStream) Purge(ctx context.Context, seq uint64) error {
	return purge(ctx, s.read, s.name, jetstream.WithPurgeSequence(seq))
}

func purge(ctx context.Context, nc *nats.Conn, stream string, what jetstream.StreamPurgeOpt) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("purge stream %s: %w", stream, err)
	}
	st, err := js.Stream(ctx, stream)
	if err == nil {
		err = st.Purge(ctx, what)
	}
	if err != nil {
		return fmt.Errorf("purge stream %s: %w", stream, err)
	}
	return nil
}

// getRequest asks the stream for messages without a consumer.
type getRequest struct {
	Seq      uint64 `json:"seq,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

func (s *natsStream) directSubject() string { return "$JS.API.DIRECT.GET." + s.name }

func (s *natsStream) Get(ctx context.Context, seq uint64) ([]byte, error) {
	body, err := json.Marshal(getRequest{Seq: seq})
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", s.name, err)
	}
	return getOne(ctx, s.read, s.name, s.directSubject(), body)
}

// getOne sends one request for one message.
func getOne(ctx context.Context, nc *nats.Conn, stream, subject string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, subject, body)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("stream %s: %w", stream, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	if status := m.Header.Get("Status"); status != "" {
		if status == noMessages {
			return nil, ErrNotFound
		}
		return nil, fmt.Errorf("read stream %s: %s %s", stream, status, m.Header.Get("Description"))
	}
	return m.Data, nil
}

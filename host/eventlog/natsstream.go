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
	storeFailed               = 10077 // by the disk of one server; others may do better
	noMessages                = "404"
	endOfBatch                = "204"
)

// natsStream is a Stream in JetStream.
type natsStream struct {
	name     string
	subject  string
	replicas int
	shared   bool       // see Engine.shared
	write    *nats.Conn // publishing
	read     *nats.Conn // everything else
}

func (s *natsStream) Name() string { return s.name }

func (s *natsStream) Ensure(ctx context.Context) error {
	return ensure(ctx, s.read, streamConfig(s.name, s.subject, s.replicas), s.shared)
}

// streamConfig is what all our streams have in common. Messages go by purging
// alone, never by themselves and never one by one.
func streamConfig(name, subject string, replicas int) jetstream.StreamConfig {
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
		Replicas:   replicas,
	}
}

func ensure(ctx context.Context, nc *nats.Conn, c jetstream.StreamConfig, shared bool) error {
	js, err := jetstream.New(nc)
	if err == nil {
		err = whileUnavailable(ctx, shared, func(ctx context.Context) error {
			_, err := js.CreateOrUpdateStream(ctx, c)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("create stream %s: %w", c.Name, err)
	}
	return nil
}

// State asks the leader for the stream's bounds and what is missing between them.
func (s *natsStream) State(ctx context.Context) (st StreamState, err error) {
	err = whileUnavailable(ctx, s.shared, func(ctx context.Context) error {
		st, err = streamInfo(ctx, s.read, s.name)
		return err
	})
	if err != nil {
		return st, fmt.Errorf("read state of stream %s: %w", s.name, err)
	}
	return st, nil
}

func streamInfo(ctx context.Context, nc *nats.Conn, stream string) (StreamState, error) {
	info, err := askInfo(ctx, nc, stream)
	if err != nil {
		return StreamState{}, err
	}
	st := info.State
	return StreamState{First: st.FirstSeq, Last: st.LastSeq, Count: st.Msgs, Bytes: st.Bytes, Missing: st.Deleted}, nil
}

func askInfo(ctx context.Context, nc *nats.Conn, stream string) (*jetstream.StreamInfo, error) {
	m, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+stream, []byte(`{"deleted_details":true}`))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
		jetstream.StreamInfo
	}
	switch err := json.Unmarshal(m.Data, &answer); {
	case err != nil:
		return nil, err
	case answer.Error != nil:
		return nil, answer.Error
	}
	return &answer.StreamInfo, nil
}

// gone reports that the servers know of no such stream, as opposed to one that
// has no leader now.
func gone(ctx context.Context, nc *nats.Conn, stream string) bool {
	_, err := streamInfo(ctx, nc, stream)
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == streamNotFound
}

func (s *natsStream) Publish(ctx context.Context, seq uint64, frame []byte) error {
	expect := nats.Header{"Nats-Expected-Last-Sequence": {strconv.FormatUint(seq-1, 10)}}
	stored, err := send(ctx, s.write, &nats.Msg{Subject: s.subject, Header: expect, Data: frame}, s.shared)
	switch {
	case err != nil:
		return err
	case stored != seq:
		return fmt.Errorf("%w: it was stored as %d", ErrUncertain, stored)
	}
	return nil
}

// send stores one message and returns its sequence once it is on disk. The
// errors are those of Stream.Publish. With shared a message that nobody received
// is sent again until ctx ends, and one that was received waits less long for its
// answer: when a leader has died, reading what became of the message is quicker.
func send(ctx context.Context, nc *nats.Conn, m *nats.Msg, shared bool) (uint64, error) {
	for {
		reply, err := ask(ctx, nc, m, shared)
		if err == nil {
			return parseAck(reply.Data)
		}
		if !unsent(err) {
			return 0, fmt.Errorf("%w: %w", ErrUncertain, err)
		}
		if !shared || !pause(ctx, tryPause) {
			return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

func ask(ctx context.Context, nc *nats.Conn, m *nats.Msg, shared bool) (*nats.Msg, error) {
	if shared {
		try, cancel := context.WithTimeout(ctx, tryTimeout)
		defer cancel()
		ctx = try
	}
	return nc.RequestMsgWithContext(ctx, m)
}

// unsent reports that a message has reached nobody who could store it.
func unsent(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrReconnectBufExceeded)
}

func parseAck(b []byte) (uint64, error) {
	var ack struct {
		Seq   uint64 `json:"seq"`
		Error *struct {
			Code        int    `json:"code"`
			ErrCode     int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(b, &ack); err != nil {
		return 0, fmt.Errorf("%w: unreadable answer %q", ErrUncertain, b)
	}
	if ack.Error == nil {
		return ack.Seq, nil
	}
	switch e := ack.Error; {
	case e.ErrCode == wrongLastSequence || e.ErrCode == wrongLastSequenceConstant:
		return 0, ErrStale
	case e.ErrCode == storeFailed:
		return 0, fmt.Errorf("%w: %s", ErrUncertain, e.Description)
	case e.Code == 503:
		return 0, fmt.Errorf("%w: %s", ErrUnavailable, e.Description)
	default:
		return 0, errors.New(e.Description)
	}
}

// Purge removes what lies below seq.
func (s *natsStream) Purge(ctx context.Context, seq uint64) error {
	return purge(ctx, s.read, s.name, s.shared, jetstream.WithPurgeSequence(seq))
}

func purge(ctx context.Context, nc *nats.Conn, stream string, shared bool, what ...jetstream.StreamPurgeOpt) error {
	js, err := jetstream.New(nc)
	call := func(ctx context.Context) error {
		st, err := js.Stream(ctx, stream)
		if err == nil {
			err = st.Purge(ctx, what...)
		}
		return err
	}
	switch {
	case err != nil:
	case shared:
		err = whileUnavailable(ctx, true, call)
	default:
		err = call(ctx) // a large one takes its time
	}
	if err != nil {
		return fmt.Errorf("purge stream %s: %w", stream, err)
	}
	return nil
}

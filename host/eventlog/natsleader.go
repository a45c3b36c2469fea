package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The server's codes of what is not there.
const (
	streamNotFound  = 10059
	messageNotFound = 10037
	noPeers         = 10005 // too few servers to keep as many copies: others may come
)

// Trouble of servers that store together passes by itself for the most part, when
// a leader is elected or a connection comes back. A call that changes nothing, or
// surely has not, is made again for a while.
const (
	tryTimeout = 2 * time.Second // of one try
	firstTry   = tryTimeout / 4  // of the first one of a call that changes nothing: a leader that has died does not answer
	tryPause   = 50 * time.Millisecond
)

// whileUnavailable makes a call again as long as nobody answers it or its answer
// is that nobody can. Without shared it is made once.
func whileUnavailable(ctx context.Context, shared bool, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if !shared {
		return call(ctx)
	}
	for wait := firstTry; ; wait = min(2*wait, tryTimeout) {
		try, cancel := context.WithTimeout(ctx, wait)
		err := call(try)
		cancel()
		if err == nil || !passing(err) || !pause(ctx, tryPause) {
			return err
		}
	}
}

// passing reports trouble that may end without anybody doing anything.
func passing(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.Code == 503 || api.Code == 500 || api.ErrorCode == noPeers
	}
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, nats.ErrReconnectBufExceeded)
}

// leaderRequest asks a stream's leader for a message: that of a sequence or, with
// Next, the first one on a subject from there on; with Last, the last one on a subject.
type leaderRequest struct {
	Seq  uint64 `json:"seq,omitempty"`
	Last string `json:"last_by_subj,omitempty"`
	Next string `json:"next_by_subj,omitempty"`
}

// fromLeader returns a message, or ErrNotFound when the leader does not have it.
func fromLeader(ctx context.Context, nc *nats.Conn, stream string, r leaderRequest, shared bool) (n Note, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return n, fmt.Errorf("read stream %s: %w", stream, err)
	}
	err = whileUnavailable(ctx, shared, func(ctx context.Context) error {
		n, err = askLeader(ctx, nc, stream, body)
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("read stream %s: %w", stream, err)
	}
	return n, err
}

func askLeader(ctx context.Context, nc *nats.Conn, stream string, body []byte) (Note, error) {
	m, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, body)
	if err != nil {
		return Note{}, err
	}
	var answer struct {
		Message struct {
			Seq  uint64 `json:"seq"`
			Data []byte `json:"data"`
		} `json:"message"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return Note{}, err
	}
	switch e := answer.Error; {
	case e == nil:
		return Note{Seq: answer.Message.Seq, Body: answer.Message.Data}, nil
	case e.ErrorCode == streamNotFound || e.ErrorCode == messageNotFound:
		return Note{}, ErrNotFound
	default:
		return Note{}, e
	}
}

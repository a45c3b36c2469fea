package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	blobStream = "BLOB"
	blobChunk  = 512 << 10
	blobHeader = 8 // each chunk starts with the length of the whole blob
)

// natsBlobs keeps the blobs of all groups of an engine in one stream.
type natsBlobs struct {
	engine *Engine

	mu          sync.Mutex // guards the rest, and lets one put go first
	write, read *nats.Conn // opened at the first use
	ready       bool       // the stream exists
}

// groupBlobs is the Blobs of one group. A blob is stored in chunks, blob.NAME.0 the
// last of them: when that one is there, all are. Those of group 3 are called
// blob.g3.NAME.0: what one group has no use for any more another may still need.
type groupBlobs struct {
	*natsBlobs
	prefix string
}

func (s *natsBlobs) of(group int) groupBlobs {
	prefix := "blob."
	if group > 0 {
		prefix += "g" + strconv.Itoa(group) + "."
	}
	return groupBlobs{s, prefix}
}

func (s groupBlobs) chunk(name string, i int) string { return s.prefix + name + "." + strconv.Itoa(i) }

// reading returns the connection to read with, opening both when there are none.
func (s *natsBlobs) reading() (*nats.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.open()
	return s.read, err
}

// open opens the connections that there are not. s.mu is held.
func (s *natsBlobs) open() (err error) {
	if s.write == nil {
		if s.write, err = s.engine.connect("write " + blobStream); err != nil {
			return err
		}
	}
	if s.read == nil {
		s.read, err = s.engine.connect("read " + blobStream)
	}
	return err
}

func (s groupBlobs) Put(ctx context.Context, name string, b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	if !s.ready {
		if err := ensure(ctx, s.read, streamConfig(blobStream, "blob.>", s.engine.cfg.Replicas), s.engine.shared()); err != nil {
			return err
		}
		s.ready = true
	}
	for i := max(len(b)-1, 0) / blobChunk; i >= 0; i-- {
		chunk := binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
		chunk = append(chunk, b[i*blobChunk:min((i+1)*blobChunk, len(b))]...)
		if err := s.putChunk(ctx, &nats.Msg{Subject: s.chunk(name, i), Data: chunk}); err != nil {
			return err
		}
	}
	return nil
}

func (s *natsBlobs) putChunk(ctx context.Context, m *nats.Msg) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, DefaultAckTimeout)
	defer cancel()
	_, err := send(ctx, s.write, m, s.engine.shared())
	return err
}

func (s groupBlobs) Get(ctx context.Context, name string) ([]byte, error) {
	read, err := s.reading()
	if err != nil {
		return nil, err
	}
	var b []byte
	for i := 0; ; i++ {
		chunk, err := getOne(ctx, read, blobStream, "$JS.API.DIRECT.GET."+blobStream+"."+s.chunk(name, i), nil, s.engine.shared())
		if errors.Is(err, ErrNotFound) && i > 0 || err == nil && len(chunk) < blobHeader {
			return nil, corrupt(blobStream, 0, "a part of the blob is missing or unreadable")
		}
		if err != nil {
			return nil, err
		}
		b = append(b, chunk[blobHeader:]...)
		if size := binary.LittleEndian.Uint64(chunk); uint64(len(b)) >= size {
			return b, nil
		}
	}
}

// List takes the last sequence of the stream for a mark.
func (s groupBlobs) List(ctx context.Context) (names []string, mark BlobMark, err error) {
	read, err := s.reading()
	if err != nil {
		return nil, 0, err
	}
	js, err := jetstream.New(read)
	if err != nil {
		return nil, 0, fmt.Errorf("list blobs: %w", err)
	}
	st, err := js.Stream(ctx, blobStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("list blobs: %w", err)
	}
	info, err := st.Info(ctx, jetstream.WithSubjectFilter(s.prefix+"*.0"))
	if err != nil {
		return nil, 0, fmt.Errorf("list blobs: %w", err)
	}
	for subject := range info.State.Subjects {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(subject, s.prefix), ".0"))
	}
	return names, BlobMark(info.State.LastSeq), nil
}

// Delete removes the chunk that says the blob is there, then the others. It removes by
// sequence: whoever stores the blob meanwhile stores all of its chunks again, and the
// server leaves those alone, however late it hears of this.
func (s groupBlobs) Delete(ctx context.Context, name string, mark BlobMark) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	for _, subject := range []string{s.chunk(name, 0), s.prefix + name + ".*"} {
		err := purge(ctx, s.read, blobStream, s.engine.shared(), purgeUpTo(subject, mark)...)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// purgeUpTo is what to purge of a subject. The server's bound is the first to stay.
func purgeUpTo(subject string, mark BlobMark) []jetstream.StreamPurgeOpt {
	what := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSubject(subject)}
	if mark != AnyBlob {
		what = append(what, jetstream.WithPurgeSequence(uint64(mark)+1))
	}
	return what
}

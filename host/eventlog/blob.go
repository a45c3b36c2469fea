package eventlog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

const (
	blobStream  = "BLOB"
	blobSubject = "blob.>"
	blobChunk   = 512 << 10
	blobHeader  = 8 // each chunk starts with the length of the whole blob
)

// blobs keeps what is too large for a frame, by digest: modules, compiled
// rules, snapshots. A blob is stored in chunks, blob.DIGEST.0 the last of them:
// when that one is there, all are.
//
// The stream is looked up at the first use and created by the first put.
type blobs struct {
	log *Log

	mu     sync.Mutex // guards the rest, and lets one put go first
	stream *stream
	ready  bool // the stream exists
}

// BlobDigest is the digest under which b is stored.
func BlobDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// PutBlob stores b under its digest, "sha256:" and 64 hexadecimal digits. It
// is durable when PutBlob returns; storing it again does nothing.
func (l *Log) PutBlob(ctx context.Context, digest string, b []byte) error {
	name, err := blobName(digest)
	if err == nil && BlobDigest(b) != digest {
		err = fmt.Errorf("the bytes have digest %s", BlobDigest(b))
	}
	if err == nil {
		err = l.checkRoom(l.cfg.MinFree + int64(len(b)))
	}
	if err == nil {
		err = l.orClosed(l.blobs.put(ctx, name, b))
	}
	if err != nil {
		return fmt.Errorf("store blob %s: %w", digest, err)
	}
	return nil
}

// GetBlob returns what was stored under digest, or ErrNotFound. Bytes that no
// longer have the digest are reported as *CorruptError; a PutBlob of good ones
// replaces them.
func (l *Log) GetBlob(ctx context.Context, digest string) ([]byte, error) {
	name, err := blobName(digest)
	var b []byte
	if err == nil {
		b, err = l.blobs.get(ctx, name)
		err = l.orClosed(err)
	}
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", digest, err)
	}
	return b, nil
}

// blobName is digest as part of a subject.
func blobName(digest string) (string, error) {
	digits, ok := strings.CutPrefix(digest, "sha256:")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != sha256.Size || strings.ToLower(digits) != digits {
		return "", errors.New(`the digest is not "sha256:" and 64 lower-case hexadecimal digits`)
	}
	return digits, nil
}

func chunkSubject(name string, i int) string { return "blob." + name + "." + strconv.Itoa(i) }

func (s *blobs) put(ctx context.Context, name string, b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	if !s.ready {
		if err := s.stream.ensure(ctx); err != nil {
			return err
		}
		s.ready = true
	}
	if _, err := s.stream.load(ctx, name); err == nil {
		return nil
	} else if corrupt := (*CorruptError)(nil); !errors.Is(err, ErrNotFound) && !errors.As(err, &corrupt) {
		return err
	}
	for i := max(len(b)-1, 0) / blobChunk; i >= 0; i-- {
		chunk := binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
		chunk = append(chunk, b[i*blobChunk:min((i+1)*blobChunk, len(b))]...)
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := s.stream.send(chunkSubject(name, i), nil, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (s *blobs) get(ctx context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	err := s.open()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.stream.load(ctx, name)
}

// open connects to the stream, which need not exist. s.mu is held.
func (s *blobs) open() (err error) {
	if s.stream == nil {
		s.stream, err = s.log.stream(blobStream, blobSubject)
	}
	return err
}

// load reads and verifies a blob.
func (s *stream) load(ctx context.Context, name string) ([]byte, error) {
	var b []byte
	for i := 0; ; i++ {
		_, chunk, err := s.getOne(ctx, s.directSubject()+"."+chunkSubject(name, i), nil)
		if errors.Is(err, ErrNotFound) && i > 0 || err == nil && len(chunk) < blobHeader {
			return nil, s.corrupt(0, "a part of the blob is missing or unreadable")
		}
		if err != nil {
			return nil, err
		}
		b = append(b, chunk[blobHeader:]...)
		if size := binary.LittleEndian.Uint64(chunk); uint64(len(b)) >= size {
			break
		}
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != name {
		return nil, s.corrupt(0, "the stored bytes have another digest")
	}
	return b, nil
}

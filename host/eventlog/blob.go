package eventlog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

const blobBucket = "blobs"

// blobs keeps what is too large for a frame, by digest: modules, compiled
// rules, snapshots. The bucket is created by the first Put, and its connection
// opened by the first use.
type blobs struct {
	engine *engine

	mu    sync.Mutex // guards store, and lets one Put of a digest go first
	js    jetstream.JetStream
	store jetstream.ObjectStore
}

// BlobDigest is the digest under which b is stored.
func BlobDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// PutBlob stores b under its digest, "sha256:" and 64 hexadecimal digits. It
// is durable when PutBlob returns; storing it again does nothing.
func (l *Log) PutBlob(ctx context.Context, digest string, b []byte) error {
	err := checkDigest(digest)
	if err == nil && BlobDigest(b) != digest {
		err = fmt.Errorf("the bytes have digest %s", BlobDigest(b))
	}
	if err == nil {
		err = l.checkRoom(l.cfg.MinFree + int64(len(b)))
	}
	if err == nil {
		err = l.orClosed(l.blobs.put(ctx, digest, b))
	}
	if err != nil {
		return fmt.Errorf("store blob %s: %w", digest, err)
	}
	return nil
}

// GetBlob returns what was stored under digest, or ErrNotFound. Bytes that no
// longer have the digest are reported as *CorruptError.
func (l *Log) GetBlob(ctx context.Context, digest string) ([]byte, error) {
	err := checkDigest(digest)
	var b []byte
	if err == nil {
		b, err = l.blobs.get(ctx, digest)
		err = l.orClosed(err)
	}
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", digest, err)
	}
	return b, nil
}

func checkDigest(digest string) error {
	digits, ok := strings.CutPrefix(digest, "sha256:")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != sha256.Size || strings.ToLower(digits) != digits {
		return errors.New(`the digest is not "sha256:" and 64 lower-case hexadecimal digits`)
	}
	return nil
}

func (s *blobs) put(ctx context.Context, digest string, b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	store, err := s.open(ctx, true)
	if err != nil {
		return err
	}
	if _, err := store.GetInfo(ctx, digest); err == nil {
		return nil
	} else if !errors.Is(err, jetstream.ErrObjectNotFound) {
		return err
	}
	_, err = store.PutBytes(ctx, digest, b)
	return err
}

func (s *blobs) get(ctx context.Context, digest string) ([]byte, error) {
	s.mu.Lock()
	store, err := s.open(ctx, false)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	b, err := store.GetBytes(ctx, digest)
	switch {
	case errors.Is(err, jetstream.ErrObjectNotFound):
		return nil, ErrNotFound
	case errors.Is(err, jetstream.ErrDigestMismatch) || err == nil && BlobDigest(b) != digest:
		return nil, &CorruptError{Stream: "OBJ_" + blobBucket, Reason: "the stored bytes have another digest", Fix: corruptFix}
	}
	return b, err
}

// open returns the bucket; a reader does not create it. s.mu is held.
func (s *blobs) open(ctx context.Context, create bool) (jetstream.ObjectStore, error) {
	if s.store != nil {
		return s.store, nil
	}
	if s.js == nil {
		nc, err := s.engine.connect("blobs")
		if err != nil {
			return nil, err
		}
		if s.js, err = jetstream.New(nc); err != nil {
			return nil, err
		}
	}
	var err error
	var store jetstream.ObjectStore
	if create {
		store, err = s.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: blobBucket, Storage: jetstream.FileStorage})
	} else {
		store, err = s.js.ObjectStore(ctx, blobBucket)
	}
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open the blob store: %w", err)
	}
	s.store = store
	return store, nil
}

package eventlog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const digestMark = "sha256:"

// BlobDigest is the digest under which b is stored.
func BlobDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return digestMark + hex.EncodeToString(sum[:])
}

// PutBlob stores b under its digest, "sha256:" and 64 hexadecimal digits. It
// is durable when PutBlob returns; storing it again does nothing. Each group has
// blobs of its own.
func (l *Log) PutBlob(ctx context.Context, digest string, b []byte) error {
	name, err := blobName(digest)
	if err == nil && BlobDigest(b) != digest {
		err = fmt.Errorf("the bytes have digest %s", BlobDigest(b))
	}
	if err == nil {
		err = l.live()
	}
	if err == nil {
		err = l.checkRoom(l.cfg.MinFree + int64(len(b)))
	}
	if err == nil {
		err = l.orClosed(l.putBlob(ctx, name, b))
	}
	if err != nil {
		return fmt.Errorf("store blob %s: %w", digest, err)
	}
	return nil
}

func (l *Log) putBlob(ctx context.Context, name string, b []byte) error {
	_, err := l.loadBlob(ctx, name)
	if err == nil {
		return nil
	}
	if damaged := (*CorruptError)(nil); !errors.Is(err, ErrNotFound) && !errors.As(err, &damaged) {
		return err
	}
	return l.store.Blobs().Put(ctx, name, b)
}

// GetBlob returns what was stored under digest, or ErrNotFound. Bytes that no
// longer have the digest are reported as *CorruptError; a PutBlob of good ones
// replaces them.
func (l *Log) GetBlob(ctx context.Context, digest string) ([]byte, error) {
	name, err := blobName(digest)
	var b []byte
	if err == nil {
		err = l.live()
	}
	if err == nil {
		b, err = l.loadBlob(ctx, name)
		err = l.orClosed(err)
	}
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", digest, err)
	}
	return b, nil
}

// loadBlob reads and verifies a blob.
func (l *Log) loadBlob(ctx context.Context, name string) ([]byte, error) {
	b, err := l.store.Blobs().Get(ctx, name)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != name {
		return nil, corrupt(blobStream, 0, "the stored bytes have another digest")
	}
	return b, nil
}

// Blobs returns the digests of all blobs of the group, in no order.
func (l *Log) Blobs(ctx context.Context) ([]string, error) {
	if err := l.live(); err != nil {
		return nil, err
	}
	digests, err := l.store.Blobs().List(ctx)
	if err != nil {
		return nil, l.orClosed(err)
	}
	for i := range digests {
		digests[i] = digestMark + digests[i]
	}
	return digests, nil
}

// DeleteBlob removes a blob that nothing refers to any more. The log does not
// know what does. Deleting one that is not there is no error.
func (l *Log) DeleteBlob(ctx context.Context, digest string) error {
	name, err := blobName(digest)
	if err == nil {
		err = l.live()
	}
	if err == nil {
		err = l.orClosed(l.store.Blobs().Delete(ctx, name))
	}
	if err != nil {
		return fmt.Errorf("delete blob %s: %w", digest, err)
	}
	return nil
}

// blobName is digest as part of a subject.
func blobName(digest string) (string, error) {
	digits, ok := strings.CutPrefix(digest, digestMark)
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != sha256.Size || strings.ToLower(digits) != digits {
		return "", errors.New(`the digest is not "sha256:" and 64 lower-case hexadecimal digits`)
	}
	return digits, nil
}

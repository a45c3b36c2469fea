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
// is durable when PutBlob returns. Each group has blobs of its own.
//
// What is stored already is left as it is by a log that nobody claims. One that was
// claimed stores it again, so that the blob is newer than the mark of whoever owned
// the group before and may yet be about to delete it; and so does one after a delete
// of its own of which nobody knows what became.
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
	if l.claimed.Load() || l.deleting.Load() {
		return l.store.Blobs().Put(ctx, name, b)
	}
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

// Blobs returns the digests of all blobs of the group, in no order, and the mark that
// DeleteBlob takes.
func (l *Log) Blobs(ctx context.Context) (digests []string, mark BlobMark, err error) {
	if err := l.live(); err != nil {
		return nil, 0, err
	}
	digests, mark, err = l.store.Blobs().List(ctx)
	if err != nil {
		return nil, 0, l.orClosed(err)
	}
	for i := range digests {
		digests[i] = digestMark + digests[i]
	}
	return digests, mark, nil
}

// DeleteBlob removes a blob that nothing refers to any more. The log does not
// know what does. Deleting one that is not there is no error.
//
// A blob that was stored again after mark stays. So an owner that finds a blob unused,
// and after that is still the owner (StillOurs), may delete it however much later: the
// next owner stores again what it names.
func (l *Log) DeleteBlob(ctx context.Context, digest string, mark BlobMark) error {
	name, err := blobName(digest)
	if err == nil {
		err = l.live()
	}
	if err == nil {
		if err = l.orClosed(l.store.Blobs().Delete(ctx, name, mark)); err != nil {
			l.deleting.Store(true)
		}
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

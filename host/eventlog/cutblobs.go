package eventlog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// BlobIndex finds the blobs of a Cut. It is safe for concurrent use.
type BlobIndex struct {
	chunks map[string]map[int]chunkPlace // by hexadecimal digest and number
}

// chunkPlace is where the bytes of a chunk are.
type chunkPlace struct {
	path string
	at   int64
	size int
	seq  uint64
}

// Blobs finds the blobs. What is damaged is given to bad, as by Scan.
func (c *Cut) Blobs(ctx context.Context, bad func(*CorruptError) error) (*BlobIndex, error) {
	x := &BlobIndex{chunks: make(map[string]map[int]chunkPlace)}
	subjects := make(map[uint64]string)
	_, err := c.Scan(ctx, blobStream, 0, func(e *Entry) error {
		if e.Gone {
			x.drop(subjects[e.Seq], e.Seq)
			delete(subjects, e.Seq)
			return nil
		}
		name, n, ok := parseChunk(e.Subject)
		if !ok || len(e.Body) < blobHeader {
			return nil // nobody can ask for it
		}
		subjects[e.Seq] = e.Subject
		if x.chunks[name] == nil {
			x.chunks[name] = make(map[int]chunkPlace)
		}
		x.chunks[name][n] = chunkPlace{path: e.path, at: e.offset, size: len(e.Body), seq: e.Seq}
		return nil
	}, bad)
	return x, err
}

// drop forgets a message that was deleted.
func (x *BlobIndex) drop(subject string, seq uint64) {
	name, n, ok := parseChunk(subject)
	if !ok || x.chunks[name][n].seq != seq {
		return
	}
	delete(x.chunks[name], n)
	if len(x.chunks[name]) == 0 {
		delete(x.chunks, name)
	}
}

// parseChunk is the inverse of groupBlobs.chunk in group 0; others are not ok.
func parseChunk(subject string) (name string, n int, ok bool) {
	rest, ok := strings.CutPrefix(subject, "blob.")
	name, number, both := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	return name, n, ok && both && err == nil && len(name) == 2*sha256.Size
}

// Digests lists the digests of the blobs that are there, sorted. One whose first
// part is missing was never stored as a whole, and is left out.
func (x *BlobIndex) Digests() []string {
	var list []string
	for name, chunks := range x.chunks {
		if _, ok := chunks[0]; ok {
			list = append(list, "sha256:"+name)
		}
	}
	slices.Sort(list)
	return list
}

// Get reads a blob. The errors are those of Log.GetBlob.
func (x *BlobIndex) Get(digest string) ([]byte, error) {
	name, err := blobName(digest)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", digest, err)
	}
	corrupt := func(reason string) error {
		return fmt.Errorf("read blob %s: %w", digest, corrupt(blobStream, 0, reason))
	}
	chunks := x.chunks[name]
	if _, ok := chunks[0]; !ok {
		return nil, fmt.Errorf("read blob %s: %w", digest, ErrNotFound)
	}
	var b []byte
	for i, size := 0, uint64(1); i == 0 || uint64(len(b)) < size; i++ {
		place, ok := chunks[i]
		if !ok {
			return nil, corrupt("a part of the blob is missing or unreadable")
		}
		chunk, err := place.read()
		if err != nil {
			return nil, fmt.Errorf("read blob %s: %w", digest, err)
		}
		b, size = append(b, chunk[blobHeader:]...), binary.LittleEndian.Uint64(chunk)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != name {
		return nil, corrupt("the stored bytes have another digest")
	}
	return b, nil
}

func (p chunkPlace) read() ([]byte, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMoved, err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	b := make([]byte, p.size)
	if _, err := io.ReadFull(io.NewSectionReader(f, p.at, int64(p.size)), b); err != nil {
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	return b, nil
}

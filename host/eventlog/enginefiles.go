package eventlog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/minio/highwayhash"
)

// The storage engine keeps files beside its blocks that can be made again from
// these: an index, which it reads instead of the blocks after it was stopped in
// good order, and a description of the stream.
const (
	indexName       = "index.db"
	metaName        = "meta.inf"
	metaSumName     = "meta.sum"
	smallestIndex   = 32 // the engine takes nothing shorter
	indexDigestSize = 8
)

// EngineFile is a file of the storage engine that can be made again.
type EngineFile struct {
	Stream string
	Path   string
	Index  bool  // it is the index, not a part of the description
	Err    error // nil: it is as it was written; fs.ErrNotExist: it is not there
}

// EngineFiles looks at the files of the storage engine beside the blocks.
func EngineFiles(dir string) (files []EngineFile, err error) {
	names, err := streamsIn(dir)
	for _, name := range names {
		index := filepath.Join(streamDir(dir, name), indexName)
		meta := filepath.Join(dir, filepath.FromSlash(streamsPath), name, metaName)
		files = append(files,
			EngineFile{Stream: name, Path: index, Index: true, Err: checkIndex(index, name)},
			EngineFile{Stream: name, Path: meta, Err: checkMeta(meta, name)})
	}
	return files, err
}

// checkIndex checks an index as the engine does.
func checkIndex(path, stream string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(b) < smallestIndex {
		return fmt.Errorf("%d bytes are too few for an index", len(b))
	}
	sum, err := engineDigest(stream, b[:len(b)-indexDigestSize])
	if err == nil && string(sum) != string(b[len(b)-indexDigestSize:]) {
		err = errors.New("it does not have its checksum")
	}
	return err
}

// checkMeta checks the description of a stream with its checksum, which is in a
// file of its own.
func checkMeta(path, stream string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	want, err := os.ReadFile(filepath.Join(filepath.Dir(path), metaSumName))
	if err != nil {
		return err
	}
	sum, err := engineDigest(stream, b)
	if err == nil && hex.EncodeToString(sum) != strings.TrimSpace(string(want)) {
		err = errors.New("it does not have its checksum")
	}
	return err
}

// engineDigest is the engine's checksum of what it keeps of a stream.
func engineDigest(stream string, b []byte) ([]byte, error) {
	key := sha256.Sum256([]byte(stream))
	h, err := highwayhash.New64(key[:])
	if err != nil {
		return nil, err
	}
	if _, err := h.Write(b); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// indexed reports whether the engine will take a stream's index. A stream that has
// no blocks needs none.
func indexed(dir, stream string) (bool, error) {
	blocks, err := listBlocks(streamDir(dir, stream))
	if err != nil || len(blocks) == 0 {
		return err == nil, err
	}
	return checkIndex(filepath.Join(streamDir(dir, stream), indexName), stream) == nil, nil
}

// Holder says who has the log in dir open; "" when nobody has. It writes nothing.
func Holder(dir string) (string, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		f, err = os.Open(filepath.Join(dir, lockName))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // nothing was written; closing gives the lock back
	switch err := tryLock(f); {
	case errors.Is(err, errHeld):
		return readHolder(f), nil
	case err != nil:
		return "", fmt.Errorf("look at lock %s: %w", f.Name(), err)
	}
	return "", nil
}

// LeastFree is the room on disk, in bytes, without which a log is not opened.
const LeastFree = leastFree

// DiskFree returns the bytes that the file system of dir has left for this
// process, and whether that is known.
func DiskFree(dir string) (int64, bool) { return diskFree(dir) }

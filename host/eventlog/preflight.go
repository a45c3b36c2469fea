package eventlog

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/minio/highwayhash"
)

// After an unclean stop the storage engine rebuilds its index from its block
// files and cuts a block off at the first entry that does not check out,
// whatever follows. That is right for a write the crash interrupted and wrong
// for anything else. So the log reads the blocks first, with the engine's own
// checks, and does not let it start when more than an unfinished tail would go.

// The layout of an entry in the engine's block files (nats-server v2.15).
const (
	entryHeader  = 22 // length, sequence, time, length of the subject
	entryHash    = 8
	entryMax     = 32 << 20
	entryHasHdr  = 1 << 31       // in the length
	entryControl = 1<<63 | 1<<62 // in the sequence: erased, tombstone
	blockSuffix  = ".blk"
	streamsPath  = "jetstream/$G/streams"
	messagesPath = "msgs"
)

// block is a block file and its number.
type block struct {
	path  string
	index uint64
}

// preflight checks the stored entries of stream name before the engine sees
// them. said and floor are the witness's word on its end and its start, or nil.
// It returns the bytes of an unfinished write at the end, which the engine will
// drop.
func preflight(dir, name string, said, floor *testimony) (torn int64, err error) {
	blocks, err := listBlocks(filepath.Join(dir, filepath.FromSlash(streamsPath), name, messagesPath))
	if err != nil {
		return 0, err
	}
	var last uint64
	latest, known := firstOf(said, floor)
	for i, blk := range blocks {
		buf, err := os.ReadFile(blk.path)
		if err != nil {
			return 0, fmt.Errorf("check stream %s: %w", name, err)
		}
		first, next, bad, reason := checkBlock(buf, name, blk.index, last)
		if last == 0 && known && first > latest {
			return 0, corrupt(name, latest, fmt.Sprintf("the stream starts with frame %d", first))
		}
		if reason != "" && (i < len(blocks)-1 || !tornTail(buf[bad:], name, blk.index)) {
			return 0, corrupt(name, next+1, fmt.Sprintf("%s at byte %d of %s", reason, bad, blk.path))
		}
		last, torn = next, int64(len(buf)-bad)
	}
	if said != nil && last < said.seq {
		return 0, corrupt(name, last+1, fmt.Sprintf("the stream ends with frame %d, yet frame %d had been stored", last, said.seq))
	}
	return torn, syncLast(blocks)
}

// checkBlock walks the entries of a block whose first sequence should follow
// last. It returns the first and the last good sequence, and where and why it
// stopped; at the end of the block there is no reason.
func checkBlock(buf []byte, name string, index, last uint64) (first, next uint64, bad int, reason string) {
	c, err := newEntryCheck(name, index)
	if err != nil {
		return 0, last, 0, err.Error()
	}
	for at := 0; at < len(buf); {
		size, ok := c.check(buf[at:])
		if !ok {
			return first, last, at, "an entry does not check out"
		}
		if seq := binary.LittleEndian.Uint64(buf[at+4:]); seq&entryControl == 0 && seq != 0 {
			if last != 0 && seq != last+1 && dense(name) {
				return first, last, at, fmt.Sprintf("frame %d follows frame %d", seq, last)
			}
			last = seq
			if first == 0 {
				first = seq
			}
		}
		at += size
	}
	return first, last, len(buf), ""
}

// dense reports whether the messages of a stream leave it at its start alone.
func dense(name string) bool { return name != blobStream && !isStream(name, noteStream) }

// isStream reports whether name is what the stream called base in group 0 is
// called in some group.
func isStream(name, base string) bool { return name == base || strings.HasPrefix(name, base+"-") }

// tornTail reports whether rest, the end of the last block from the first bad
// entry on, can be what a crash left of the one write that was under way: it
// is no longer than a frame, and no good entry follows.
func tornTail(rest []byte, name string, index uint64) bool {
	if len(rest) > maxPayload+4096 {
		return false
	}
	c, err := newEntryCheck(name, index)
	if err != nil || len(rest) < entryHeader {
		return err == nil
	}
	// The length of the bad entry may be what is bad: an entry may begin anywhere.
	budget := maxFollow
	for at := 1; at <= len(rest)-entryHeader-entryHash; at++ {
		size := looksLikeEntry(rest[at:], name)
		if size == 0 {
			continue
		}
		if _, ok := c.check(rest[at:]); ok {
			return false
		}
		if budget -= size; budget < 0 {
			break // it is made to look like entries all over
		}
	}
	return true
}

// maxFollow bounds the bytes that are hashed in search of an entry.
const maxFollow = 32 << 20

// looksLikeEntry returns the size of the entry that b may begin with, or 0. It
// looks at lengths and at the beginning of the subject.
func looksLikeEntry(b []byte, stream string) int {
	le := binary.LittleEndian
	size, subject := int(le.Uint32(b)&^entryHasHdr), int(le.Uint16(b[20:]))
	if size < entryHeader+entryHash || size > len(b) || entryHeader+subject+entryHash > size {
		return 0
	}
	kind, _, _ := strings.Cut(strings.ToLower(stream), "-")
	if subject > 0 && !strings.HasPrefix(string(b[entryHeader:entryHeader+min(subject, len(kind)+1)]), kind+".") {
		return 0
	}
	if subject == 0 && size != entryHeader+entryHash {
		return 0
	}
	return size
}

// An entryCheck verifies entries of one block, whose hashes are keyed by its name.
type entryCheck struct{ h hash.Hash64 }

func newEntryCheck(name string, index uint64) (entryCheck, error) {
	key := sha256.Sum256([]byte(name + "-" + strconv.FormatUint(index, 10)))
	h, err := highwayhash.New64(key[:])
	return entryCheck{h: h}, err
}

// check returns the size of the entry that b starts with, and whether it is good.
func (c entryCheck) check(b []byte) (int, bool) {
	if len(b) < entryHeader+entryHash {
		return 0, false
	}
	le := binary.LittleEndian
	size := int(le.Uint32(b) &^ entryHasHdr)
	if size < entryHeader+entryHash || size > entryMax || size > len(b) {
		return 0, false
	}
	subject := entryHeader + int(le.Uint16(b[20:]))
	body, end := subject, size-entryHash
	if le.Uint32(b)&entryHasHdr != 0 {
		body += 4 // the length of the headers is not part of the hash
	}
	if body > end {
		return 0, false
	}
	c.h.Reset()
	for _, part := range [][]byte{b[4:20], b[entryHeader:subject], b[body:end]} {
		if _, err := c.h.Write(part); err != nil {
			return 0, false
		}
	}
	var sum [entryHash]byte
	return size, string(c.h.Sum(sum[:0])) == string(b[end:size])
}

// listBlocks returns the block files of a folder in their order; none when the
// folder is not there.
func listBlocks(dir string) ([]block, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var blocks []block
	for _, e := range entries {
		number, ok := strings.CutSuffix(e.Name(), blockSuffix)
		if !ok {
			continue
		}
		index, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			continue // not one of the engine's
		}
		blocks = append(blocks, block{path: filepath.Join(dir, e.Name()), index: index})
	}
	slices.SortFunc(blocks, func(a, b block) int { return cmp.Compare(a.index, b.index) })
	return blocks, nil
}

// syncLast makes durable what a stopped process may have written without
// getting to sync it: such a frame was not acknowledged, but it will be acted
// on from now on. Only the last block can hold one; one more for good measure.
func syncLast(blocks []block) error {
	for _, blk := range blocks[max(0, len(blocks)-2):] {
		f, err := os.OpenFile(blk.path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("sync %s: %w", blk.path, err)
		}
	}
	return nil
}

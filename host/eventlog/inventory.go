package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rhost/rhost/host/sumline"
)

// inventoryName is a file that a clean stop leaves: which block files there are,
// and how large. The engine takes its index for the blocks after such a stop; where
// a block is shorter than the index says, or gone, it reads the blocks after all and
// changes them. With the inventory that is known before.
const inventoryName = "blocks"

// writeInventory notes the block files in dir, on disk.
func writeInventory(dir string) error {
	text, err := inventory(dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, inventoryName), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(sumline.Add([]byte(text)))
	return errors.Join(err, f.Sync(), f.Close())
}

// inventory lists the block files in dir with their sizes, a line each.
func inventory(dir string) (string, error) {
	names, err := streamsIn(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range names {
		lines, err := inventoryOf(dir, name)
		if err != nil {
			return "", err
		}
		b.WriteString(lines)
	}
	return b.String(), nil
}

// inventoryOf is the part of an inventory that is about one stream.
func inventoryOf(dir, stream string) (string, error) {
	blocks, err := listBlocks(streamDir(dir, stream))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, blk := range blocks {
		info, err := os.Stat(blk.path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s %d %d\n", stream, blk.index, info.Size())
	}
	return b.String(), nil
}

// vouched reports whether a stream, in a folder that was closed in good order, is
// what the engine will take it for: its files are those of then, the index is as
// it was written, and the last block, of which the engine reads the end, ends well.
func vouched(dir, stream string) (bool, error) {
	if ok, err := indexed(dir, stream); !ok || err != nil {
		return false, err
	}
	if ok, err := unchanged(dir, stream); !ok || err != nil {
		return false, err
	}
	blocks, err := listBlocks(streamDir(dir, stream))
	if err != nil || len(blocks) == 0 {
		return err == nil, err
	}
	last := blocks[len(blocks)-1]
	buf, err := os.ReadFile(last.path)
	if err != nil {
		return false, err
	}
	_, _, bad, reason := checkBlock(buf, stream, last.index, 0)
	if reason == "" {
		return true, nil
	}
	// The engine compares the end of the block with its index. Damage before that
	// shows when it is read, and of blobs, a good one can be put in its place.
	check, err := newEntryCheck(stream, last.index)
	return err == nil && endsWell(check, buf[bad:]), err
}

// endsWell reports whether the last entry of what begins with a damaged one is good.
func endsWell(check entryCheck, b []byte) bool {
	good := false
	for len(b) > 0 {
		size, ok := check.check(b)
		if good = ok; !ok {
			size = nextEntry(check, b)
		}
		if size == 0 {
			return false
		}
		b = b[size:]
	}
	return good
}

// unchanged compares the files of a stream with the inventory. A folder that has
// none was closed by an older version.
func unchanged(dir, stream string) (bool, error) {
	b, err := os.ReadFile(filepath.Join(dir, inventoryName))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	text, err := sumline.Check(b)
	if err != nil {
		return false, nil //nolint:nilerr // nothing is known then; the blocks are read
	}
	var was strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, stream+" ") {
			was.WriteString(line)
		}
	}
	now, err := inventoryOf(dir, stream)
	return now == was.String(), err
}

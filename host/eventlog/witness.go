package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	witnessName = "witness"
	witnessSlot = 64
	witnessMark = "rhw1"
)

// The slots of a witness.
const (
	slotEvents = iota
	slotRun
	slotClean
	slotEventFloor // the first frame that a purge has left
	slotRunFloor
	witnessSlots
)

// slotKinds are the streams of the slots.
//
//nolint:gochecknoglobals // a table that never changes
var slotKinds = [...]StreamKind{slotEvents: EventStream, slotRun: RunStream}

// A witness is a small file beside the streams that remembers the last frame
// of each stream of a group that was acknowledged. Damage may make the storage engine cut
// a stream short without a word; then the witness knows better. It also
// remembers how far the streams were purged and, in group 0, whether the folder was closed in good order.
//
// The file is written after each acknowledgement and not synced: what it says
// survives the process, and after a power cut it may lag behind, never be ahead.
type witness struct {
	mu sync.Mutex // serialises writes
	f  *os.File
}

// testimony is what one slot says: the frame last acknowledged and its
// checksum. In slotClean, seq 1 means that the log was closed in good order; of
// a floor there is no checksum.
type testimony struct {
	seq uint64
	crc uint32
}

// openWitness opens or creates a witness in dir.
func openWitness(dir, name string) (*witness, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &witness{f: f}, nil
}

// read returns what the witness says; nil stands for a slot that was never
// written or cannot be read.
func (w *witness) read() (said [witnessSlots]*testimony, err error) {
	buf := make([]byte, witnessSlots*witnessSlot)
	n, err := w.f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return said, fmt.Errorf("read %s: %w", w.f.Name(), err)
	}
	for i := range said {
		if end := (i + 1) * witnessSlot; end <= n {
			said[i] = parseTestimony(buf[i*witnessSlot : end])
		}
	}
	return said, nil
}

func parseTestimony(b []byte) *testimony {
	le := binary.LittleEndian
	if string(b[:4]) != witnessMark || crc32.Checksum(b[:16], castagnoli) != le.Uint32(b[16:]) {
		return nil
	}
	return &testimony{seq: le.Uint64(b[4:]), crc: le.Uint32(b[12:])}
}

// say replaces what slot says.
func (w *witness) say(slot int, t testimony) error {
	var b [witnessSlot]byte
	le := binary.LittleEndian
	copy(b[:], witnessMark)
	le.PutUint64(b[4:], t.seq)
	le.PutUint32(b[12:], t.crc)
	le.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.f.WriteAt(b[:], int64(slot*witnessSlot)); err != nil {
		return fmt.Errorf("write %s: %w", w.f.Name(), err)
	}
	return nil
}

// sayClean notes, on disk, whether the log is closed in good order.
func (w *witness) sayClean(clean bool) error {
	var t testimony
	if clean {
		t.seq = 1
	}
	return errors.Join(w.say(slotClean, t), w.f.Sync())
}

// sayFloors notes, on disk, how far the streams are going to be purged.
func (w *witness) sayFloors(f floors) error {
	return errors.Join(
		w.say(slotEventFloor, testimony{seq: f.ev}),
		w.say(slotRunFloor, testimony{seq: f.run}),
		w.f.Sync())
}

// floorsSaid is what a witness said of how far the streams were purged.
func floorsSaid(said [witnessSlots]*testimony) (f floors) {
	if t := said[slotEventFloor]; t != nil {
		f.ev = t.seq
	}
	if t := said[slotRunFloor]; t != nil {
		f.run = t.seq
	}
	return f
}

// firstOf is the latest frame that a stream may start with, by what a witness
// said of its tail and its floor; false when it does not know.
func firstOf(tail, floor *testimony) (uint64, bool) {
	switch {
	case floor != nil:
		return max(floor.seq, 1), true
	case tail != nil:
		return 1, true
	}
	return 0, false
}

func (w *witness) close() error { return w.f.Close() }

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
	witnessSlots
)

// A witness is a small file beside the streams that remembers the last frame
// of each stream that was acknowledged. Damage may make the storage engine cut
// a stream short without a word; then the witness knows better. It also
// remembers whether the log was closed in good order.
//
// The file is written after each acknowledgement and not synced: what it says
// survives the process, and after a power cut it may lag behind, never be ahead.
type witness struct {
	mu sync.Mutex // serialises writes
	f  *os.File
}

// testimony is what one slot says: the frame last acknowledged and its
// checksum. In slotClean, seq 1 means that the log was closed in good order.
type testimony struct {
	seq uint64
	crc uint32
}

// openWitness opens dir's witness and returns what it says; nil stands for a
// slot that was never written or cannot be read.
func openWitness(dir string) (*witness, [witnessSlots]*testimony, error) {
	var said [witnessSlots]*testimony
	f, err := os.OpenFile(filepath.Join(dir, witnessName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, said, err
	}
	buf := make([]byte, witnessSlots*witnessSlot)
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, said, errors.Join(fmt.Errorf("read %s: %w", f.Name(), err), f.Close())
	}
	for i := range said {
		if end := (i + 1) * witnessSlot; end <= n {
			said[i] = parseTestimony(buf[i*witnessSlot : end])
		}
	}
	return &witness{f: f}, said, nil
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

func (w *witness) close() error { return w.f.Close() }

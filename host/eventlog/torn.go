package eventlog

import (
	"errors"
	"fmt"
	"os"
)

// TornTail is what a crash left of a write that was never acknowledged.
type TornTail struct {
	Stream string
	Path   string // of the block that ends with it
	At     int64  // where it begins
	Bytes  []byte
}

// TornTails finds them in a log that nobody has open. A stream with any other
// damage, or one that lacks a frame that was acknowledged, is left out: there
// nobody can say what was never acknowledged.
func TornTails(dir string) (list []TornTail, err error) {
	said, err := readWitness(dir)
	if err != nil {
		return nil, err
	}
	for _, s := range []struct {
		name        string
		last, floor *testimony
	}{
		{evName, said[slotEvents], said[slotEventFloor]},
		{runName, said[slotRun], said[slotRunFloor]},
		{noteStream, nil, nil},
		{blobStream, nil, nil},
	} {
		torn, err := findTorn(dir, s.name, s.last, s.floor)
		if corrupt := (*CorruptError)(nil); errors.As(err, &corrupt) {
			continue
		}
		if err != nil {
			return list, err
		}
		if torn != nil {
			list = append(list, *torn)
		}
	}
	return list, nil
}

func findTorn(dir, name string, said, floor *testimony) (*TornTail, error) {
	n, err := preflight(dir, name, said, floor)
	if err != nil || n == 0 {
		return nil, err
	}
	blocks, err := listBlocks(streamDir(dir, name))
	if err != nil || len(blocks) == 0 {
		return nil, err
	}
	path := blocks[len(blocks)-1].path
	b, err := os.ReadFile(path)
	if err != nil || int64(len(b)) < n {
		return nil, err
	}
	at := int64(len(b)) - n
	return &TornTail{Stream: name, Path: path, At: at, Bytes: b[at:]}, nil
}

// Cut takes the tail off. The log must not be open, which the caller sees to by
// LockFolder; Bytes are all that it takes away.
func (t *TornTail) Cut() error {
	f, err := os.OpenFile(t.Path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != t.At+int64(len(t.Bytes)) {
		err = fmt.Errorf("%s has changed meanwhile", t.Path)
	}
	if err == nil {
		err = errors.Join(f.Truncate(t.At), f.Sync())
	}
	return errors.Join(err, f.Close())
}

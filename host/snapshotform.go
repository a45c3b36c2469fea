package host

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/rhost/rhost/host/form"
)

// The form of a snapshot, version 2; version 1 had neither holdings nor topics and is
// read as well:
//
//	offset size
//	0      4    "rhsn"
//	4      1    version: 2
//	5      3    0
//	8      4    CRC-32C of everything from offset 12 on, little-endian
//	12          a zstd frame of what laneCapture.write writes
//
// What is in it has the form of package form; bytes that must not be missing have that
// of texts.
const (
	snapshotMagic   = "rhsn"
	snapshotVersion = 2
	snapshotHeader  = 12
)

// errSnapshot is the error of bytes that are no snapshot, or are damaged.
var errSnapshot = errors.New("the snapshot is damaged, or of another version")

const (
	maxSnapshotPiece = 64 << 30 // a damaged length takes no memory: it is taken as bytes come
	snapshotWindow   = 8 << 20  // of the compression
)

// formWriter writes the inside of a snapshot.
type formWriter struct{ form.Writer }

// formReader reads what a formWriter wrote.
type formReader struct {
	form.Stream
	version byte
}

// sealer is the outside of a snapshot: it compresses what is written to it.
type sealer struct {
	out bytes.Buffer
	z   *zstd.Encoder
}

func newSealer() (*sealer, error) {
	s := &sealer{}
	s.out.WriteString(snapshotMagic)
	s.out.Write([]byte{snapshotVersion, 0, 0, 0, 0, 0, 0, 0})
	var err error
	s.z, err = zstd.NewWriter(&s.out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(snapshotWindow/8))
	return s, err
}

// seal gives the bytes of the snapshot.
func (s *sealer) seal() ([]byte, error) {
	if err := s.z.Close(); err != nil {
		return nil, err
	}
	b := s.out.Bytes()
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[snapshotHeader:], crc32.MakeTable(crc32.Castagnoli)))
	return b, nil
}

// unseal checks the outside of a snapshot, and hands what is in it to read.
func unseal(b []byte, read func(*formReader)) error {
	if len(b) < snapshotHeader || string(b[:4]) != snapshotMagic {
		return fmt.Errorf("%w: it does not begin like one", errSnapshot)
	}
	if v := b[4]; v < 1 || v > snapshotVersion {
		return fmt.Errorf("%w: it is of version %d, and this release reads versions 1 to %d", errSnapshot, v, snapshotVersion)
	}
	body := b[snapshotHeader:]
	if binary.LittleEndian.Uint32(b[8:]) != crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) {
		return fmt.Errorf("%w: its checksum is wrong", errSnapshot)
	}
	z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(snapshotWindow))
	if err != nil {
		return fmt.Errorf("%w: %w", errSnapshot, err)
	}
	defer z.Close()
	f := &formReader{form.Stream{R: bufio.NewReaderSize(z, 1<<16), Most: maxSnapshotPiece, Damaged: errSnapshot}, b[4]}
	read(f)
	if f.Err() == nil {
		if _, err := f.R.ReadByte(); !errors.Is(err, io.EOF) {
			f.Fail("something follows its end")
		}
	}
	return f.Err()
}

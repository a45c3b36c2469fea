package wasm

import (
	"encoding/binary"
	"errors"
	"slices"
)

// segment is a part of a module's memory as it begins.
type segment struct {
	offset uint32
	bytes  []byte
}

// Sections and instructions of the binary format, as far as takeData reads them.
const (
	sectionData      = 11
	sectionDataCount = 12
	opI32Const       = 0x41
	opEnd            = 0x0b
)

// errForm is the error of takeData for data that has to stay where it is.
var errForm = errors.New("the data is not all at known places")

// takeData takes the initial data out of a module that has been scanned: the host
// puts it into the first instance's memory by itself, and later instances begin
// with what start-up made of it. wazero would copy each segment anew, after an
// evaluation of its offset, which for a Go guest is most of the work of making an
// instance. The module must not use its segments at run time. When the data has to
// stay, wasm comes back as it is, with no segments.
func takeData(wasm []byte) (rest []byte, data []segment) {
	const header = 8
	rest = slices.Clone(wasm[:header])
	for at := header; at < len(wasm); {
		id := wasm[at]
		size, n := binary.Uvarint(wasm[at+1:])
		begin := at + 1 + n
		if n <= 0 || size > uint64(len(wasm)-begin) {
			return wasm, nil
		}
		end := begin + int(size)
		switch id {
		case sectionDataCount:
		case sectionData:
			var err error
			if data, err = segments(wasm[begin:end]); err != nil {
				return wasm, nil
			}
		default:
			rest = append(rest, wasm[at:end]...)
		}
		at = end
	}
	return rest, data
}

// segments reads a data section whose segments all lie at constant places of the
// first memory.
func segments(b []byte) ([]segment, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)) {
		return nil, errForm
	}
	b = b[n:]
	list := make([]segment, 0, count)
	for range count {
		if len(b) < 2 || b[0] != 0 || b[1] != opI32Const {
			return nil, errForm
		}
		offset, n := signed(b[2:])
		if n <= 0 || len(b) < 2+n+1 || b[2+n] != opEnd {
			return nil, errForm
		}
		b = b[2+n+1:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errForm
		}
		list = append(list, segment{uint32(offset), slices.Clone(b[n : n+int(size)])})
		b = b[n+int(size):]
	}
	return list, nil
}

// signed reads a signed LEB128 of up to 32 bits.
func signed(b []byte) (v int32, n int) {
	const most = 5
	for shift := 0; n < min(most, len(b)); shift += 7 {
		c := b[n]
		n++
		v |= int32(c&0x7f) << shift
		if c&0x80 == 0 {
			if shift+7 < 32 && c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v, n
		}
	}
	return 0, 0
}

// fill puts the initial data into a memory of size bytes; it reports false when some
// of it lies outside, which the format calls a trap.
func fill(memory []byte, data []segment) bool {
	for _, s := range data {
		if uint64(s.offset)+uint64(len(s.bytes)) > uint64(len(memory)) {
			return false
		}
	}
	for _, s := range data {
		copy(memory[s.offset:], s.bytes)
	}
	return true
}

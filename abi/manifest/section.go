package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// SectionName is the name of the custom section that holds a manifest.
const SectionName = "rhost.manifest"

// Errors of modules that cannot be given or asked for a manifest.
var (
	ErrNotModule = errors.New("the bytes are no WebAssembly module")
	ErrTwo       = errors.New("the module has two sections " + SectionName + "; build it again so that it has one")
)

// Section returns the manifest that a module carries; nil when it carries none.
// It lies in wasm.
func Section(wasm []byte) ([]byte, error) {
	var found []byte
	err := sections(wasm, func(s section) error {
		if s.custom != SectionName {
			return nil
		}
		if found != nil {
			return ErrTwo
		}
		found = s.body
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Embed returns a copy of a module that carries the manifest text, at its end,
// and no other.
func Embed(wasm, text []byte) ([]byte, error) {
	out := make([]byte, 0, len(wasm)+len(text)+32)
	out = append(out, wasm[:min(len(wasm), headerSize)]...)
	err := sections(wasm, func(s section) error {
		if s.custom != SectionName {
			out = append(out, s.whole...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	name := binary.AppendUvarint(nil, uint64(len(SectionName)))
	size := len(name) + len(SectionName) + len(text)
	out = append(out, 0)
	out = binary.AppendUvarint(out, uint64(size))
	out = append(append(out, name...), SectionName...)
	return append(out, text...), nil
}

const headerSize = 8

// section is one of a module. Its slices lie in the module.
type section struct {
	custom string // name of a custom section; "" for others
	body   []byte // of a custom section: what follows the name
	whole  []byte // with id and size
}

// sections calls fn with each section of a module, in order.
func sections(wasm []byte, fn func(section) error) error {
	if len(wasm) < headerSize || string(wasm[:headerSize]) != "\x00asm\x01\x00\x00\x00" {
		return ErrNotModule
	}
	for rest := wasm[headerSize:]; len(rest) > 0; {
		size, n := uleb(rest[1:])
		if n == 0 || size > uint64(len(rest)-1-n) {
			return fmt.Errorf("%w: a section at offset %d reaches past the end", ErrNotModule, len(wasm)-len(rest))
		}
		end := 1 + n + int(size)
		s := section{whole: rest[:end:end]}
		if rest[0] == 0 {
			content := rest[1+n : end : end]
			length, m := uleb(content)
			if m == 0 || length > uint64(len(content)-m) {
				return fmt.Errorf("%w: a custom section at offset %d has no name", ErrNotModule, len(wasm)-len(rest))
			}
			s.custom = string(content[m : m+int(length)])
			s.body = slices.Clip(content[m+int(length):])
		}
		if err := fn(s); err != nil {
			return err
		}
		rest = rest[end:]
	}
	return nil
}

// uleb reads an unsigned number of at most 32 bits; n is 0 when there is none.
func uleb(b []byte) (v uint64, n int) {
	v, n = binary.Uvarint(b[:min(len(b), 5)])
	if n <= 0 || v > 1<<32-1 {
		return 0, 0
	}
	return v, n
}

package wasm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// relink returns the module with those imports linked to a stub that its manifest
// can do without and this host does not offer; wasm itself when there are none.
// Indices stay as they are. info is that of wasm.
func (a admission) relink(wasm []byte, info *fuel.Info, about *manifest.Manifest) (linked []byte, changed bool, err error) {
	if about == nil || len(about.Optional) == 0 {
		return wasm, false, nil
	}
	missing := make(map[string]bool)
	spoken, ok := a.speaks(info)
	for _, imp := range info.Imports {
		if _, offered := a.offers[spoken.Module][imp.Name]; ok && imp.Module == spoken.Module && !offered && isService(imp) && slices.Contains(about.Optional, imp.Name) {
			missing[imp.Name] = true
		}
	}
	if len(missing) == 0 {
		return wasm, false, nil
	}
	linked, err = renameImports(wasm, spoken.Module, missing)
	return linked, true, err
}

// renameImports writes a module anew in which the functions of module that are in
// names are imported from the stub. The module has been scanned: it is well
// formed.
func renameImports(wasm []byte, module string, names map[string]bool) ([]byte, error) {
	const header, importSection = 8, 2
	out := append([]byte(nil), wasm[:header]...)
	for rest := wasm[header:]; len(rest) > 0; {
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return nil, errors.New("relink imports: a section has no end")
		}
		end := 1 + n + int(size)
		if rest[0] != importSection {
			out = append(out, rest[:end]...)
			rest = rest[end:]
			continue
		}
		body, err := renamed(rest[1+n:end], module, names)
		if err != nil {
			return nil, err
		}
		out = append(out, importSection)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
		rest = rest[end:]
	}
	return out, nil
}

// renamed is the import section with the names changed.
func renamed(section []byte, module string, names map[string]bool) ([]byte, error) {
	r := cursor{b: section}
	count := r.number()
	out := binary.AppendUvarint(nil, count)
	for range count {
		from, name := r.text(), r.text()
		start := r.at
		r.describe()
		if r.bad {
			return nil, fmt.Errorf("relink imports: import %s.%s cannot be read", from, name)
		}
		if from == module && names[name] {
			from, name = moduleStub, stubName
		}
		out = append(binary.AppendUvarint(out, uint64(len(from))), from...)
		out = append(binary.AppendUvarint(out, uint64(len(name))), name...)
		out = append(out, section[start:r.at]...)
	}
	return append(out, section[r.at:]...), nil
}

// cursor walks over an import section.
type cursor struct {
	b   []byte
	at  int
	bad bool
}

func (c *cursor) number() uint64 {
	v, n := binary.Uvarint(c.b[min(c.at, len(c.b)):])
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.at += n
	return v
}

func (c *cursor) text() string {
	n := c.number()
	if c.bad || n > uint64(len(c.b)-c.at) {
		c.bad = true
		return ""
	}
	s := string(c.b[c.at : c.at+int(n)])
	c.at += int(n)
	return s
}

// describe walks over what is imported: a function, a table, a memory or a global.
func (c *cursor) describe() {
	limits := func() {
		if flags := c.number(); flags&1 != 0 {
			c.number()
		}
		c.number()
	}
	switch c.number() {
	case 0:
		c.number()
	case 1:
		c.number() // type of the elements
		limits()
	case 2:
		limits()
	case 3:
		c.number()
		c.number()
	default:
		c.bad = true
	}
	c.bad = c.bad || c.at > len(c.b)
}

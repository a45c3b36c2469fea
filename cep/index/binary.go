package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"sync/atomic"
	"unsafe"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// The header of a stored segment: what it is, the version of what follows, its
// length and a checksum of it. All numbers are little-endian, and every array
// begins at a multiple of eight bytes from the header.
const (
	magic      = "rhix"
	version    = 1
	headerSize = 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a constant table

// AppendBinary appends the segment in a form that Load reads. It includes the
// secret of the segment's hashes, so it belongs where only rhost can read it.
func (s *Segment) AppendBinary(dst []byte) []byte {
	base := len(dst)
	dst = append(dst, make([]byte, headerSize)...)
	c := codec{buf: dst, base: base, writing: true}
	c.segment(s)
	head := c.buf[base:]
	copy(head, magic)
	binary.LittleEndian.PutUint32(head[4:], version)
	binary.LittleEndian.PutUint64(head[8:], uint64(len(head)-headerSize))
	binary.LittleEndian.PutUint32(head[16:], crc32.Checksum(head[headerSize:], castagnoli))
	return c.buf
}

// ErrVersion is the error of a segment stored by another version.
var ErrVersion = errors.New("the compiled rules were stored by another version; compile them again")

// Load reads a segment. It keeps b and uses it in place where the machine allows
// that, so b must not change while the segment is in use.
//
// field gives the index in Event.Fields of a path, as Fields.Intern does; nil
// keeps the indexes of the segment that was stored. leaf compiles what
// Leaf.String gave. Load checks everything it reads: bytes from anywhere give a
// segment that matches something, or an error.
func Load(b []byte, field func(event.Path) int, leaf func(text string) (*predicate.Leaf, error)) (*Segment, error) {
	s := new(Segment)
	if err := s.load(b, field, leaf); err != nil {
		return nil, fmt.Errorf("load compiled rules: %w", err)
	}
	return s, nil
}

func (s *Segment) load(b []byte, field func(event.Path) int, leaf func(string) (*predicate.Leaf, error)) error {
	switch {
	case len(b) < headerSize || string(b[:4]) != magic:
		return errors.New("not a compiled segment")
	case binary.LittleEndian.Uint32(b[4:]) != version:
		return ErrVersion
	case binary.LittleEndian.Uint64(b[8:]) != uint64(len(b)-headerSize):
		return errors.New("cut short, or followed by something else")
	case binary.LittleEndian.Uint32(b[16:]) != crc32.Checksum(b[headerSize:], castagnoli):
		return errors.New("the checksum differs; the file is damaged")
	}
	c := codec{buf: b, at: headerSize, leaf: leaf, field: field}
	c.segment(s)
	if c.err == nil && c.at != len(b) {
		c.err = errDamaged
	}
	if c.err != nil {
		return c.err
	}
	if err := s.check(); err != nil {
		return err
	}
	s.connect()
	return nil
}

// errDamaged is what is wrong with bytes that a segment would not have written.
var errDamaged = errors.New("the file is damaged")

// codec writes or reads a segment: the same walk over its parts does both, so
// that the two cannot differ.
type codec struct {
	buf     []byte
	writing bool
	base    int // writing: where the header is
	at      int // reading: what comes next
	err     error
	leaf    func(string) (*predicate.Leaf, error)
	field   func(event.Path) int
}

func (c *codec) segment(s *Segment) {
	c.u64(&s.key.k0)
	c.u64(&s.key.k1)
	c.bytes(&s.text)
	c.u64s(&s.nums)
	for _, list := range []*[]uint32{
		&s.heads, &s.args, &s.lists, &s.code, &s.roots, &s.idStart, &s.ids, &s.refs, &s.posts, &s.every,
	} {
		c.u32s(list)
	}
	c.num(&s.memos)
	c.flag(&s.repeats)
	many(c, &s.fields, c.fieldOf)
	many(c, &s.leafs, c.leafOf)
	many(c, &s.dicts, c.dict)
	many(c, &s.ranges, c.ranges)
	many(c, &s.tries, c.trie)
	many(c, &s.autos, c.automaton)
	many(c, &s.nets, c.nets)
	c.u64s(&s.pairs.keys)
	c.u32s(&s.pairs.posts)
	patterns := len(s.patterns)
	c.num(&patterns)
	if !c.writing && c.err == nil {
		if patterns > len(s.heads) {
			c.err = errDamaged
			return
		}
		s.patterns = make([]atomic.Pointer[regexp.Regexp], patterns)
	}
}

// many writes or reads a list of parts.
func many[T any](c *codec, list *[]T, part func(*T)) {
	n := len(*list)
	c.num(&n)
	if !c.writing && c.err == nil {
		if n > len(c.buf)-c.at { // each part takes at least a byte
			c.err = errDamaged
			return
		}
		*list = make([]T, n)
	}
	for i := 0; i < len(*list) && c.err == nil; i++ {
		part(&(*list)[i])
	}
}

func (c *codec) fieldOf(f *field) {
	text := []byte(f.path.String())
	c.num(&f.slot)
	c.bytes(&text)
	if c.writing || c.err != nil {
		return
	}
	if f.path, c.err = event.ParsePath(string(text)); c.err == nil && c.field != nil {
		f.slot = c.field(f.path)
	}
}

func (c *codec) leafOf(l **predicate.Leaf) {
	var text []byte
	if c.writing {
		text = []byte((*l).String())
	}
	c.bytes(&text)
	if c.writing || c.err != nil {
		return
	}
	if c.leaf == nil {
		c.err = errors.New("it has conditions that must be compiled, and nothing to do so")
		return
	}
	if *l, c.err = c.leaf(string(text)); c.err == nil && *l == nil {
		c.err = fmt.Errorf("%q is not compiled", text)
	}
}

func (c *codec) dict(d *dict) {
	c.u32(&d.field)
	c.flag(&d.fold)
	c.num(&d.length)
	c.u64s(&d.slots)
}

func (c *codec) ranges(r *rangeTable) {
	kind := int(r.kind)
	c.u32(&r.field)
	c.num(&kind)
	r.kind = event.Kind(kind & 0xff)
	c.flag(&r.fold)
	c.u64s(&r.nums)
	for _, list := range []*[]uint32{&r.strs, &r.lo, &r.hi, &r.posts, &r.tree, &r.levels} {
		c.u32s(list)
	}
}

func (c *codec) trie(t *trie) {
	c.u32(&t.field)
	c.num(&t.variant)
	c.flag(&t.back)
	c.u32(&t.root)
	c.u32s(&t.nodes)
}

func (c *codec) automaton(a *automaton) {
	c.u32(&a.field)
	c.num(&a.variant)
	c.bytes(&a.label)
	c.bytes(&a.classes)
	c.num(&a.width)
	for _, list := range []*[]uint32{&a.first, &a.fail, &a.out, &a.posts, &a.next, &a.rows} {
		c.u32s(list)
	}
}

func (c *codec) nets(t *netTable) {
	c.u32(&t.field)
	c.flag(&t.v4)
	c.u64s(&t.hi)
	c.u64s(&t.lo)
	c.bytes(&t.size)
	c.u32s(&t.outer)
	c.u32s(&t.posts)
}

// The elements.

func (c *codec) u64(x *uint64) {
	if c.writing {
		c.buf = binary.LittleEndian.AppendUint64(c.buf, *x)
		return
	}
	if b := c.take(8); b != nil {
		*x = binary.LittleEndian.Uint64(b)
	}
}

func (c *codec) num(n *int) {
	x := uint64(*n)
	c.u64(&x)
	if !c.writing {
		if x >= maxArena {
			c.err = errDamaged
			x = 0
		}
		*n = int(x)
	}
}

func (c *codec) u32(n *uint32) {
	x := int(*n)
	c.num(&x)
	*n = uint32(x)
}

func (c *codec) flag(f *bool) {
	n := 0
	if *f {
		n = 1
	}
	c.num(&n)
	*f = n == 1
}

// take gives the next n bytes, and moves on to a multiple of eight.
func (c *codec) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if padded := (n + 7) &^ 7; padded < n || padded > len(c.buf)-c.at {
		c.err = errDamaged
		return nil
	}
	b := c.buf[c.at : c.at+n : c.at+n]
	c.at += (n + 7) &^ 7
	return b
}

func (c *codec) pad() {
	for (len(c.buf)-c.base)%8 != 0 {
		c.buf = append(c.buf, 0)
	}
}

// array writes the length of a list, or reads it and gives the bytes.
func (c *codec) array(n, size int) []byte {
	c.num(&n)
	if c.writing || c.err != nil || n == 0 {
		return nil
	}
	if n > len(c.buf)/size {
		c.err = errDamaged
		return nil
	}
	return c.take(n * size)
}

func (c *codec) bytes(list *[]byte) {
	b := c.array(len(*list), 1)
	if c.writing {
		c.buf = append(c.buf, *list...)
		c.pad()
		return
	}
	*list = b
}

func (c *codec) u32s(list *[]uint32) {
	b := c.array(len(*list), 4)
	if c.writing {
		for _, x := range *list {
			c.buf = binary.LittleEndian.AppendUint32(c.buf, x)
		}
		c.pad()
		return
	}
	*list = inPlace(b, binary.LittleEndian.Uint32)
}

func (c *codec) u64s(list *[]uint64) {
	b := c.array(len(*list), 8)
	if c.writing {
		for _, x := range *list {
			c.buf = binary.LittleEndian.AppendUint64(c.buf, x)
		}
		return
	}
	*list = inPlace(b, binary.LittleEndian.Uint64)
}

// inPlace gives bytes as numbers: the bytes themselves where the machine has
// them in that order and they are aligned, else a copy.
func inPlace[T uint32 | uint64](b []byte, read func([]byte) T) []T {
	if len(b) == 0 {
		return nil
	}
	size := int(unsafe.Sizeof(T(0)))
	first := unsafe.SliceData(b)
	if littleEndian && uintptr(unsafe.Pointer(first))%uintptr(size) == 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(first)), len(b)/size)
	}
	out := make([]T, len(b)/size)
	for i := range out {
		out[i] = read(b[i*size:])
	}
	return out
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1 //nolint:gochecknoglobals // a constant

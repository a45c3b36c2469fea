package fuel

import "unicode/utf8"

// reader walks a stretch of the module. After its first error it yields zeros,
// so that callers check err once after a group of reads.
type reader struct {
	src []byte // the whole module, so that positions are offsets in the file
	pos int
	end int
	err *Error
}

func (r *reader) fail(offset int, format string, args ...any) {
	if r.err == nil {
		r.err = errorf(offset, format, args...)
	}
	r.pos = r.end
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) done() bool { return r.pos >= r.end }

func (r *reader) u8() byte {
	if r.done() {
		r.fail(r.pos, "the bytes end in the middle of something")
		return 0
	}
	c := r.src[r.pos]
	r.pos++
	return c
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	start := r.pos
	var v uint32
	for shift := uint(0); shift < 35; shift += 7 {
		c := r.u8()
		if shift == 28 && c > 0x0f {
			r.fail(start, "number is longer than 32 bits")
			return 0
		}
		v |= uint32(c&0x7f) << shift
		if c&0x80 == 0 {
			return v
		}
	}
	r.fail(start, "number is longer than 32 bits")
	return 0
}

// signed reads a signed LEB128 number of at most bits bits.
func (r *reader) signed(bits uint) int64 {
	start := r.pos
	var v int64
	for shift := uint(0); shift < bits; shift += 7 {
		c := r.u8()
		if r.err != nil {
			return 0
		}
		v |= int64(c&0x7f) << shift
		if c&0x80 != 0 {
			continue
		}
		if rest := bits - shift; rest < 7 {
			// The bits beyond the number's width must repeat its sign.
			if top := int8(c<<1) >> rest; top != 0 && top != -1 {
				break
			}
		}
		if shift+7 < 64 && c&0x40 != 0 {
			v |= -1 << (shift + 7)
		}
		return v
	}
	r.fail(start, "number is longer than %d bits", bits)
	return 0
}

func (r *reader) skip(n int) {
	if n > r.left() {
		r.fail(r.pos, "%d bytes are needed, %d are left", n, r.left())
		return
	}
	r.pos += n
}

// count reads the length of a vector whose items take at least size bytes each.
// A length that the bytes left cannot hold is an error, so that nothing is
// allocated for items that are not there.
func (r *reader) count(what string, size, limit int) int {
	start := r.pos
	n := int(r.u32())
	switch {
	case r.err != nil:
		return 0
	case n > r.left()/size:
		r.fail(start, "%d %s are declared, %d bytes are left", n, what, r.left())
		return 0
	case n > limit:
		r.fail(start, "%d %s; at most %d are admitted", n, what, limit)
		return 0
	}
	return n
}

// index reads an index that must lie below n.
func (r *reader) index(what string, n int) uint32 {
	start := r.pos
	i := r.u32()
	if r.err == nil && int64(i) >= int64(n) {
		r.fail(start, "%s %d does not exist; there are %d", what, i, n)
		return 0
	}
	return i
}

func (r *reader) name() string {
	start := r.pos
	n := r.count("name bytes", 1, r.left())
	s := string(r.src[r.pos : r.pos+n])
	r.pos += n
	if r.err == nil && !utf8.ValidString(s) {
		r.fail(start, "name is not valid UTF-8")
	}
	return s
}

func (r *reader) valueType() ValueType {
	start := r.pos
	t := ValueType(r.u8())
	if r.err == nil && !t.valid() {
		r.fail(start, "value type 0x%02x is not admitted%s", byte(t), typeProposal(t))
	}
	return t
}

func (r *reader) refType() ValueType {
	start := r.pos
	t := r.valueType()
	if r.err == nil && !t.reference() {
		r.fail(start, "%s is not a reference type", t)
	}
	return t
}

// typeProposal names the language proposal that a value type belongs to.
func typeProposal(t ValueType) string {
	switch {
	case t == 0x69 || t == 0x74:
		return " (exception handling)"
	case t == 0x63 || t == 0x64:
		return " (typed function references)"
	case t >= 0x6a && t <= 0x78:
		return " (garbage collection)"
	}
	return ""
}

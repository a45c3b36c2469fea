package host

import (
	"math"

	"github.com/rhost/rhost/tenants"
)

// write writes what tenants hold.
func (h *holdings) write(f *formWriter) {
	f.uint(h.upto)
	f.uint(uint64(len(h.parts)))
	for i := range h.parts {
		f.uint(h.parts[i].First)
		f.uint(uint64(len(h.parts[i].Charges)))
		for _, c := range h.parts[i].Charges {
			f.text(c.Tenant)
			f.uint(uint64(c.Bytes))
		}
	}
	f.uint(uint64(len(h.blobs)))
	for digest, size := range h.blobs {
		f.text(digest)
		f.uint(uint64(size))
	}
}

// read reads what write wrote.
func (h *holdings) read(f *formReader) {
	h.upto = f.uint()
	before := uint64(0)
	f.each(func() {
		p := tenants.Segment{First: f.uint()}
		if p.First <= before || p.First > h.upto {
			f.fail("a stretch of frames from %d on", p.First)
		}
		before = p.First
		f.each(func() { p.Charges = append(p.Charges, tenants.Charge{Tenant: f.text(), Bytes: f.size()}) })
		h.parts = append(h.parts, p)
	})
	h.blobs = make(map[string]int64)
	f.each(func() { digest := f.text(); h.blobs[digest] = f.size() })
}

// size reads a number of bytes. Sums of them stay far from overflow.
func (f *formReader) size() int64 {
	n := f.uint()
	if n > math.MaxInt64/(1<<20) {
		f.fail("a size of %d bytes", n)
		return 0
	}
	return int64(n)
}

package host

import (
	"math"

	"github.com/rhost/rhost/tenants"
)

// write writes what tenants hold.
func (h *holdings) write(f *formWriter) {
	f.Uint(h.upto)
	f.Uint(uint64(len(h.parts)))
	for i := range h.parts {
		f.Uint(h.parts[i].First)
		f.Uint(uint64(len(h.parts[i].Charges)))
		for _, c := range h.parts[i].Charges {
			f.Text(c.Tenant)
			f.Uint(uint64(c.Bytes))
		}
	}
	f.Uint(uint64(len(h.blobs)))
	for digest, size := range h.blobs {
		f.Text(digest)
		f.Uint(uint64(size))
	}
}

// read reads what write wrote.
func (h *holdings) read(f *formReader) {
	h.upto = f.Uint()
	before := uint64(0)
	f.Each(func() {
		p := tenants.Segment{First: f.Uint()}
		if p.First <= before || p.First > h.upto {
			f.Fail("a stretch of frames from %d on", p.First)
		}
		before = p.First
		f.Each(func() { p.Charges = append(p.Charges, tenants.Charge{Tenant: f.Text(), Bytes: f.size()}) })
		h.parts = append(h.parts, p)
	})
	h.blobs = make(map[string]int64)
	f.Each(func() { digest := f.Text(); h.blobs[digest] = f.size() })
}

// size reads a number of bytes. Sums of them stay far from overflow.
func (f *formReader) size() int64 {
	n := f.Uint()
	if n > math.MaxInt64/(1<<20) {
		f.Fail("a size of %d bytes", n)
		return 0
	}
	return int64(n)
}

package wasm

import "github.com/tetratelabs/wazero/api"

// image is the state of an instance after its start-up: what every call begins
// with. It is not changed once made.
type image struct {
	memory  []byte
	globals []uint64
	elapsed uint64 // on the guest's clock
}

// newImage copies the state of an instance.
func newImage(mem *memory, globals []api.MutableGlobal, elapsed uint64) *image {
	img := &image{memory: append([]byte(nil), mem.space[:mem.size]...), elapsed: elapsed}
	for _, g := range globals {
		img.globals = append(img.globals, g.Get())
	}
	return img
}

// restore puts an instance back. It reports false when it cannot.
func (img *image) restore(i *instance) bool {
	if !i.mem.shrink(i.guest.Memory(), uint64(len(img.memory))) {
		return false
	}
	copy(i.mem.space, img.memory)
	for n, g := range i.globals {
		g.Set(img.globals[n])
	}
	return true
}

// adopt gives a new instance the state that the start-up of another left, so
// that it need not run its own. All instances of a module start up the same way:
// they see the same clock and random bytes, and nothing else from outside. Only
// a smaller memory could make a difference, and then adopt reports false.
func (m *module) adopt(i *instance, limit uint64) bool {
	img := m.image.Load()
	if img == nil || uint64(len(img.memory)) > limit {
		return false
	}
	i.mem.begin(limit)
	if more := uint64(len(img.memory)) - i.mem.size; more > 0 {
		if _, ok := i.guest.Memory().Grow(uint32(more / pageSize)); !ok {
			return false
		}
	}
	if !img.restore(i) {
		return false
	}
	i.image, i.elapsed = img, img.elapsed
	return true
}

// keep makes the state of an instance the one that calls begin with, here and in
// instances made later.
func (m *module) keep(i *instance) {
	i.image = newImage(i.mem, i.globals, i.elapsed)
	if i.mem.denied {
		return // with more memory, start-up may end otherwise
	}
	if !m.image.CompareAndSwap(nil, i.image) {
		// Another instance was first; its image holds the same.
		if shared := m.image.Load(); shared.restore(i) {
			i.image = shared
		}
	}
}

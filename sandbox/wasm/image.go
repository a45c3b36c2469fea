package wasm

import (
	"slices"
)

// image is the state of an instance after its start-up: what every call begins
// with. It is not changed once made.
type image struct {
	size    uint64  // of the memory
	memory  []byte  // its bytes; nil when they are frozen
	frozen  *frozen // shared by the instances of a module
	globals []uint64
	elapsed uint64 // on the guest's clock
}

// large is from where on memory is mapped rather than copied. A copy of less takes
// no longer than the system call and the page faults after it.
const large = 192 << 10

// newImage copies the state of an instance. share says that other instances will
// begin with it.
func newImage(i *instance, share bool) *image {
	img := &image{size: i.mem.size, elapsed: i.elapsed}
	for _, g := range i.globals {
		img.globals = append(img.globals, g.Get())
	}
	if share && img.size >= large {
		// Where memory cannot be frozen it is copied: slower, and the same.
		img.frozen, _ = freeze(i.mem.space[:img.size])
	}
	if img.frozen == nil {
		img.memory = slices.Clone(i.mem.space[:img.size])
	}
	return img
}

// restore puts an instance back. It reports false when it cannot. drop says that pages
// which the memory has grown by go back to the system, however few they are: after a
// fault, nobody is expected to want as many again.
func (img *image) restore(i *instance, drop bool) bool {
	mem := i.mem
	if !mem.shrink(i.guest.Memory(), img.size, drop) {
		return false
	}
	switch {
	case img.frozen == nil:
		copy(mem.space, img.memory)
	case mem.over == img.frozen:
		mem.room = img.frozen.again(mem.space[:mem.size], mem.room)
	default:
		if img.frozen.lay(mem.space[:mem.size]) != nil {
			return false
		}
		mem.over = img.frozen
	}
	for n, g := range i.globals {
		g.Set(img.globals[n])
	}
	return true
}

// close gives up what the image holds outside the Go heap. Instances that begin
// with it are gone.
func (img *image) close() {
	if img != nil && img.frozen != nil {
		img.frozen.close()
	}
}

// adopt gives a new instance the state that the start-up of another left, so
// that it need not run its own. All instances of a module start up the same way:
// they see the same clock and random bytes, and nothing else from outside. Only
// a smaller memory could make a difference, and then adopt reports false.
func (m *module) adopt(i *instance, limit uint64) bool {
	img := m.image.Load()
	if img == nil || img.size > limit {
		return false
	}
	i.mem.begin(limit)
	if more := img.size - i.mem.size; more > 0 {
		if _, ok := i.guest.Memory().Grow(uint32(more / pageSize)); !ok {
			return false
		}
	}
	if !img.restore(i, false) {
		return false
	}
	i.image, i.elapsed = img, img.elapsed
	return true
}

// keep makes the state of an instance the one that calls begin with, here and in
// instances made later.
func (m *module) keep(i *instance) {
	if i.mem.denied { // with more memory, start-up may end otherwise
		i.image = newImage(i, false)
		return
	}
	i.image = newImage(i, true)
	if !m.image.CompareAndSwap(nil, i.image) {
		// Another instance was first; its image holds the same.
		i.image.close()
		i.image = m.image.Load()
	}
	// An instance whose memory cannot be laid over is used once.
	if !i.image.restore(i, false) {
		i.image = nil
	}
}

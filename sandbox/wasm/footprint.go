package wasm

import (
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// wazero does not say how large what it compiled is. Of the modules at hand it takes
// two to six times the bytes that the fuel pass makes, and what it keeps beside it up
// to twice: all of that, from above.
const (
	codeFactor = 8
	codeBase   = 64 << 10
)

// codeSize is how many bytes a module takes that was compiled, at most, by the length
// of what was compiled and of the initial data beside it.
func codeSize(wasm []byte, data []segment) int64 {
	n := int64(codeBase) + codeFactor*int64(len(wasm))
	for _, s := range data {
		n += 2 * int64(len(s.bytes)) // of which a part may keep the whole that it was cut from
	}
	return n
}

// Footprint tells what the module may hold. Its image is known once an instance was
// made; until then it is what its memory begins with.
func (m *module) Footprint(lim sandbox.Limits) sandbox.Footprint {
	lim = lim.WithDefaults()
	f := sandbox.Footprint{
		Memory: min(lim.Memory, int64(m.memory.Max)*pageSize),
		Stack:  int64(min(lim.Stack, fuel.MaxDepth)) * fuel.SlotBytes,
		Code:   m.size,
	}
	if m.foreign != nil && m.foreign.abi == abiExtism {
		f.Memory = lim.Memory // which its kernel has a part of
	}
	if !m.resets {
		return f
	}
	if img := m.image.Load(); img != nil {
		f.Image = int64(img.size)
	} else {
		f.Image = int64(m.memory.Min) * pageSize
	}
	return f
}

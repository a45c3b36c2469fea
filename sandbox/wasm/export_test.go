package wasm

import (
	"encoding/binary"

	"github.com/rhost/rhost/abi"
)

// V2 is an ABI that exists in tests alone: version 1 with another answer of now,
// milliseconds in eight bytes.
func V2() ABI {
	a := V1()
	a.Module, a.Marker, a.Minor = "rhost.v2", "rhost_abi_v2", 0
	for i := range a.funcs {
		if a.funcs[i].name == "now" {
			a.funcs[i].call = serve("now", func(r *run, _ []byte) ([]byte, abi.Status) {
				t, st := r.session.Now()
				return binary.LittleEndian.AppendUint64(nil, uint64(t.UnixMilli())), st
			})
		}
	}
	return a
}

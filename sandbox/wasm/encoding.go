package wasm

import (
	"strconv"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
)

// input is the input of a call in the encoding that the guest wants, until the
// next.
func (i *instance) input(call *abi.Call) []byte {
	if m := i.module.info.Manifest; m != nil && m.Encoding == manifest.JSON {
		return i.frame.buildJSON(call)
	}
	return i.frame.build(call)
}

// buildJSON returns a call as one JSON object, for guests that have no SDK to read
// frames with. The event is a structured CloudEvent, its data as it came.
func (f *frame) buildJSON(call *abi.Call) []byte {
	f.appendMatch(&call.Match)
	b := append(f.bytes[:0], `{"attempt":`...)
	b = strconv.AppendInt(b, int64(call.Attempt), 10)
	b = append(b, ',')
	b = appendMember(b, "key", call.Key)
	b = append(b, `"match":`...)
	b = append(b, f.match...)
	b = append(b, `,"event":`...)
	if call.Event.Type == "" {
		b = append(b, "null"...)
	} else {
		b = call.Event.AppendJSON(b)
	}
	b = append(b, `,"with":`...)
	if len(call.With) == 0 {
		b = append(b, "{}"...)
	} else {
		b = append(b, call.With...)
	}
	f.bytes = append(b, '}')
	return f.bytes
}

package host

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/workflow"
)

// The form of a payload in the log. Its first byte is the version; version 1 was the
// JSON of a payload, and began with a brace. Then come the cascade depth, and either a
// digest, or
//
//	the match: tenant, rule, version, id, time and trigger
//	what is bound: how many elements, and of each its name and its events
//	the event that triggered: 0 for none, 1 for one that follows, or 2 and its place
//	among the bound ones
//	the other values, as JSON
//
// with lengths and numbers as varints. Events have the form that they have in the log
// themselves.
const (
	payloadVersion = 2

	payloadInline = 0
	payloadBlob   = 1
)

func payloadHead(depth int, form byte) []byte {
	b := binary.AppendUvarint([]byte{payloadVersion}, uint64(depth))
	return append(b, form)
}

// append writes v whole.
func (v *matchVars) append(b []byte) ([]byte, error) {
	b = appendPiece(b, v.match.Tenant)
	b = appendPiece(b, v.match.Rule)
	b = appendPiece(b, v.match.Version)
	b = appendPiece(b, v.match.ID)
	b = binary.AppendVarint(b, v.match.At.Unix())
	b = binary.AppendUvarint(b, uint64(v.match.At.Nanosecond()))
	b = appendPiece(b, v.match.Trigger)
	b = binary.AppendUvarint(b, uint64(len(v.bind)))
	trigger, place := uint64(0), uint64(0)
	for _, name := range slices.Sorted(maps.Keys(v.bind)) {
		b = appendPiece(b, name)
		b = binary.AppendUvarint(b, uint64(len(v.bind[name])))
		for _, ev := range v.bind[name] {
			if ev == v.event {
				trigger = 2 + place
			}
			b = ev.AppendBinary(b)
			place++
		}
	}
	if trigger == 0 && v.event != nil {
		b = v.event.AppendBinary(binary.AppendUvarint(b, 1))
	} else {
		b = binary.AppendUvarint(b, trigger)
	}
	if len(v.values) == 0 {
		return appendPiece(b, ""), nil
	}
	values, err := json.Marshal(v.values)
	return appendPiece(b, string(values)), err
}

func appendPiece(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parsePayload reads a payload of any version, which what is returned aliases. A
// payload that is kept elsewhere gives the digest of it.
func parsePayload(raw workflow.Payload) (v *matchVars, blob string, err error) {
	if len(raw) > 0 && raw[0] == '{' {
		return parseJSONPayload(raw)
	}
	p := payloadReader{b: raw}
	v = &matchVars{}
	form := p.head(v)
	if form == payloadBlob {
		blob = p.text()
	} else {
		p.vars(v)
	}
	if p.err == nil && len(p.b) > 0 {
		p.fail("%d bytes too many", len(p.b))
	}
	if p.err != nil {
		return nil, "", fmt.Errorf("decode match: %w", p.err)
	}
	return v, blob, nil
}

// payloadReader reads pieces of a payload. The first mistake sticks; what is read after
// it is zero.
type payloadReader struct {
	b   []byte
	err error
}

func (p *payloadReader) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.b = nil
}

func (p *payloadReader) uint() uint64 {
	n, used := binary.Uvarint(p.b)
	if used <= 0 {
		p.fail("it is cut short")
		return 0
	}
	p.b = p.b[used:]
	return n
}

func (p *payloadReader) int() int64 {
	n, used := binary.Varint(p.b)
	if used <= 0 {
		p.fail("it is cut short")
		return 0
	}
	p.b = p.b[used:]
	return n
}

func (p *payloadReader) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.fail("it is cut short")
		return nil
	}
	own := p.b[:n:n]
	p.b = p.b[n:]
	return own
}

func (p *payloadReader) text() string { return string(p.take(p.uint())) }

func (p *payloadReader) event() event.Event {
	if p.err != nil {
		return event.Event{}
	}
	ev, rest, err := event.DecodeBinary(p.b)
	if p.b = rest; err != nil {
		p.fail("decode event: %w", err)
	}
	return ev
}

// head reads the version, the depth and the form.
func (p *payloadReader) head(v *matchVars) (form byte) {
	if version := p.take(1); p.err == nil && version[0] != payloadVersion {
		p.fail("its version is %d; this host reads up to %d", version[0], payloadVersion)
	}
	const deepest = 1 << 20
	if depth := p.uint(); depth <= deepest {
		v.depth = int(depth)
	} else {
		p.fail("a cascade depth of %d", depth)
	}
	if f := p.take(1); p.err == nil {
		form = f[0]
	}
	if form > payloadBlob {
		p.fail("it has form %d, which is not known", form)
	}
	return form
}

// leastEvent is how many bytes an event, and an element, take at least.
const leastEvent = 2

func (p *payloadReader) vars(v *matchVars) {
	v.match.Tenant, v.match.Rule, v.match.Version, v.match.ID = p.text(), p.text(), p.text(), p.text()
	v.match.At = p.time()
	v.match.Trigger = p.text()
	elements := p.uint()
	if elements > uint64(len(p.b)/leastEvent) {
		p.fail("%d elements", elements)
		return
	}
	v.bind = make(map[string][]*event.Event, elements)
	v.match.Bind = make(map[string][]string, elements)
	var bound []*event.Event
	for range elements {
		name, list := p.text(), p.events()
		ids, refs := make([]string, len(list)), make([]*event.Event, len(list))
		for i := range list {
			ids[i], refs[i] = list[i].ID, &list[i]
		}
		v.bind[name], v.match.Bind[name] = refs, ids
		bound = append(bound, refs...)
	}
	switch n := p.uint(); {
	case n == 1:
		ev := p.event()
		v.event = &ev
	case n > uint64(len(bound))+1:
		p.fail("event %d of %d", n-2, len(bound))
	case n > 1:
		v.event = bound[n-2]
	}
	p.values(v)
}

func (p *payloadReader) time() time.Time {
	sec, nanos := p.int(), p.uint()
	if nanos >= uint64(time.Second) || sec > latestSecond || sec < -latestSecond {
		p.fail("a time of %d s and %d ns", sec, nanos)
		return time.Time{}
	}
	return time.Unix(sec, int64(nanos)).UTC()
}

func (p *payloadReader) events() []event.Event {
	n := p.uint()
	if n > uint64(len(p.b)/leastEvent) {
		p.fail("%d events", n)
		return nil
	}
	list := make([]event.Event, n)
	for i := range list {
		list[i] = p.event()
	}
	return list
}

func (p *payloadReader) values(v *matchVars) {
	raw := p.take(p.uint())
	if len(raw) == 0 {
		return
	}
	if err := json.Unmarshal(raw, &v.values); err != nil {
		p.fail("the values: %w", err)
	}
}

// payloadDepth reads the cascade depth of an execution, which is more than 0 only when
// an event that an action emitted caused it.
func payloadDepth(raw workflow.Payload) int {
	if len(raw) == 0 || raw[0] != '{' {
		p, v := payloadReader{b: raw}, matchVars{}
		p.head(&v)
		return v.depth
	}
	if !bytes.Contains(raw, []byte(`"depth"`)) {
		return 0
	}
	var p struct {
		Depth int `json:"depth"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return 0
	}
	return p.Depth
}

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
	"github.com/rhost/rhost/host/form"
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
	b = form.AppendText(b, v.match.Tenant)
	b = form.AppendText(b, v.match.Rule)
	b = form.AppendText(b, v.match.Version)
	b = form.AppendText(b, v.match.ID)
	b = binary.AppendVarint(b, v.match.At.Unix())
	b = binary.AppendUvarint(b, uint64(v.match.At.Nanosecond()))
	b = form.AppendText(b, v.match.Trigger)
	b = binary.AppendUvarint(b, uint64(len(v.bind)))
	trigger, place := uint64(0), uint64(0)
	for _, name := range slices.Sorted(maps.Keys(v.bind)) {
		b = form.AppendText(b, name)
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
		return form.AppendText(b, ""), nil
	}
	values, err := json.Marshal(v.values)
	return form.AppendText(b, string(values)), err
}

// parsePayload reads a payload of any version, which what is returned aliases. A
// payload that is kept elsewhere gives the digest of it.
func parsePayload(raw workflow.Payload) (v *matchVars, blob string, err error) {
	if len(raw) > 0 && raw[0] == '{' {
		return parseJSONPayload(raw)
	}
	p := payloadReader{form.NewReader(raw)}
	v = &matchVars{}
	form := p.head(v)
	if form == payloadBlob {
		blob = p.Text()
	} else {
		p.vars(v)
	}
	p.End()
	if p.Err() != nil {
		return nil, "", fmt.Errorf("decode match: %w", p.Err())
	}
	return v, blob, nil
}

// payloadReader reads the pieces of a payload.
type payloadReader struct{ form.Reader }

func (p *payloadReader) event() event.Event {
	if p.Err() != nil {
		return event.Event{}
	}
	ev, rest, err := event.DecodeBinary(p.Rest())
	if p.Skip(rest); err != nil {
		p.Fail("decode event: %w", err)
	}
	return ev
}

// head reads the version, the depth and the form.
func (p *payloadReader) head(v *matchVars) (form byte) {
	if version := p.Byte(); version != payloadVersion {
		p.Fail("its version is %d; this host reads up to %d", version, payloadVersion)
	}
	const deepest = 1 << 20
	if depth := p.Uint(); depth <= deepest {
		v.depth = int(depth)
	} else {
		p.Fail("a cascade depth of %d", depth)
	}
	if form = p.Byte(); form > payloadBlob {
		p.Fail("it has form %d, which is not known", form)
	}
	return form
}

// leastEvent is how many bytes an event, and an element, take at least.
const leastEvent = 2

func (p *payloadReader) vars(v *matchVars) {
	v.match.Tenant, v.match.Rule, v.match.Version, v.match.ID = p.Text(), p.Text(), p.Text(), p.Text()
	v.match.At = p.time()
	v.match.Trigger = p.Text()
	elements := p.Count(leastEvent, "elements")
	v.bind = make(map[string][]*event.Event, elements)
	v.match.Bind = make(map[string][]string, elements)
	var bound []*event.Event
	for range elements {
		name, list := p.Text(), p.events()
		ids, refs := make([]string, len(list)), make([]*event.Event, len(list))
		for i := range list {
			ids[i], refs[i] = list[i].ID, &list[i]
		}
		v.bind[name], v.match.Bind[name] = refs, ids
		bound = append(bound, refs...)
	}
	switch n := p.Uint(); {
	case n == 1:
		ev := p.event()
		v.event = &ev
	case n > uint64(len(bound))+1:
		p.Fail("event %d of %d", n-2, len(bound))
	case n > 1:
		v.event = bound[n-2]
	}
	p.values(v)
}

func (p *payloadReader) time() time.Time {
	sec, nanos := p.Int(), p.Uint()
	if nanos >= uint64(time.Second) || sec > form.LatestSecond || sec < -form.LatestSecond {
		p.Fail("a time of %d s and %d ns", sec, nanos)
		return time.Time{}
	}
	return time.Unix(sec, int64(nanos)).UTC()
}

func (p *payloadReader) events() []event.Event {
	list := make([]event.Event, p.Count(leastEvent, "events"))
	for i := range list {
		list[i] = p.event()
	}
	return list
}

func (p *payloadReader) values(v *matchVars) {
	raw := p.Take(p.Uint())
	if len(raw) == 0 {
		return
	}
	if err := json.Unmarshal(raw, &v.values); err != nil {
		p.Fail("the values: %w", err)
	}
}

// payloadDepth reads the cascade depth of an execution, which is more than 0 only when
// an event that an action emitted caused it.
func payloadDepth(raw workflow.Payload) int {
	if len(raw) == 0 || raw[0] != '{' {
		p, v := payloadReader{form.NewReader(raw)}, matchVars{}
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

package wasm

import (
	"math"
	"slices"
	"time"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/event"
)

// frame builds input frames. It keeps the memory of the last one for the next.
type frame struct {
	bytes []byte
	match []byte
	names []string
}

// build returns the input frame of a call, until the next.
func (f *frame) build(call *abi.Call) []byte {
	f.appendMatch(&call.Match)
	in := v1.Input{
		Attempt: uint32(call.Attempt),
		Key:     call.Key,
		Match:   f.match,
		With:    call.With,
		// An event without a type is no event: time completed the match.
		HasEvent: call.Event.Type != "",
	}
	if in.HasEvent {
		in.Event = wireEvent(&call.Event)
	}
	f.bytes = v1.AppendInput(f.bytes[:0], &in)
	return f.bytes
}

func wireEvent(e *event.Event) v1.Event {
	w := v1.Event{
		ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject,
		DataContentType: e.DataContentType, DataSchema: e.DataSchema,
		Data: e.Data, JSON: e.Data != nil && e.IsJSON(),
	}
	if !e.Time.IsZero() {
		w.HasTime, w.Sec, w.Nsec = true, e.Time.Unix(), uint32(e.Time.Nanosecond())
	}
	for _, a := range e.Ext {
		w.Ext = append(w.Ext, wireAttr(a))
	}
	return w
}

func wireAttr(a event.Attr) v1.Attr {
	w := v1.Attr{Name: a.Name}
	switch v := a.Value; v.Kind() {
	case event.Bool:
		w.Kind = v1.KindBool
		if v.Bool() {
			w.Bits = 1
		}
	case event.Number:
		w.Kind, w.Bits = v1.KindNumber, math.Float64bits(v.Number())
	case event.String:
		w.Kind, w.Text = v1.KindString, v.Str()
	case event.Time:
		t := v.Time()
		w.Kind, w.Bits, w.Nsec = v1.KindTime, uint64(t.Unix()), uint32(t.Nanosecond())
	case event.List:
		w.Kind, w.Text = v1.KindList, string(v.Raw())
	case event.Map:
		w.Kind, w.Text = v1.KindMap, string(v.Raw())
	case event.Missing, event.Null:
		w.Kind = v1.KindNull
	}
	return w
}

// appendMatch writes a match as JSON, the way encoding/json would, at a fraction
// of the price: every call has one.
func (f *frame) appendMatch(m *abi.Match) {
	b := append(f.match[:0], '{')
	b = appendMember(b, "tenant", m.Tenant)
	b = appendMember(b, "rule", m.Rule)
	b = appendMember(b, "version", m.Version)
	b = appendMember(b, "id", m.ID)
	b = append(b, `"at":"`...)
	b = m.At.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `",`...)
	b = appendMember(b, "trigger", m.Trigger)
	b = append(b, `"bind":{`...)
	f.names = f.names[:0]
	for name := range m.Bind {
		f.names = append(f.names, name)
	}
	slices.Sort(f.names)
	for i, name := range f.names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, name), ':', '[')
		for j, id := range m.Bind[name] {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendText(b, id)
		}
		b = append(b, ']')
	}
	f.match = append(b, '}', '}')
}

// appendMember appends a member of an object and a comma.
func appendMember(b []byte, name, value string) []byte {
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return append(appendText(b, value), ',')
}

func appendText(b []byte, s string) []byte { return event.StringValue(s).AppendJSON(b) }

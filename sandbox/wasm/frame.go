package wasm

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/event"
)

// appendFrame appends the input frame of a call.
func appendFrame(dst []byte, call *abi.Call) []byte {
	in := v1.Input{
		Attempt: uint32(call.Attempt),
		Key:     call.Key,
		Match:   appendMatch(nil, &call.Match),
		With:    call.With,
		// An event without a type is no event: time completed the match.
		HasEvent: call.Event.Type != "",
	}
	if in.HasEvent {
		in.Event = wireEvent(&call.Event)
	}
	return v1.AppendInput(dst, &in)
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

// appendMatch appends a match as JSON, the way encoding/json would, at a
// fraction of the price: every call has one.
func appendMatch(dst []byte, m *abi.Match) []byte {
	field := func(name, value string) {
		dst = append(dst, '"')
		dst = append(dst, name...)
		dst = append(dst, '"', ':')
		dst = event.StringValue(value).AppendJSON(dst)
		dst = append(dst, ',')
	}
	dst = append(dst, '{')
	field("tenant", m.Tenant)
	field("rule", m.Rule)
	field("version", m.Version)
	field("id", m.ID)
	field("at", m.At.Format(time.RFC3339Nano))
	field("trigger", m.Trigger)
	dst = append(dst, `"bind":{`...)
	for i, element := range slices.Sorted(maps.Keys(m.Bind)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = event.StringValue(element).AppendJSON(dst)
		dst = append(dst, ':', '[')
		for j, id := range m.Bind[element] {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = event.StringValue(id).AppendJSON(dst)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}', '}')
}

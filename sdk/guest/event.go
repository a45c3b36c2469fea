package guest

import (
	"math"
	"time"

	v1 "github.com/rhost/rhost/abi/v1"
)

// Event is the event that completed the match: a CloudEvent.
type Event struct {
	ID, Source, Type, Subject string
	DataContentType           string // "" means application/json
	DataSchema                string // URI of what the payload conforms to, or ""
	Data                      []byte // the payload as it came; nil when there is none

	json    bool
	hasTime bool
	sec     int64
	nsec    uint32
	ext     []v1.Attr
}

func newEvent(in *v1.Input) Event {
	w := &in.Event
	return Event{
		ID: w.ID, Source: w.Source, Type: w.Type, Subject: w.Subject,
		DataContentType: w.DataContentType, DataSchema: w.DataSchema, Data: w.Data,
		json: w.JSON, hasTime: w.HasTime, sec: w.Sec, nsec: w.Nsec, ext: w.Ext,
	}
}

// Time returns the time of the event in UTC, zero when it has none. It is a
// method so that package time is linked only into plugins that ask.
func (e *Event) Time() time.Time {
	if !e.hasTime {
		return time.Time{}
	}
	return time.Unix(e.sec, int64(e.nsec)).UTC()
}

// Get returns the part of the payload at path, as Value.Get does. It is missing
// when the payload is not JSON.
func (e *Event) Get(path string) Value {
	if !e.json {
		return Value{}
	}
	return JSON(e.Data).Get(path)
}

// String returns the string at path of the payload, or "".
func (e *Event) String(path string) string { return e.Get(path).String() }

// Int returns the number at path of the payload, or 0.
func (e *Event) Int(path string) int64 { return e.Get(path).Int() }

// Float returns the number at path of the payload, or 0.
func (e *Event) Float(path string) float64 { return e.Get(path).Float() }

// Bool returns the boolean at path of the payload, or false.
func (e *Event) Bool(path string) bool { return e.Get(path).Bool() }

// Ext returns an extension attribute, missing when the event has none of that
// name. A time is a string in the form of RFC 3339.
func (e *Event) Ext(name string) Value {
	for i := range e.ext {
		if e.ext[i].Name == name {
			return attrValue(&e.ext[i])
		}
	}
	return Value{}
}

// attrValue turns an attribute into JSON. The wire carries attributes decoded
// for guests that have no JSON; a Go guest reads all its values one way.
func attrValue(a *v1.Attr) Value {
	switch a.Kind {
	case v1.KindBool:
		return Value{raw: appendBool(nil, a.Bits != 0)}
	case v1.KindNumber:
		raw, err := appendFloat(nil, math.Float64frombits(a.Bits))
		if err != nil {
			return Value{raw: []byte("null")}
		}
		return Value{raw: raw}
	case v1.KindString:
		return Value{raw: appendText(nil, a.Text)}
	case v1.KindTime:
		t := time.Unix(int64(a.Bits), int64(a.Nsec)).UTC()
		return Value{raw: appendText(nil, t.Format(time.RFC3339Nano))}
	case v1.KindList, v1.KindMap:
		return JSON([]byte(a.Text))
	case v1.KindNull:
	}
	return Value{raw: []byte("null")}
}

// Match says which rule matched, and what.
type Match struct{ v Value }

// Tenant is the tenant whose rule it is.
func (m Match) Tenant() string { return m.v.Get("tenant").String() }

// Rule is the name of the rule.
func (m Match) Rule() string { return m.v.Get("rule").String() }

// Version is the version of the rule.
func (m Match) Version() string { return m.v.Get("version").String() }

// ID is the identity of the match: the same when the log is replayed.
func (m Match) ID() string { return m.v.Get("id").String() }

// Trigger is the id of the event that completed the match, or "time".
func (m Match) Trigger() string { return m.v.Get("trigger").String() }

// At is when the match happened, in the time of the events.
func (m Match) At() time.Time {
	t, err := time.Parse(time.RFC3339Nano, m.v.Get("at").String())
	if err != nil {
		return time.Time{}
	}
	return t
}

// Bind returns the ids of the events that an element of the pattern stands for.
func (m Match) Bind(element string) []string {
	var ids []string
	for _, id := range m.v.Get("bind").Key(element).Items() {
		ids = append(ids, id.String())
	}
	return ids
}

// JSON returns the match as `rhost match` prints it, without "why".
func (m Match) JSON() Value { return m.v }

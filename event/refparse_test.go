package event

import (
	"encoding/base64"
	"fmt"
	"strings"
)

func refParse(b []byte, strict bool) (Event, error) {
	var ev Event
	if len(b) > MaxSize {
		return ev, tooLarge(len(b))
	}
	p := refEnvelope{refParser: refParser{d: b}, strict: strict}
	if !p.utf8() {
		return Event{}, p.err
	}
	i := p.event(p.space(0), &ev)
	if i < 0 {
		return Event{}, p.err
	}
	if i = p.space(i); i != len(b) {
		p.unexpected(i, "the end of the event")
		return Event{}, p.err
	}
	if p.field != nil {
		return Event{}, p.field
	}
	return ev, nil
}

// refEnvelope reads the outer object of an event.
type refEnvelope struct {
	refParser
	strict bool
	start  int         // where the event starts
	field  *FieldError // the first; reading goes on to find syntax errors

	version  bool // specversion was there
	data     int  // where data starts; -1: absent
	dataEnd  int
	data64   string // the text of data_base64
	data64At int    // where it starts; -1: absent
}

func (p *refEnvelope) bad(attr string, at int, fix, format string, args ...any) {
	if p.field == nil {
		p.field = &FieldError{Attr: attr, Offset: at, Msg: fmt.Sprintf(format, args...), Fix: fix}
	}
}

// event reads the event whose object starts at d[i] into ev and returns the
// index behind it. A problem of an attribute is left in p.field.
func (p *refEnvelope) event(i int, ev *Event) int {
	p.field, p.version, p.data, p.data64At = nil, false, -1, -1
	if i >= len(p.d) || p.d[i] != '{' {
		return p.unexpected(i, "{, the start of an event,")
	}
	seen := make(map[string]bool)
	i = p.space(i + 1)
	if i < len(p.d) && p.d[i] == '}' {
		p.finish(ev)
		return i + 1
	}
	for {
		name, at := p.key(i, seen)
		if at < 0 {
			return -1
		}
		if i = p.attribute(name, at, ev); i < 0 {
			return -1
		}
		i = p.space(i)
		if i >= len(p.d) || p.d[i] != ',' {
			break
		}
		i = p.space(i + 1)
	}
	if i >= len(p.d) || p.d[i] != '}' {
		return p.unexpected(i, "a comma or }")
	}
	p.finish(ev)
	return i + 1
}

// attribute reads the value of one member. CloudEvents says that null is the
// same as absent, save for data.
func (p *refEnvelope) attribute(name string, at int, ev *Event) int {
	if at < len(p.d) && p.d[at] == 'n' && name != "data" {
		return p.literal(at, "null")
	}
	switch name {
	case "id":
		return p.text(name, at, &ev.ID)
	case "source":
		return p.text(name, at, &ev.Source)
	case "type":
		return p.text(name, at, &ev.Type)
	case "subject":
		return p.text(name, at, &ev.Subject)
	case "datacontenttype":
		return p.text(name, at, &ev.DataContentType)
	case "dataschema":
		return p.text(name, at, &ev.DataSchema)
	case "time":
		return p.time(at, ev)
	case "specversion":
		var v string
		end := p.plainText(name, at, &v)
		if end >= 0 && p.field == nil && v != "1.0" {
			p.bad(name, at, `send CloudEvents 1.0: "specversion":"1.0"`, "%q is not supported", clip(v))
		}
		p.version = true
		return end
	case "data":
		p.data = at
		p.dataEnd = p.value(at, 1)
		return p.dataEnd
	case "data_base64":
		p.data64At = at
		end := p.plainText(name, at, &p.data64)
		return end
	}
	return p.extension(name, at, ev)
}

// plainText reads a member that must be a string.
func (p *refEnvelope) plainText(name string, at int, dst *string) int {
	if at < len(p.d) && p.d[at] != '"' {
		end := p.value(at, 1)
		if end >= 0 {
			p.bad(name, at, "put it into quotes", "must be a text, is %s", clip(alias(p.d[at:end])))
		}
		return end
	}
	if at >= len(p.d) {
		return p.unexpected(at, "a value")
	}
	end, escaped := p.str(at)
	if end >= 0 {
		*dst = text(p.d[at+1:end-1], escaped)
	}
	return end
}

// text is plainText for an attribute whose text has rules of its own.
func (p *refEnvelope) text(name string, at int, dst *string) int {
	end := p.plainText(name, at, dst)
	if end < 0 || p.field != nil {
		return end
	}
	if msg, fix := checkAttr(name, *dst); msg != "" {
		p.bad(name, at, fix, "%s", msg)
	}
	return end
}

func (p *refEnvelope) time(at int, ev *Event) int {
	var s string
	end := p.plainText("time", at, &s)
	if end < 0 || p.field != nil {
		return end
	}
	t, ok := parseTime(s)
	if !ok {
		p.bad("time", at, "write it as 2026-01-02T15:04:05Z", "%q is not an RFC 3339 time", clip(s))
	}
	ev.Time = t
	return end
}

func (p *refEnvelope) extension(name string, at int, ev *Event) int {
	end := p.value(at, 1)
	if end < 0 || p.field != nil {
		return end
	}
	v, _ := read(p.d, at)
	if msg, fix := checkExt(name, v); msg != "" {
		p.bad(clip(name), at, fix, "%s", msg)
		return end
	}
	ev.SetExt(name, v)
	return end
}

// finish checks what can only be known at the end of the object.
func (p *refEnvelope) finish(ev *Event) {
	if p.field != nil {
		return
	}
	if p.strict && !(p.version && ev.ID != "" && ev.Source != "" && ev.Type != "") || ev.Type == "" {
		p.missing(ev)
		return
	}
	switch {
	case p.data64At >= 0 && p.data >= 0:
		p.bad("data_base64", p.data64At, "send one of them", "is there beside data")
	case p.data64At >= 0:
		p.binary(ev)
	case p.data >= 0 && ev.IsJSON():
		ev.Data = p.d[p.data:p.dataEnd:p.dataEnd]
	case p.data >= 0 && p.d[p.data] == '"':
		v, _ := read(p.d, p.data)
		ev.Data = bytesOf(v.text)
	case p.data >= 0 && p.d[p.data] != 'n':
		p.bad("data", p.data, "send it as a text or in data_base64, or leave datacontenttype out", "is JSON, though datacontenttype says %q", clip(ev.DataContentType))
	}
}

func (p *refEnvelope) missing(ev *Event) {
	var names []string
	for _, a := range []struct {
		name   string
		absent bool
	}{
		{"specversion", p.strict && !p.version},
		{"id", p.strict && ev.ID == ""},
		{"source", p.strict && ev.Source == ""},
		{"type", ev.Type == ""},
	} {
		if a.absent {
			names = append(names, a.name)
		}
	}
	msg := "is missing"
	if len(names) > 1 {
		msg += ", and so is " + strings.Join(names[1:], ", ")
	}
	fix := `every event needs specversion ("1.0"), id, source and type`
	if !p.strict {
		fix = "every event needs a type"
	}
	p.bad(names[0], p.start, fix, "%s", msg)
}

// binary decodes data_base64. Without a content type such a payload is bytes,
// as it could have been sent in data otherwise.
func (p *refEnvelope) binary(ev *Event) {
	b, err := base64.StdEncoding.DecodeString(p.data64)
	if err != nil {
		p.bad("data_base64", p.data64At, "encode the bytes with the standard alphabet and padding (RFC 4648)", "is not base64")
		return
	}
	if ev.DataContentType == "" {
		ev.DataContentType = "application/octet-stream"
	}
	ev.Data = b
	if !ev.IsJSON() {
		return
	}
	if err := CheckJSON(b); err != nil {
		p.bad("data_base64", p.data64At, "send JSON, or say what it is in datacontenttype", "does not hold JSON, though datacontenttype says %q: %v", clip(ev.DataContentType), err)
	}
}

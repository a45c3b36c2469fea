package event

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Parse reads one structured CloudEvent: a JSON object with specversion "1.0",
// id, source and type. The event aliases b, which must not change afterwards.
// The error is a *SyntaxError when b is not JSON within the limits, and a
// *FieldError when one of the attributes is not as CloudEvents wants it; it is
// the first problem in the text.
func Parse(b []byte) (Event, error) { return parse(b, true) }

// ParseLoose is Parse for events written by hand: only type is required, and
// what is absent stays empty. What is there is checked all the same.
func ParseLoose(b []byte) (Event, error) { return parse(b, false) }

// ParseBatch reads a JSON array of structured CloudEvents, each as strictly as
// Parse does. The events alias b. The error is a *BatchError that names every
// bad event by its index (from the first syntax error on nothing more can be
// read), or a *SyntaxError when b is no array.
func ParseBatch(b []byte) ([]Event, error) {
	p := envelope{parser: parser{d: b}, strict: true}
	if !p.utf8() {
		return nil, p.err
	}
	p.high = true // and it is fine
	i := p.space(0)
	if i >= len(b) || b[i] != '[' {
		p.unexpected(i, "[, the start of a batch,")
		return nil, p.err
	}
	events, bad := []Event{}, BatchError{}
	if i = p.space(i + 1); i < len(b) && b[i] == ']' {
		i++
	} else {
		events, i = p.batch(i, &bad)
	}
	if i >= 0 {
		if i = p.space(i); i != len(b) {
			p.unexpected(i, "the end of the batch")
			return nil, p.err
		}
	}
	if len(bad.Items) > 0 {
		return nil, &bad
	}
	return events, nil
}

func (p *envelope) batch(i int, bad *BatchError) ([]Event, int) {
	var events []Event
	for at := 0; ; at++ {
		var ev Event
		p.start = i
		end := p.event(i, &ev)
		switch {
		case end < 0:
			bad.Items = append(bad.Items, BatchItem{at, p.err})
			return nil, -1
		case p.field != nil:
			bad.Items = append(bad.Items, BatchItem{at, p.field})
		case end-i > MaxSize:
			bad.Items = append(bad.Items, BatchItem{at, tooLarge(end - i)})
		default:
			events = append(events, ev)
		}
		i = p.space(end)
		if i < len(p.d) && p.d[i] == ',' {
			i = p.space(i + 1)
			continue
		}
		if i >= len(p.d) || p.d[i] != ']' {
			p.unexpected(i, "a comma or ]")
			bad.Items = append(bad.Items, BatchItem{at, p.err})
			return nil, -1
		}
		return events, i + 1
	}
}

func tooLarge(n int) *SyntaxError {
	return &SyntaxError{Msg: fmt.Sprintf("the event has %d bytes, over the limit of %d,", n, MaxSize), Fix: "send a reference to the payload instead"}
}

func parse(b []byte, strict bool) (Event, error) {
	var ev Event
	p := envelope{parser: parser{d: b}, strict: strict}
	if err := p.one(&ev); err != nil {
		return Event{}, err
	}
	return ev, nil
}

// one reads a text that is one event. An error leaves ev half filled in.
func (p *envelope) one(ev *Event) error {
	if len(p.d) > MaxSize {
		return tooLarge(len(p.d))
	}
	if i := p.event(p.space(0), ev); i >= 0 {
		if i = p.space(i); i != len(p.d) {
			p.unexpected(i, "the end of the event")
		}
	}
	if err := p.verdict(); err != nil {
		return err
	}
	if p.field != nil {
		return p.field
	}
	return nil
}

// envelope reads the outer object of an event.
type envelope struct {
	parser
	strict bool
	start  int         // where the event starts
	want   *node       // what to take out of data; may be nil
	field  *FieldError // the first; reading goes on to find syntax errors

	have     uint64 // names that were there; see bitOf
	version  bool   // specversion was there, and not null
	data     int    // where data starts; -1: absent
	dataEnd  int
	data64   string // the text of data_base64
	data64At int    // where it starts; -1: absent
}

func (p *envelope) bad(attr string, at int, fix, format string, args ...any) {
	if p.field == nil {
		p.field = &FieldError{Attr: attr, Offset: at, Msg: fmt.Sprintf(format, args...), Fix: fix}
	}
}

// event reads the event whose object starts at d[i] into ev and returns the
// index behind it. A problem of an attribute is left in p.field.
func (p *envelope) event(i int, ev *Event) int {
	p.field, p.have, p.version, p.data, p.data64At = nil, 0, false, -1, -1
	if i >= len(p.d) || p.d[i] != '{' {
		return p.unexpected(i, "{, the start of an event,")
	}
	seen := keyset{base: p.nkeys, filter: [4]uint64{all, all, all, all}} // known fills in no filter
	i = p.space(i + 1)
	if i < len(p.d) && p.d[i] == '}' {
		p.finish(ev)
		return i + 1
	}
	for {
		var name string
		t, at := p.known(i, &seen)
		if at == 0 {
			if name, t, at = p.key(i, &seen); at < 0 {
				return -1
			}
			if name == "specversion" {
				t = tagVersion
			}
			p.have |= bitOf(t)
		}
		if i = p.attribute(name, t, at, ev); i < 0 {
			return -1
		}
		if i = p.next(i); i < 0 {
			break
		}
	}
	if i = -i; i >= len(p.d) || p.d[i] != '}' {
		return p.unexpected(i, "a comma or }")
	}
	p.nkeys = seen.base
	p.finish(ev)
	return i + 1
}

// plainText reads a member that must be a string.
func (p *envelope) plainText(name string, at int, dst *string) int {
	if at < len(p.d) && p.d[at] != '"' {
		end := p.value(at, 1, nil)
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
func (p *envelope) text(name string, at int, dst *string) int {
	end := p.plainText(name, at, dst)
	if end < 0 || p.field != nil {
		return end
	}
	if msg, fix := checkAttr(name, *dst); msg != "" {
		p.bad(name, at, fix, "%s", msg)
	}
	return end
}

func (p *envelope) time(at int, ev *Event) int {
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

func (p *envelope) extension(name string, at int, ev *Event) int {
	end := p.value(at, 1, nil)
	if end < 0 || p.field != nil {
		return end
	}
	v, _ := read(p.d, at)
	if msg, fix := checkExt(name, v); msg != "" {
		p.bad(clip(name), at, fix, "%s", msg)
		return end
	}
	ev.Ext = append(ev.Ext, Attr{Name: name, Value: v})
	return end
}

// finish checks what can only be known at the end of the object.
func (p *envelope) finish(ev *Event) {
	if p.field != nil {
		return
	}
	if p.strict && !(p.version && ev.ID != "" && ev.Source != "" && ev.Type != "") || ev.Type == "" {
		p.missing(ev)
		return
	}
	if len(ev.Ext) > 1 {
		slices.SortFunc(ev.Ext, func(a, b Attr) int { return strings.Compare(a.Name, b.Name) })
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

func (p *envelope) missing(ev *Event) {
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
func (p *envelope) binary(ev *Event) {
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

package event

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Validate reports everything that keeps e from being a CloudEvent within the
// limits, as *FieldErrors joined. An event from Parse or ParseBatch is valid.
func (e *Event) Validate() error {
	var errs []error
	bad := func(attr, fix, format string, args ...any) {
		errs = append(errs, &FieldError{Attr: attr, Offset: -1, Msg: fmt.Sprintf(format, args...), Fix: fix})
	}
	for _, a := range []struct {
		name, text string
		must       bool
	}{
		{"id", e.ID, true},
		{"source", e.Source, true},
		{"type", e.Type, true},
		{"subject", e.Subject, false},
		{"datacontenttype", e.DataContentType, false},
		{"dataschema", e.DataSchema, false},
	} {
		if a.text == "" && a.must {
			bad(a.name, "every event needs one", "is missing")
		} else if msg, fix := checkAttr(a.name, a.text); a.text != "" && msg != "" {
			bad(a.name, fix, "%s", msg)
		}
	}
	if y := e.Time.UTC().Year(); !e.Time.IsZero() && (y < 0 || y > 9999) {
		bad("time", "RFC 3339 knows the years 0 to 9999", "is in year %d", y)
	}
	for i, a := range e.Ext {
		if msg, fix := checkExt(a.Name, a.Value); msg != "" {
			bad(a.Name, fix, "%s", msg)
		}
		if i > 0 && e.Ext[i-1].Name >= a.Name {
			bad(a.Name, "set extensions with SetExt", "extensions are not sorted, or it is there twice")
		}
	}
	if n := e.size(); n > MaxSize {
		bad("data", "send a reference to the payload instead", "the event has %d bytes, over the limit of %d", n, MaxSize)
	}
	if e.Data != nil && e.IsJSON() {
		if err := CheckJSON(e.Data); err != nil {
			bad("data", "send JSON, or say what it is in datacontenttype", "is not JSON: %v", err)
		}
	}
	return errors.Join(errs...)
}

// size is how long the event is as JSON. Where it is clearly within MaxSize, as most
// are, it is something longer, and the event is not written out to be measured.
func (e *Event) size() int {
	const (
		longest = 6   // what a byte of a text becomes at most: \u00xx
		names   = 512 // names of the members, the time, punctuation
	)
	n := len(e.ID) + len(e.Source) + len(e.Type) + len(e.Subject) + len(e.DataContentType) + len(e.DataSchema) + len(e.Data)
	if bound := names + n*longest; bound <= MaxSize && len(e.Ext) == 0 {
		return bound
	}
	return len(e.AppendJSON(nil))
}

// CheckJSON reports whether b is one JSON value that can be the payload of an
// event: UTF-8, no deeper than MaxDepth with the event around it, no key twice in
// one object. The error is a *SyntaxError.
func CheckJSON(b []byte) error {
	p := parser{d: b}
	if i := p.value(p.space(0), 1, nil); i >= 0 {
		if i = p.space(i); i != len(b) {
			p.err = &SyntaxError{Offset: i, Msg: "text after the JSON value"}
		}
	}
	if err := p.verdict(); err != nil {
		return err
	}
	return nil
}

// checkAttr says what is wrong with the text of a context attribute, and the
// fix; "" when nothing is.
func checkAttr(name, s string) (msg, fix string) {
	if s == "" {
		return "is empty", "give it a text or leave it out"
	}
	if !utf8.ValidString(s) {
		return "is not valid UTF-8", "encode it as UTF-8"
	}
	for i := range len(s) {
		if s[i] < 0x20 {
			return fmt.Sprintf("has the control character %q", s[i]), "remove it; attributes are plain text"
		}
	}
	if (name == "source" || name == "dataschema") && strings.IndexByte(s, ' ') >= 0 {
		return "has a space; it is a URI reference", "write %20 for the space"
	}
	switch name {
	case "dataschema":
		if u, err := url.Parse(s); err != nil || !u.IsAbs() {
			return fmt.Sprintf("%q is not an absolute URI", s), "write it with its scheme, such as https://example.com/order.json"
		}
	case "datacontenttype":
		if !strings.Contains(s, "/") {
			return fmt.Sprintf("%q is not a media type", s), "write it as type/subtype, such as application/json"
		}
	}
	return "", ""
}

// checkExt is checkAttr for an extension attribute.
func checkExt(name string, v Value) (msg, fix string) {
	switch {
	case !extName(name):
		if lower := strings.ToLower(name); extName(lower) {
			return "is not a CloudEvents attribute: names are lower case", "write " + lower
		}
		return "cannot be the name of an attribute, which is of a-z and 0-9", "rename it, or move it into data"
	case reserved(name):
		return "is the name of an attribute of CloudEvents itself", "set the field of the event instead"
	}
	switch v.Kind() {
	case Bool, Time:
		return "", ""
	case String:
		if v.text == "" {
			return "", ""
		}
		return checkAttr(name, v.text)
	case Number:
		if f := v.Number(); f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
			return "", ""
		}
		return "is not a whole number, and extension attributes have no fractions", "write it as a text, or move it into data"
	default:
		return "is a " + v.Kind().String() + "; extension attributes are texts, booleans or whole numbers", "move it into data"
	}
}

func reserved(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data":
		return true
	}
	return false
}

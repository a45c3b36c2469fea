package event

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of an event.
const (
	MaxSize  = 1 << 20 // bytes of the whole event as JSON
	MaxDepth = 64      // levels of JSON, the event's own object being the first
)

// Event is a CloudEvents 1.0 event. It is plain data: copy it freely, share it,
// and do not write to the bytes of Ext and Data after handing it on.
type Event struct {
	ID      string
	Source  string
	Type    string
	Subject string    // "": absent
	Time    time.Time // zero: absent

	DataContentType string // "": application/json
	DataSchema      string // "": absent

	Ext  []Attr // extension attributes, sorted by name
	Data []byte // the payload as it came: JSON text if IsJSON, else raw bytes; nil: absent
}

// Attr is an extension attribute: a Bool, a whole Number, a String or a Time
// (which JSON carries as a string and gives back as one).
type Attr struct {
	Name  string // of a-z and 0-9
	Value Value
}

// IsJSON reports whether Data is JSON text, going by DataContentType.
func (e *Event) IsJSON() bool {
	return e.DataContentType == "" || isJSON(e.DataContentType)
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	_, sub, _ := strings.Cut(media, "/")
	return sub == "json" || strings.HasSuffix(sub, "+json")
}

// Get gives the value at p without decoding the payload; a String, List or Map
// aliases it. For several paths of one event PathSet.Scan is faster.
func (e *Event) Get(p Path) Value {
	rest, ok := strings.CutPrefix(p.text, "data")
	if !ok {
		attr, steps := p.resolve()
		if attr == attrExt {
			return e.attr(attr, steps[0].Key)
		}
		return e.attr(attr, "")
	}
	switch {
	case len(e.Data) == 0:
		return Value{}
	case e.IsJSON():
		return seek(e.Data, rest)
	case rest == "":
		return e.textData()
	}
	return Value{}
}

// seek follows the steps of a path into JSON.
func seek(d []byte, steps string) Value {
	i := space(d, 0)
	for steps != "" {
		st, rest, err := nextStep(steps)
		if err != nil {
			return Value{} // not a path, so it leads nowhere
		}
		if st.Index >= 0 {
			i = seekItem(d, i, st.Index)
		} else {
			i = seekKey(d, i, st.Key)
		}
		if i < 0 {
			return Value{}
		}
		steps = rest
	}
	v, _ := read(d, i)
	return v
}

// attr gives the value of an attribute other than data.
func (e *Event) attr(a attribute, ext string) Value {
	var s string
	switch a {
	case attrType:
		s = e.Type
	case attrSource:
		s = e.Source
	case attrSubject:
		s = e.Subject
	case attrID:
		s = e.ID
	case attrTime:
		if e.Time.IsZero() {
			return Value{}
		}
		return TimeValue(e.Time)
	case attrExt:
		return e.ext(ext)
	default:
		return Value{}
	}
	if s == "" {
		return Value{}
	}
	return StringValue(s)
}

// ext finds an extension attribute. Most events have a few; one that has
// thousands shall not make every path slow.
func (e *Event) ext(name string) Value {
	const few = 16
	if len(e.Ext) > few {
		i, found := slices.BinarySearchFunc(e.Ext, name, func(a Attr, n string) int { return strings.Compare(a.Name, n) })
		if !found {
			return Value{}
		}
		return e.Ext[i].Value
	}
	for i := range e.Ext {
		if e.Ext[i].Name == name {
			return e.Ext[i].Value
		}
	}
	return Value{}
}

// textData is what path data gives for a payload that is not JSON.
func (e *Event) textData() Value {
	if !utf8.Valid(e.Data) {
		return Value{}
	}
	return StringValue(alias(e.Data))
}

// seekKey returns the index of the value under key in the object at d[i], or -1.
func seekKey(d []byte, i int, key string) int {
	if i >= len(d) || d[i] != '{' {
		return -1
	}
	for {
		i = space(d, i+1)
		if i >= len(d) || d[i] != '"' {
			return -1
		}
		end, escaped := stringEnd(d, i+1)
		if end < 0 {
			return -1
		}
		found := text(d[i+1:end], escaped) == key
		i = space(d, end+1)
		if i >= len(d) || d[i] != ':' {
			return -1
		}
		i = space(d, i+1)
		if found {
			return i
		}
		if i = skip(d, i); i < 0 {
			return -1
		}
		if i = space(d, i); i >= len(d) || d[i] != ',' {
			return -1
		}
	}
}

// seekItem returns the index of the n-th item of the list at d[i], or -1.
func seekItem(d []byte, i, n int) int {
	if i >= len(d) || d[i] != '[' {
		return -1
	}
	for {
		i = space(d, i+1)
		if i >= len(d) || d[i] == ']' {
			return -1
		}
		if n == 0 {
			return i
		}
		n--
		if i = skip(d, i); i < 0 {
			return -1
		}
		if i = space(d, i); i >= len(d) || d[i] != ',' {
			return -1
		}
	}
}

// Clone gives an equal event whose bytes are its own, in one allocation for all
// texts, so that keeping it keeps nothing else.
func (e *Event) Clone() Event {
	c := *e
	n := len(e.ID) + len(e.Source) + len(e.Type) + len(e.Subject) + len(e.DataContentType) + len(e.DataSchema) + len(e.Data)
	for _, a := range e.Ext {
		n += len(a.Name) + len(a.Value.text)
	}
	buf := make([]byte, 0, n)
	keep := func(s *string) {
		start := len(buf)
		buf = append(buf, *s...)
		*s = alias(buf[start:len(buf):len(buf)])
	}
	for _, s := range []*string{&c.ID, &c.Source, &c.Type, &c.Subject, &c.DataContentType, &c.DataSchema} {
		keep(s)
	}
	c.Ext = slices.Clone(e.Ext)
	for i := range c.Ext {
		keep(&c.Ext[i].Name)
		keep(&c.Ext[i].Value.text)
	}
	if e.Data != nil {
		start := len(buf)
		buf = append(buf, e.Data...)
		c.Data = buf[start:len(buf):len(buf)]
	}
	return c
}

// Equal reports whether e and f are the same event: equal attributes, the same
// instant, payloads of equal bytes.
func (e *Event) Equal(f *Event) bool {
	return e.ID == f.ID && e.Source == f.Source && e.Type == f.Type && e.Subject == f.Subject &&
		e.Time.Equal(f.Time) && e.DataContentType == f.DataContentType && e.DataSchema == f.DataSchema &&
		slices.EqualFunc(e.Ext, f.Ext, func(a, b Attr) bool { return a.Name == b.Name && a.Value.Equal(b.Value) }) &&
		(e.Data == nil) == (f.Data == nil) && string(e.Data) == string(f.Data)
}

// Lookup gives the extension attribute name; Missing when the event has none.
func (e *Event) Lookup(name string) Value { return e.attr(attrExt, name) }

// SetExt sets or replaces an extension attribute and keeps Ext sorted. The
// slice is copied, so events that shared it do not change.
func (e *Event) SetExt(name string, v Value) {
	i, found := slices.BinarySearchFunc(e.Ext, name, func(a Attr, n string) int { return strings.Compare(a.Name, n) })
	ext := make([]Attr, 0, len(e.Ext)+1)
	ext = append(ext, e.Ext[:i]...)
	ext = append(ext, Attr{Name: name, Value: v})
	if found {
		i++
	}
	e.Ext = append(ext, e.Ext[i:]...)
}

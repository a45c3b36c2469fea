package event

import (
	"fmt"
	"strconv"
	"strings"
)

// Path names a place in an event: an attribute (type, source, subject, time,
// id), an extension attribute (ext.NAME), the payload (data) or something in
// it (data.user.name, data.items[0].id, data["odd key"]).
//
// A Path is its canonical text, so paths are comparable, equal when they name
// the same place, and usable as map keys. The zero Path names nothing.
type Path struct{ text string }

// Step is one step of a path into the payload: a key of a map, or an index of
// a list. They differ: data["0"] looks into a map, data[0] into a list.
type Step struct {
	Key   string
	Index int // the index when Key is not what counts; -1 for a key
}

// MaxPath bounds the text of a path that ParsePath takes.
const MaxPath = 4096

// ParsePath reads a path as people write it. Keys that are not identifiers
// stand in brackets and quotes, single or double.
func ParsePath(s string) (Path, error) {
	if len(s) > MaxPath {
		return Path{}, fmt.Errorf("path of %d characters: the limit is %d", len(s), MaxPath)
	}
	n := identLen(s)
	p, rest := Path{s[:n]}, s[n:]
	switch p.text {
	case "type", "source", "subject", "time", "id":
		if rest != "" {
			return Path{}, fmt.Errorf("path %q: %s has no fields; use %s alone", s, p.text, p.text)
		}
		return p, nil
	case "ext":
		return extPath(s, rest)
	case "data":
		return dataPath(s, rest)
	}
	return Path{}, fmt.Errorf("path %q: starts with none of type, source, subject, time, id, data, ext; a payload field is written data.NAME", s)
}

func extPath(s, rest string) (Path, error) {
	st, after, err := nextStep(rest)
	switch {
	case err != nil:
		return Path{}, fmt.Errorf("path %q: %w", s, err)
	case rest == "" || st.Index >= 0:
		return Path{}, fmt.Errorf("path %q: names no extension; write ext.NAME", s)
	case after != "":
		return Path{}, fmt.Errorf("path %q: an extension attribute has no fields; use ext.%s alone", s, st.Key)
	case !extName(st.Key):
		return Path{}, fmt.Errorf("path %q: %q cannot be an extension's name; only a-z and 0-9 can", s, st.Key)
	}
	return PathOf("ext", st.Key), nil
}

func dataPath(s, rest string) (Path, error) {
	p := Path{"data"}
	for rest != "" {
		st, after, err := nextStep(rest)
		if err != nil {
			return Path{}, fmt.Errorf("path %q: %w", s, err)
		}
		if rest[0] == '.' && identLen(st.Key) == 0 {
			return Path{}, fmt.Errorf("path %q: .%s is neither a name nor an index; write [\"%s\"] for a key, [0] for a list index", s, st.Key, st.Key)
		}
		p, rest = p.step(st), after
	}
	return p, nil
}

// PathOf joins an attribute and keys; every part after the first is a key, also
// when it looks like a number. A path that could not be parsed back, such as
// PathOf("nothing"), leads to Missing.
func PathOf(parts ...string) Path {
	var p Path
	for i, part := range parts {
		if i == 0 {
			p.text = part
		} else {
			p = p.Field(part)
		}
	}
	return p
}

// Field gives the path one key further.
func (p Path) Field(key string) Path { return p.step(Step{Key: key, Index: -1}) }

// At gives the path one list index further. A negative index, which JSON does
// not have, leads to Missing.
func (p Path) At(index int) Path {
	if index < 0 {
		return Path{}
	}
	return p.step(Step{Index: index})
}

func (p Path) step(st Step) Path {
	switch {
	case p.text == "":
		return p
	case st.Index >= 0:
		return Path{p.text + "[" + strconv.Itoa(st.Index) + "]"}
	case st.Key != "" && identLen(st.Key) == len(st.Key), p.text == "ext" && extName(st.Key):
		return Path{p.text + "." + st.Key}
	}
	return Path{p.text + "[" + strconv.Quote(st.Key) + "]"}
}

// String gives the canonical text, which ParsePath takes back.
func (p Path) String() string { return p.text }

// IsZero reports whether p names nothing.
func (p Path) IsZero() bool { return p.text == "" }

// Root gives the first part: type, source, subject, time, id, data or ext.
func (p Path) Root() string { return p.text[:identLen(p.text)] }

// Steps gives what follows the root.
func (p Path) Steps() []Step {
	var steps []Step
	for rest := p.text[identLen(p.text):]; rest != ""; {
		st, after, err := nextStep(rest)
		if err != nil {
			return nil // a hand-made root, which leads nowhere
		}
		steps, rest = append(steps, st), after
	}
	return steps
}

// Parts gives the root and the keys; a list index i appears as "[i]". Use Steps
// where a key that looks like that must be told apart.
func (p Path) Parts() []string {
	if p.text == "" {
		return nil
	}
	parts := []string{p.Root()}
	for _, st := range p.Steps() {
		if st.Index >= 0 {
			parts = append(parts, "["+strconv.Itoa(st.Index)+"]")
		} else {
			parts = append(parts, st.Key)
		}
	}
	return parts
}

// MarshalText gives the canonical text.
func (p Path) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// UnmarshalText is ParsePath, for configuration that holds paths.
func (p *Path) UnmarshalText(b []byte) error {
	q, err := ParsePath(string(b))
	if err == nil {
		*p = q
	}
	return err
}

// nextStep splits the first step off the text behind a root.
func nextStep(s string) (Step, string, error) {
	switch {
	case s == "":
		return Step{Index: -1}, "", nil
	case s[0] == '.':
		n := nameLen(s[1:])
		if n == 0 {
			return Step{}, "", fmt.Errorf("no plain name after the dot in %q; other names are written [\"NAME\"]", s)
		}
		after := s[1+n:]
		if after != "" && after[0] != '.' && after[0] != '[' {
			return Step{}, "", fmt.Errorf("%q is not a plain name; write it as [\"NAME\"]", s[1:])
		}
		return Step{Key: s[1 : 1+n], Index: -1}, after, nil
	case s[0] == '[':
		return bracketStep(s)
	}
	return Step{}, "", fmt.Errorf("expected a dot or a bracket before %q; a name that is not plain is written [\"NAME\"]", s)
}

func bracketStep(s string) (Step, string, error) {
	in := s[1:]
	if n := digitsLen(in); n > 0 && n < len(in) && in[n] == ']' {
		i, err := strconv.ParseInt(in[:n], 10, 32)
		if err != nil {
			return Step{}, "", fmt.Errorf("list index %s is too large", in[:n])
		}
		return Step{Index: int(i)}, in[n+1:], nil
	}
	if in == "" || in[0] != '"' && in[0] != '\'' {
		return Step{}, "", fmt.Errorf("expected a list index or a quoted name at %q", s)
	}
	n := 1
	for n < len(in) && in[n] != in[0] {
		n += 1 + b2i(in[n] == '\\')
	}
	if n+1 >= len(in) || in[n+1] != ']' {
		return Step{}, "", fmt.Errorf("the bracket at %q does not close; write [\"NAME\"]", s)
	}
	key, err := unquote(in[:n+1])
	if err != nil {
		return Step{}, "", fmt.Errorf("%s is not a quoted name", in[:n+1])
	}
	return Step{Key: key, Index: -1}, in[n+2:], nil
}

// unquote is strconv.Unquote that also lets single quotes hold a whole text.
func unquote(q string) (string, error) {
	if q[0] == '"' {
		return strconv.Unquote(q)
	}
	in := q[1 : len(q)-1]
	in = strings.ReplaceAll(in, `\'`, `'`)
	return strconv.Unquote(`"` + escapeQuotes(in) + `"`)
}

// escapeQuotes puts a backslash before each double quote that has none.
func escapeQuotes(s string) string {
	if !strings.Contains(s, `"`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			b.WriteByte('\\')
		case s[i] == '\\' && i+1 < len(s):
			b.WriteByte(s[i])
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func identLen(s string) int {
	i := 0
	for i < len(s) && (s[i] == '_' || s[i]|0x20-'a' <= 25 || i > 0 && s[i]-'0' <= 9) {
		i++
	}
	return i
}

// nameLen is identLen for names that may start with a digit, as those of
// extensions may.
func nameLen(s string) int {
	n := digitsLen(s)
	return n + identLen(s[n:])
}

func digitsLen(s string) int {
	i := 0
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}

// extName reports whether s can name an extension attribute.
func extName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c-'a' > 25 && c-'0' > 9 {
			return false
		}
	}
	return s != ""
}

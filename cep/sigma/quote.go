package sigma

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rhost/rhost/event"
)

// celText writes a text as CEL, in printable characters alone, so that it can
// stand in a YAML block as it is.
func celText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// numberText gives the text of a number, as CEL's string() does.
func numberText(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// place is a path as CEL writes it.
type place struct {
	text   string
	parent string // all but the last step; "" for an attribute
	key    string // the last step, when it is a key
	odd    bool   // the last step cannot be written with a dot
	deep   []place
	root   string
}

// newPlace reads what is needed of a path. Every level between the payload and
// the field is in deep, outermost first.
func newPlace(p event.Path) place {
	pl := place{text: p.Root(), root: p.Root()}
	for _, st := range p.Steps() {
		next := place{parent: pl.text, key: st.Key, root: pl.root, deep: pl.deep}
		switch {
		case st.Index >= 0:
			next.text, next.odd = pl.text+"["+strconv.Itoa(st.Index)+"]", true
		case dotted(st.Key):
			next.text = pl.text + "." + st.Key
		default:
			next.text, next.odd = pl.text+"["+celText(st.Key)+"]", true
		}
		if pl.parent != "" {
			next.deep = append(append([]place(nil), pl.deep...), pl)
		}
		pl = next
	}
	return pl
}

// dotted reports whether a key can stand behind a dot in CEL.
func dotted(key string) bool {
	switch key {
	case "", "in", "true", "false", "null":
		return false
	}
	for i, c := range []byte(key) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// attribute reports whether p is an attribute of the event: a text that is
// there or not, or the time.
func (p place) attribute() bool { return p.parent == "" && p.root != "data" }

// there is true when the field is there, and never otherwise.
func (p place) there() string {
	if p.attribute() || !p.odd && len(p.deep) == 0 {
		return "has(" + p.text + ")"
	}
	return "(" + p.text + " == null || " + p.text + " != null)"
}

// absent gives conditions of which one is true when the field is not there, and
// none when it is.
func (p place) absent() []string {
	if p.attribute() || p.root == "ext" {
		return []string{"!has(" + p.text + ")"}
	}
	var out []string
	for _, q := range append(slices.Clip(p.deep), p) {
		out = append(out, q.missing()...)
	}
	return out
}

// missing is absent for the last step alone: the parent is there.
func (p place) missing() []string {
	if p.parent == "" {
		return []string{"!has(" + p.text + ")"}
	}
	var out []string
	if p.parent != "data" { // which may be something other than a map
		out = append(out, p.parent+" in [null, true, false]", p.parent+` >= ""`, p.parent+" >= 0", p.parent+" < 0",
			"size("+p.parent+") == 0", p.parent+"[0] == "+p.parent+"[0]")
	} else if p.odd {
		out = append(out, "!has(data)")
	}
	if p.odd {
		return append(out, "!("+celText(p.key)+" in "+p.parent+")")
	}
	return append(out, "!has("+p.text+")")
}

// container gives conditions of which one is true of a list or a map, and none
// of anything else.
func (p place) container() []string {
	if p.root != "data" {
		return nil
	}
	return []string{`"" in ` + p.text, `!("" in ` + p.text + ")"}
}

package sigma

import (
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// transform puts the values through the modifiers that change them, in order.
func transform(values []value, m modifiers, lookup func(string) ([]string, bool)) ([]value, error) {
	for _, step := range m.steps {
		var out []value
		for _, v := range values {
			more, err := v.step(step, lookup)
			if err != nil {
				return nil, err
			}
			if out = append(out, more...); len(out) > maxExpanded {
				return nil, troublef(v.node, step, "write fewer values", "the values become more than %d", maxExpanded)
			}
		}
		values = out
	}
	for i, v := range values {
		if v.bytes == nil {
			continue
		}
		if !utf8.Valid(v.bytes) {
			return nil, troublef(v.node, m.steps[len(m.steps)-1], "add base64 or base64offset behind it", "the encoded value is no text")
		}
		values[i] = value{kind: isText, node: v.node, pattern: literal(string(v.bytes)), group: v.group}
	}
	return values, nil
}

// step applies one modifier to one value.
func (v value) step(step string, lookup func(string) ([]string, bool)) ([]value, error) {
	if step == "expand" {
		return v.expand(step, lookup)
	}
	if v.kind == isNumber || v.kind == isTruth {
		v = value{kind: isText, node: v.node, pattern: literal(v.raw), group: v.group}
	}
	if v.kind != isText {
		return nil, troublef(v.node, step, "write a text", "the modifier takes texts")
	}
	if step == "windash" {
		return v.windash()
	}
	raw := v.bytes
	if raw == nil {
		s, ok := v.pattern.plain()
		if !ok {
			return nil, troublef(v.node, step, `write \* and \? for the characters`, "a value with wildcards cannot be encoded")
		}
		raw = []byte(s)
	}
	switch step {
	case "base64":
		return []value{v.text(base64.StdEncoding.EncodeToString(raw))}, nil
	case "base64offset":
		var out []value
		for _, s := range base64Offsets(raw) {
			if s != "" {
				out = append(out, v.text(s))
			}
		}
		if len(raw) < minOffset {
			return nil, troublef(v.node, step, "use base64, or a longer value", "a value of %d bytes leaves no characters of its own", len(raw))
		}
		return out, nil
	default:
		v.bytes = encodeUTF16(raw, step)
		return []value{v}, nil
	}
}

func (v value) text(s string) value {
	return value{kind: isText, node: v.node, pattern: literal(s), group: v.group}
}

// base64Offsets gives what base64 makes of the bytes in the middle of others, at
// the three ways of cutting them into threes: the characters that depend on
// nothing but them.
func base64Offsets(raw []byte) []string {
	var out []string
	for before := range 3 {
		padded := append(make([]byte, before), raw...)
		s := base64.StdEncoding.EncodeToString(padded)
		from := []int{0, 2, 3}[before]
		to := len(s) - []int{0, 3, 2}[len(padded)%3]
		out = append(out, s[min(from, to):to])
	}
	return out
}

func encodeUTF16(raw []byte, how string) []byte {
	out := []byte{}
	if how == "utf16" {
		out = append(out, 0xff, 0xfe)
	}
	for _, u := range utf16.Encode([]rune(string(raw))) {
		if how == "utf16be" {
			out = binary.BigEndian.AppendUint16(out, u)
		} else {
			out = binary.LittleEndian.AppendUint16(out, u)
		}
	}
	return out
}

// dashes are what windash takes for one another.
func dashes() []string { return []string{"-", "/", "–", "—", "―"} }

// windash gives the value with every dash that starts an option in all its
// forms. A dash does when a letter, digit or underscore follows it and none
// stands before it.
func (v value) windash() ([]value, error) {
	out := []pattern{nil}
	for _, x := range v.pattern {
		if x.wild != 0 {
			for i := range out {
				out[i] = append(slices.Clip(out[i]), x)
			}
			continue
		}
		variants := dashVariants(x.text)
		if variants == nil || len(variants)*len(out) > maxExpanded {
			return nil, troublef(v.node, "windash", "split the value into several with contains|all", "the value has too many dashes")
		}
		var next []pattern
		for _, p := range out {
			for _, s := range variants {
				next = append(next, append(slices.Clip(p), piece{text: s}))
			}
		}
		out = next
	}
	values := make([]value, len(out))
	for i, p := range out {
		values[i] = value{kind: isText, node: v.node, pattern: p, group: v.group}
	}
	return values, nil
}

// dashVariants gives the forms of a text; nil when there are too many.
func dashVariants(s string) []string {
	word := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
	runes := []rune(s)
	parts := [][]string{{""}} // plain stretches, each alone, and dashes in turn
	start := 0
	for i, r := range runes {
		if (r == '-' || r == '/') && (i == 0 || !word(runes[i-1])) && i+1 < len(runes) && word(runes[i+1]) {
			parts = append(parts, []string{string(runes[start:i])}, dashes())
			start = i + 1
		}
	}
	parts = append(parts, []string{string(runes[start:])})
	return product(parts)
}

// product joins the parts in every way; nil when there are too many.
func product(parts [][]string) []string {
	out := []string{""}
	for _, forms := range parts {
		size := 0
		for _, f := range forms {
			size += len(f) * len(out)
		}
		for _, head := range out {
			size += len(head) * len(forms)
		}
		if len(out)*len(forms) > maxExpanded || size > maxWork {
			return nil
		}
		next := make([]string, 0, len(out)*len(forms))
		for _, head := range out {
			for _, f := range forms {
				next = append(next, head+f)
			}
		}
		out = next
	}
	return out
}

// placeholder is %name%; a percent sign behind a backslash is one, unless that
// backslash is behind one itself.
var placeholder = regexp.MustCompile(`\\[\\%]|%([^%\s]+)%`)

// expand replaces placeholders by what the mapping says they stand for.
func (v value) expand(step string, lookup func(string) ([]string, bool)) ([]value, error) {
	if v.kind != isText {
		return nil, troublef(v.node, step, "write a text", "the modifier takes texts")
	}
	found := placeholder.FindAllStringSubmatchIndex(v.raw, -1)
	var parts [][]string
	var text strings.Builder
	at, names := 0, 0
	for _, loc := range found {
		text.WriteString(v.raw[at:loc[0]])
		at = loc[1]
		if loc[2] < 0 {
			if escaped := v.raw[loc[0]:loc[1]]; escaped == `\%` {
				text.WriteByte('%')
			} else {
				text.WriteString(escaped) // for parsePattern to read
			}
			continue
		}
		name := v.raw[loc[2]:loc[3]]
		forms, ok := lookup(name)
		if !ok {
			return nil, troublef(v.node, "%"+name+"%", "say under placeholders: of the mapping what it stands for: "+name+": [VALUE, …]", "the mapping does not know this placeholder")
		}
		parts = append(parts, []string{text.String()}, forms)
		text.Reset()
		names++
	}
	parts = append(parts, []string{text.String() + v.raw[at:]})
	texts := []string(nil)
	if names <= maxPlaceholders {
		texts = product(parts)
	}
	if texts == nil {
		return nil, troublef(v.node, step, "use fewer placeholders in one value", "the value becomes more than %d", maxExpanded)
	}
	var out []value
	for _, s := range texts {
		out = append(out, value{kind: isText, node: v.node, raw: s, pattern: parsePattern(s), group: v.group})
	}
	return out, nil
}

// isPlainNumber is what lt and the others take for a number in a text.
const isPlainNumber = `^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?$`

// stars puts the stars of contains, startswith and endswith around a pattern.
func (m modifiers) stars(p pattern) pattern { return p.around(m.before, m.after) }

// regexpFlags gives the flags as Go writes them.
func (m modifiers) regexpFlags() string {
	if m.flags == "" {
		return ""
	}
	var flags strings.Builder
	for _, f := range "ims" {
		if strings.ContainsRune(m.flags, f) {
			flags.WriteRune(f)
		}
	}
	return "(?" + flags.String() + ")"
}

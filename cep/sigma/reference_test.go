package sigma_test

import (
	"encoding/base64"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/yamldoc"
)

// reference decides a Sigma rule for an event by the book: two-valued, value by
// value, with nothing of what the package does. It panics on rules that are
// wrong, which the tests do not give it.
type reference struct {
	doc    *yamldoc.Node
	event  map[string]any // type and data
	source func(rule *yamldoc.Node, event map[string]any) bool
	paths  func(rule *yamldoc.Node, field string) [][]string
	named  map[string][]string // placeholders
}

// lookup gives what is found for a field: the values under its paths.
func (r reference) lookup(field string) []any {
	var out []any
	for _, path := range r.paths(r.doc, field) {
		v, ok := r.event["data"], true
		for _, key := range path {
			m, isMap := v.(map[string]any)
			if v, ok = m[key]; !isMap || !ok {
				ok = false
				break
			}
		}
		if ok {
			out = append(out, v)
		}
	}
	return out
}

func (r reference) decide() bool {
	if !r.source(r.doc, r.event) {
		return false
	}
	det := r.doc.Get("detection")
	cond := det.Get("condition")
	if cond.Kind == yamldoc.List {
		return slices.ContainsFunc(cond.Items, func(n *yamldoc.Node) bool { return r.condition(det, n.Text) })
	}
	return r.condition(det, cond.Text)
}

// condition replaces what is known by T and F until one letter is left.
func (r reference) condition(det *yamldoc.Node, src string) bool {
	tf := func(b bool) string {
		if b {
			return " \x01 "
		}
		return " \x02 "
	}
	src = " " + strings.NewReplacer("(", " ( ", ")", " ) ", "\n", " ").Replace(src) + " "
	quantifier := regexp.MustCompile(`(?i) (\d+|all|any|one) of (\S+) `)
	for quantifier.MatchString(src) {
		m := quantifier.FindStringSubmatch(src)
		yes, total := 0, 0
		re := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(m[2]), `\*`, ".*") + "$")
		for _, e := range det.Keys {
			if e.Key == "condition" || e.Key == "timeframe" {
				continue
			}
			if strings.EqualFold(m[2], "them") && !strings.HasPrefix(e.Key, "_") || re.MatchString(e.Key) {
				total++
				if r.selection(e.Value) {
					yes++
				}
			}
		}
		want := 1
		if strings.EqualFold(m[1], "all") {
			want = total
		} else if n, err := strconv.Atoi(m[1]); err == nil {
			want = n
		}
		src = strings.Replace(src, m[0], tf(yes >= want), 1)
	}
	var words []string
	for w := range strings.FieldsSeq(src) {
		switch strings.ToLower(w) {
		case "and", "or", "not", "(", ")", "\x01", "\x02":
			words = append(words, strings.ToLower(w))
		default:
			words = append(words, strings.TrimSpace(tf(r.selection(det.Get(w)))))
		}
	}
	text := strings.Join(words, " ")
	{
		for before := ""; before != text; {
			before = text
			text = strings.NewReplacer("( \x01 )", "\x01", "( \x02 )", "\x02", "not \x01", "\x02", "not \x02", "\x01").Replace(text)
			if before != text {
				continue
			}
			// and before or, and both only where no not waits in front
			and := regexp.MustCompile("([\x01\x02]) and ([\x01\x02])")
			if loc := and.FindStringIndex(text); loc != nil {
				both := text[loc[0]] == 1 && text[loc[1]-1] == 1
				text = text[:loc[0]] + strings.TrimSpace(tf(both)) + text[loc[1]:]
				continue
			}
			or := regexp.MustCompile("(^|\\( )([\x01\x02]) or ([\x01\x02])( or| \\)|$)")
			if m := or.FindStringSubmatchIndex(text); m != nil {
				either := text[m[4]] == 1 || text[m[6]] == 1
				text = text[:m[4]] + strings.TrimSpace(tf(either)) + text[m[7]:]
			}
		}
	}
	switch text {
	case "\x01":
		return true
	case "\x02":
		return false
	}
	panic("condition not understood: " + strconv.Quote(text))
}

func (r reference) selection(n *yamldoc.Node) bool {
	switch n.Kind {
	case yamldoc.Map:
		for _, e := range n.Keys {
			if !r.field(e) {
				return false
			}
		}
		return true
	case yamldoc.List:
		return slices.ContainsFunc(n.Items, func(item *yamldoc.Node) bool { return r.selection(item) })
	default:
		return r.keyword(n, nil)
	}
}

func items(n *yamldoc.Node) []*yamldoc.Node {
	if n.Kind == yamldoc.List {
		return n.Items
	}
	return []*yamldoc.Node{n}
}

func (r reference) field(e yamldoc.Entry) bool {
	parts := strings.Split(e.Key, "|")
	mods := parts[1:]
	has := func(m string) bool { return slices.Contains(mods, m) }
	met := func(one func(v *yamldoc.Node) bool) bool {
		for _, v := range items(e.Value) {
			if one(v) != has("all") {
				return !has("all")
			}
		}
		return has("all")
	}
	result := false
	switch found := r.lookup(parts[0]); {
	case parts[0] == "":
		result = met(func(v *yamldoc.Node) bool { return r.keyword(v, mods) })
	case has("exists"):
		result = (len(found) > 0) == (e.Value.Text == "true")
	default:
		// A field under several paths has several values; nulls are none.
		found = slices.DeleteFunc(found, func(v any) bool { return v == nil })
		if len(found) == 0 {
			found = []any{nil}
		}
		for _, v := range found {
			result = result || met(func(n *yamldoc.Node) bool {
				if n.Kind == yamldoc.Null {
					return v == nil
				}
				return v != nil && r.one(v, mods, n)
			})
		}
	}
	return result != has("neq")
}

// keyword looks for a value in every text of the payload.
func (r reference) keyword(n *yamldoc.Node, mods []string) bool {
	data, _ := r.event["data"].(map[string]any)
	for _, v := range data {
		if s, ok := textOf(v); ok && r.oneText(s, append(slices.Clone(mods), "contains"), n) {
			return true
		}
	}
	return false
}

// textOf gives the text of a scalar.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return strconv.FormatInt(int64(v), 10), true
		}
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}

// one decides one value that a field is compared with, for one that it has.
func (r reference) one(v any, mods []string, n *yamldoc.Node) bool {
	has := func(m string) bool { return slices.Contains(mods, m) }
	for _, part := range []string{"minute", "hour", "day", "month", "year"} {
		if has(part) {
			return timePart(v, part, mods, n)
		}
	}
	for _, op := range []string{"lt", "lte", "gt", "gte"} {
		if has(op) {
			f, ok := v.(float64)
			if s, isText := v.(string); isText && regexp.MustCompile(`^[-+]?\d{1,30}(\.\d{1,30})?$`).MatchString(s) {
				f, _ = strconv.ParseFloat(s, 64)
				ok = true
			}
			limit, err := strconv.ParseFloat(n.Text, 64)
			return ok && err == nil && order(op, f, limit)
		}
	}
	if !has("re") && !has("cidr") && !has("fieldref") {
		for _, f := range r.forms(mods, n) {
			if len(f) > 0 && !slices.ContainsFunc(f, func(x sign) bool { return x.wild != '*' }) {
				return v != nil // any value, even one without a text
			}
		}
	}
	s, ok := textOf(v)
	return ok && r.oneText(s, mods, n)
}

func order(op string, a, b float64) bool {
	switch op {
	case "lt":
		return a < b
	case "lte":
		return a <= b
	case "gt":
		return a > b
	default:
		return a >= b
	}
}

// timePart reads a part off the beginning of a date, whatever follows it.
func timePart(v any, part string, mods []string, n *yamldoc.Node) bool {
	s, ok := v.(string)
	m := regexp.MustCompile(map[string]string{
		"year":   `^(\d{4})-`,
		"month":  `^\d{4}-(\d\d)-`,
		"day":    `^\d{4}-\d\d-(\d\d)(?:[T ]|$)`,
		"hour":   `^\d{4}-\d\d-\d\d[T ](\d\d):`,
		"minute": `^\d{4}-\d\d-\d\d[T ]\d\d:(\d\d)(?:[:Z+-]|$)`,
	}[part]).FindStringSubmatch(s)
	if !ok || m == nil {
		return false
	}
	text := m[1]
	a, _ := strconv.ParseFloat(text, 64)
	b, _ := strconv.ParseFloat(n.Text, 64)
	for _, op := range []string{"lt", "lte", "gt", "gte"} {
		if slices.Contains(mods, op) {
			return order(op, a, b)
		}
	}
	return a == b
}

// oneText decides one value for a text.
func (r reference) oneText(s string, mods []string, n *yamldoc.Node) bool {
	has := func(m string) bool { return slices.Contains(mods, m) }
	switch {
	case has("re"):
		flags := ""
		for _, f := range []string{"i", "m", "s"} {
			if has(f) {
				flags += "(?" + f + ")"
			}
		}
		return regexp.MustCompile(flags + n.Text).MatchString(s)
	case has("cidr"):
		return inNetwork(s, n.Text)
	case has("fieldref"):
		for _, o := range r.lookup(n.Text) {
			if other, ok := textOf(o); ok && compareTexts(s, other, mods) {
				return true
			}
		}
		return false
	}
	for _, f := range r.forms(mods, n) {
		if signsMatch(f, []rune(s), !has("cased")) {
			return true
		}
	}
	return false
}

// forms gives what a text may be equal to, each a list of runes and wildcards.
func (r reference) forms(mods []string, n *yamldoc.Node) [][]sign {
	has := func(m string) bool { return slices.Contains(mods, m) }
	forms := [][]sign{signs(n.Text)}
	if n.Kind == yamldoc.Number {
		canon, _ := textOf(n.Float())
		forms = append(forms, signs(canon))
	}
	if n.Kind == yamldoc.Bool {
		forms = [][]sign{signs(strings.ToLower(n.Text))}
	}
	for _, m := range mods {
		forms = r.changed(m, n.Text, forms)
	}
	star := sign{wild: '*'}
	for i, f := range forms {
		if has("contains") || has("endswith") {
			f = append([]sign{star}, f...)
		}
		if has("contains") || has("startswith") {
			f = append(slices.Clone(f), star)
		}
		forms[i] = f
	}
	return forms
}

func compareTexts(a, b string, mods []string) bool {
	if !slices.Contains(mods, "cased") {
		a, b = strings.ToLower(a), strings.ToLower(b)
	}
	switch {
	case slices.Contains(mods, "contains"):
		return strings.Contains(a, b)
	case slices.Contains(mods, "startswith"):
		return strings.HasPrefix(a, b)
	case slices.Contains(mods, "endswith"):
		return strings.HasSuffix(a, b)
	}
	return a == b
}

func inNetwork(s, network string) bool {
	p, err := netip.ParsePrefix(network)
	if err != nil {
		a := netip.MustParseAddr(network)
		p = netip.PrefixFrom(a, a.BitLen())
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return false
	}
	return p.Contains(a) || a.Is4In6() && (p.Contains(a.Unmap()) || p.Masked().Contains(a)) || in6(p, a)
}

// in6 compares bits, for IPv4 addresses written as IPv6, which netip keeps out
// of networks.
func in6(p netip.Prefix, a netip.Addr) bool {
	if !p.Addr().Is6() || !a.Is6() {
		return false
	}
	x, y := p.Addr().As16(), a.As16()
	for i := range p.Bits() {
		if x[i/8]>>(7-i%8)&1 != y[i/8]>>(7-i%8)&1 {
			return false
		}
	}
	return true
}

// sign is one character of a value, or a wildcard.
type sign struct {
	r    rune
	wild byte
}

// signs reads a value as the specification says: a backslash takes the meaning
// from a wildcard or from another backslash.
func signs(s string) []sign {
	var out []sign
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; {
		case c == '\\' && i+1 < len(runes) && strings.ContainsRune(`\*?`, runes[i+1]):
			i++
			out = append(out, sign{r: runes[i]})
		case c == '*' || c == '?':
			out = append(out, sign{wild: byte(c)})
		default:
			out = append(out, sign{r: c})
		}
	}
	return out
}

// signsMatch fills a table: which beginnings of the pattern match which of the
// text.
func signsMatch(p []sign, s []rune, fold bool) bool {
	row := make([]bool, len(s)+1)
	row[0] = true
	for _, x := range p {
		next := make([]bool, len(s)+1)
		for i := range next {
			switch {
			case x.wild == '*':
				next[i] = row[i] || i > 0 && next[i-1]
			case i == 0:
			case x.wild == '?':
				next[i] = row[i-1]
			default:
				a, b := x.r, s[i-1]
				next[i] = row[i-1] && (a == b || fold && unicode.ToLower(a) == unicode.ToLower(b))
			}
		}
		row = next
	}
	return row[len(s)]
}

func plainOf(f []sign) string {
	var b strings.Builder
	for _, x := range f {
		b.WriteRune(x.r)
	}
	return b.String()
}

func plainSigns(s string) []sign {
	var out []sign
	for _, r := range s {
		out = append(out, sign{r: r})
	}
	return out
}

// changed puts the forms through one modifier. Bytes that are no text stand as
// runes below 256 until base64 takes them.
func (r reference) changed(mod, raw string, forms [][]sign) [][]sign {
	var out [][]sign
	for _, f := range forms {
		switch mod {
		case "wide", "utf16le", "utf16be", "utf16":
			var bytes []sign
			if mod == "utf16" {
				bytes = append(bytes, sign{r: -0xff}, sign{r: -0xfe})
			}
			for _, u := range utf16.Encode([]rune(plainOf(f))) {
				low, high := sign{r: -rune(u & 255)}, sign{r: -rune(u >> 8)}
				if mod == "utf16be" {
					low, high = high, low
				}
				bytes = append(bytes, low, high)
			}
			out = append(out, bytes)
		case "base64":
			out = append(out, plainSigns(base64.StdEncoding.EncodeToString(rawBytes(f))))
		case "base64offset":
			for offset := range 3 {
				out = append(out, plainSigns(stable(rawBytes(f), offset)))
			}
		case "windash":
			out = append(out, dashed(f)...)
		case "expand":
			for _, s := range r.expanded(raw) {
				out = append(out, signs(s))
			}
		default:
			out = append(out, f)
		}
	}
	return out
}

func rawBytes(f []sign) []byte {
	if slices.ContainsFunc(f, func(x sign) bool { return x.r < 0 }) || len(f) == 0 {
		var out []byte
		for _, x := range f {
			out = append(out, byte(-x.r))
		}
		return out
	}
	return []byte(plainOf(f))
}

// stable is what of the base64 of the bytes does not depend on those around.
func stable(raw []byte, offset int) string {
	var texts []string
	for _, fill := range []byte{0x00, 0xff, 0x5a} {
		around := slices.Repeat([]byte{fill}, 6)
		texts = append(texts, base64.StdEncoding.EncodeToString(slices.Concat(around[:offset], raw, around)))
	}
	// The characters of which every bit is of the bytes themselves.
	from, to := (offset*8+5)/6, (offset+len(raw))*8/6
	for _, s := range texts {
		if s[from:to] != texts[0][from:to] {
			panic("base64 depends on its surroundings")
		}
	}
	return texts[0][from:to]
}

func dashed(f []sign) [][]sign {
	word := func(i int) bool {
		return i >= 0 && i < len(f) && f[i].wild == 0 && (f[i].r == '_' || unicode.IsLetter(f[i].r) || unicode.IsDigit(f[i].r))
	}
	out := [][]sign{nil}
	for i, x := range f {
		forms := []sign{x}
		if x.wild == 0 && (x.r == '-' || x.r == '/') && !word(i-1) && word(i+1) {
			forms = plainSigns("-/–—―")
		}
		var next [][]sign
		for _, head := range out {
			for _, y := range forms {
				next = append(next, append(slices.Clone(head), y))
			}
		}
		out = next
	}
	return out
}

// expanded replaces one placeholder after the other, each by every value.
func (r reference) expanded(raw string) []string {
	for name, values := range r.named {
		if head, tail, ok := strings.Cut(raw, "%"+name+"%"); ok {
			var out []string
			for _, v := range values {
				out = append(out, r.expanded(head+v+tail)...)
			}
			return out
		}
	}
	return []string{raw}
}

func parseDoc(t require.TestingT, src []byte) *yamldoc.Node {
	docs, err := yamldoc.Parse("rule.yml", src)
	require.NoError(t, err)
	require.Len(t, docs, 1)
	return docs[0]
}

// The reference must itself be right where that is easy to see.
func TestReference(t *testing.T) {
	for _, c := range []struct {
		value, text string
		want        bool
	}{
		{`C:\Windows\\*.exe`, `c:\windows\A.EXE`, true},
		{`C:\Windows\*.exe`, `c:\windows\A.EXE`, false},
		{`\\*a`, `\b-a`, true},
		{`\\\*a`, `\*a`, true},
		{`\\\*a`, `\xa`, false},
		{`\\\\srv`, `\\srv`, true},
		{`\\srv`, `\srv`, true},
		{`a\?`, `a?`, true},
		{`a\?`, `ab`, false},
		{`a?c`, `aéc`, true},
		{``, ``, true},
	} {
		require.Equal(t, c.want, signsMatch(signs(c.value), []rune(c.text), true), "%s against %s", c.value, c.text)
	}
	require.Equal(t, "Zm9vYmFy", stable([]byte("foobar"), 0))
	require.Equal(t, "Zvb2Jhc", stable([]byte("foobar"), 1)[0:7])
}

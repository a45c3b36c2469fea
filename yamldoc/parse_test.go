package yamldoc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/yamldoc"
)

func parseOne(t *testing.T, src string) *yamldoc.Node {
	t.Helper()
	docs, err := yamldoc.Parse("a.yaml", []byte(src))
	require.NoError(t, err, src)
	require.Len(t, docs, 1, src)
	return docs[0]
}

func TestParsePositions(t *testing.T) {
	docs, err := yamldoc.Parse("a.yaml", []byte("\ufeff# head\r\nrule: a\r\nwhen:\r\n  by: [x, y]\r\n--- # next\r\n\r\nrule: b\r\ndo:\r\n  - run: c\r\n    with: {k: |-\r\n      l}\r\n---\r\n# nothing\r\n---\r\nä: 'q'\r\n"))
	require.Error(t, err, "a literal in brackets")
	require.Len(t, docs, 2)

	docs, err = yamldoc.Parse("a.yaml", []byte("# head\r\nrule: a\r\nwhen:\r\n  by: [x, y]\r\n--- # next\r\n\r\nrule: b\r\ndo:\r\n  - run: c\r\n    with: |-\r\n      l\r\n---\r\n# nothing\r\n---\r\nää: {k: 'q'}\r\n"))
	require.NoError(t, err)
	require.Len(t, docs, 3)
	by := docs[0].Get("when").Get("by")
	assert.Equal(t, "a.yaml:4:7", by.Pos.String())
	assert.Equal(t, "a.yaml:4:11", by.Items[1].Pos.String())
	assert.Equal(t, "a.yaml:2:1", docs[0].Pos.String())
	run := docs[1].Get("do").Items[0]
	assert.Equal(t, "a.yaml:9:5", run.Pos.String())
	assert.Equal(t, "a.yaml:9:10", run.Get("run").Pos.String())
	assert.Equal(t, "a.yaml:10:11", run.Get("with").Pos.String())
	assert.Equal(t, "l", run.Get("with").Text)
	assert.Equal(t, "a.yaml:15:9", docs[2].Get("ää").Get("k").Pos.String())
	assert.Nil(t, docs[2].Get("none").Get("none"))
}

func TestParseScalars(t *testing.T) {
	n := parseOne(t, `
n: [~, null, Null, 1]
b: [true, False]
i: [0, -7, 20_000_000, 0x1f, 0o17, 1e9, -1.5e-3, .5, .inf]
s: [yes, "1", 'true', 010, 1_, 0b1, 1x, inf, nan, 0x, 2026-01-02, 1.2.3, "a\tb"]
e:
l: |
  a # b
   c
f: >-
  a
  b
p: a
  b
`[1:])
	assert.Equal(t, map[string]any{
		"n": []any{nil, nil, nil, 1.0},
		"b": []any{true, false},
		"i": []any{0.0, -7.0, 2e7, 31.0, 15.0, 1e9, -1.5e-3, 0.5, parseOne(t, ".inf").Float()},
		"s": []any{"yes", "1", "true", "010", "1_", "0b1", "1x", "inf", "nan", "0x", "2026-01-02", "1.2.3", "a\tb"},
		"e": nil,
		"l": "a # b\n c\n",
		"f": "a b",
		"p": "a b",
	}, n.Any())
	assert.Equal(t, "20_000_000", n.Get("i").Items[2].Text)
	assert.Equal(t, yamldoc.Quoted, n.Get("s").Items[1].Style)
	assert.Equal(t, yamldoc.Literal, n.Get("f").Style)
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"a: 1\nb: 2\na: 3\n", `a.yaml:3:1: a: the key is there twice, first at line 1; keep one of them`},
		{"x:\n  - a: 1\n    a: 2\n", `a.yaml:3:5: x[0].a: the key is there twice, first at line 2; keep one of them`},
		{"a: &x 1\n", `a.yaml:1:4: a: anchors (&x) are not taken here; if it is a text, quote it: a: '&x 1'`},
		{"when: *x\n", `a.yaml:1:7: when: aliases (*x) are not taken here; if it is a text, quote it: when: '*x'`},
		{"when: !has(data.x)\n", `a.yaml:1:7: when: tags (!x) are not taken here; if it is a text, quote it: when: '!has(data.x)'`},
		{"a: [*x]\n", `a.yaml:1:5: aliases (*x) are not taken here; write the value out`},
		{strings.Repeat("- x\n", yamldoc.MaxTokens), `a.yaml:15001:1: the document has more than 30000 keys, values and marks; split it with --- lines`},
		{"when: !x", `quote it: when: '!x'`},
		{"<<: {a: 1}\n", `a.yaml:1:1: merge keys (<<) are not taken here; write the keys out`},
		{"? [a]\n: b\n", `a.yaml:2:1: found an invalid key for this map`},
		{"%YAML 1.2\n---\na: 1\n", `a.yaml:1:1: directives (%YAML, %TAG) are not taken here; remove the line`},
		{"a: 1\n...\nb: 2\n", `a second document without a --- line; start each document with ---`},
		{"--- a: 1\n", `a.yaml:1:5: text after ---; start the document on the next line`},
		{"a:\n\tb: 1\n", `a.yaml:2:1: a tab in the indentation; indent with spaces`},
		{"a: [1\n", `a.yaml:1:`},
		{"x: 1\nwhen: \"a\" == data.b\n", `a.yaml:2:7: when: YAML does not read this as a text (value is not allowed in this context. map key-value is pre-defined); quote it: when: '"a" == data.b'`},
		{"when: data.a == 'b: c'\n", `a.yaml:1:7: when: YAML does not read this as a text (mapping value is not allowed in this context); quote it: when: 'data.a == ''b: c'''`},
		{"- when: [1] == data.b\n", `quote it: when: '[1] == data.b'`},
		{"when: {a: 1} == data.b\n", `quote it: when: '{a: 1} == data.b'`},
		{"when: && b\n", `quote it: when: '&& b'`},
		{"when: @b\n", `quote it: when: '@b'`},
		{"a: \x01\n", `a.yaml:1:4: control character '\x01'; remove it`},
		{"a: 1\nb: \xff\n", `a.yaml:2:4: invalid UTF-8 byte 0xff; save the file as UTF-8`},
		{strings.Repeat("[", 70) + strings.Repeat("]", 70), `nested deeper than 64 levels; flatten it`},
		{strings.Repeat("[", 1<<19), `nested deeper than 64 levels; flatten it`},
		{strings.Repeat("- ", 1<<18), `nested deeper than 64 levels; flatten it`},
		{"a: " + strings.Repeat("x", yamldoc.MaxDocument), `a.yaml:1:1: the document has 1048579 bytes, over the limit of 1048576; split it with --- lines`},
	} {
		_, err := yamldoc.Parse("a.yaml", []byte(tt.src))
		if assert.Error(t, err, tt.src[:min(len(tt.src), 100)]) {
			assert.Contains(t, err.Error(), tt.want)
			var es yamldoc.Errors
			require.ErrorAs(t, err, &es)
			assert.NotEmpty(t, es[0].Code)
		}
	}
}

func TestParseGoesOnBehindABadDocument(t *testing.T) {
	docs, err := yamldoc.Parse("a.yaml", []byte("a: 1\n---\nb: [\n---\nc: 2\n---\nd: 1\nd: 2\n"))
	var es yamldoc.Errors
	require.ErrorAs(t, err, &es)
	assert.Len(t, es, 2)
	assert.Equal(t, 8, es[1].Pos.Line)
	require.Len(t, docs, 2)
	assert.Equal(t, 5, docs[1].Pos.Line)
}

func TestPlainText(t *testing.T) {
	for _, tt := range []struct{ src, want, err string }{
		{"when: type == \"x\"\n", `type == "x"`, ""},
		{"when: 'a: b # c'\n", "a: b # c", ""},
		{"when: >-\n  a # b\n  c\n", "a # b c", ""},
		{"when: a\n  && b\n\n  && c\n", "a && b\n&& c", ""},
		{"when: true\n", "true", ""},
		{"when: 1_0\n", "1_0", ""},
		{"when: a#b\n", "a#b", ""},
		{"when: a == b # c\n", "", `a.yaml:1:7: YAML takes what follows " #" for a comment; quote it: 'a == b # c', or move the comment to a line of its own`},
		{"when: a == 'b #c'\n", "", `quote it: 'a == ''b #c'''`},
		{"when: a &&\n  b # c\nx: 1\n", "", `quote it: 'a && b # c'`},
		{"when: true # c\n", "", `quote it: 'true # c'`},
		{"x: {when: a == b} # c\n", "a == b", ""},
		{"x: {when: a == b, y: 1} # c\n", "a == b", ""},
		{"when:\n", "", `a.yaml:1:1: there is no text here; write a text; what starts with # ! & or ~ needs quotes`},
		{"when: # c\n", "", `there is no text here`},
		{"when: ~\n", "", `there is no text here`},
		{"when: [a, b]\n", "", `a.yaml:1:7: a text was expected, and YAML reads a list here; quote it: '[a, b]'`},
		{"when: {a: b}\n", "", `a text was expected, and YAML reads a map here; quote it: '{a: b}'`},
		{"when:\n  a: b\n", "", `a text was expected, and YAML reads a map here; quote it`},
	} {
		n := parseOne(t, tt.src)
		when := n.Get("when")
		if when == nil {
			when = n.Get("x").Get("when")
		}
		got, err := when.PlainText()
		assert.Equal(t, tt.want, got, tt.src)
		if tt.err == "" {
			assert.NoError(t, err, tt.src)
		} else {
			assert.ErrorContains(t, err, tt.err, tt.src)
		}
	}
}

func TestParseIsLinear(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "rule: r%d\nwhen: type == \"t%d\"\ndo: [{notify: ops}]\n---\n", i, i)
	}
	start := time.Now()
	docs, err := yamldoc.Parse("a.yaml", []byte(b.String()))
	require.NoError(t, err)
	assert.Len(t, docs, 20_000)
	assert.Less(t, time.Since(start), 5*time.Second)
}

// Without limits, most of these keep the YAML library busy for minutes.
func TestParseHostile(t *testing.T) {
	for _, unit := range []string{"&a ", "& ", "*a ", "<<: a\n", "-\n", "a: b\n", "- ", "[", "{},", "{a: ", "! ", "%a\n", "? ", "a:\n"} {
		_, err := yamldoc.Parse("a.yaml", []byte(strings.Repeat(unit, 1<<18/len(unit))))
		assert.Error(t, err, unit)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"a: 1\n---\nb: [x, {y: z}]\n", "a: |\n  x\n", "a: 'b''c' # d\n", "? a\n: b\n", "- - - a\n", "a: &x *y\n", "!t {a: b}\n",
		"a:\n  - b: c\n    d: >-\n      e\n", "\"a\\u0041\": 1\n", "a: b: c\n", "--- |\n x\n", "{a, b: }\n", "[[{}]]\n", "%TAG ! x\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		docs, err := yamldoc.Parse("f", src)
		if err != nil {
			assert.NotEmpty(t, err.Error())
		}
		for _, d := range docs {
			walk(t, d)
			var x any
			assert.NoError(t, yamldoc.Decode(d, &x))
		}
	})
}

// walk checks what a tree promises.
func walk(t *testing.T, n *yamldoc.Node) {
	t.Helper()
	require.NotNil(t, n)
	assert.Positive(t, n.Pos.Line)
	assert.Positive(t, n.Pos.Col)
	if _, err := n.PlainText(); err != nil {
		var e *yamldoc.Error
		assert.ErrorAs(t, err, &e)
	}
	for _, it := range n.Items {
		walk(t, it)
	}
	seen := make(map[string]bool)
	for _, e := range n.Keys {
		assert.False(t, seen[e.Key], "duplicate %q", e.Key)
		seen[e.Key] = true
		walk(t, e.Value)
	}
}

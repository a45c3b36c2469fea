package yamldoc

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// agree holds what is read quickly against what the YAML library reads, and
// counts the documents that were.
func agree(t require.TestingT, src []byte) (quick, total int) {
	if checkText("f.yaml", 1, src) != nil {
		return 0, 0
	}
	for d := range Split("f.yaml", src) {
		s := d.s
		if len(s.text) > MaxDocument {
			continue
		}
		total++
		got, ok := s.quick()
		if !ok {
			continue
		}
		quick++
		want, errs := s.slow()
		require.Empty(t, errs, "%q", s.text)
		require.Equal(t, want, got, "%s\n%q", s.text, s.text)
	}
	return quick, total
}

// genDocument draws YAML line by line: mostly of what is usual, with the rest
// strewn in.
func genDocument() *rapid.Generator[[]byte] {
	plain := []string{
		"a", "a b", "true", "null", "~", "1", "-1.5e3", "+1", "0x1F", "0o17", "017", "1_000", ".5", ".inf", "-.inf", ".nan", "1e3", "2026-01-02", "2026-01-02T03:04:05Z", "1:30", "a:b", "a#b", "-", "-x", "0", "00", "1.", "1e", "0b1", "12345678901234567890",
		`type == "a" && data.b > 3`, "fail{5,} then ok", "/a/b", "$x", "(a) or b", "a, b", "é ü", "a]b", "a}b", "a 'b' c", "<5", "=b", "^a$", `\w+`, "5m", "-a", "--a", "- a", "?a", "a ? b", "a - b", "yes", "on", "a: b", "a:", ":a", "%a", "@a", "`a", "!a", "&a", "*a", "|a", ">a", "#a", "a\tb", "...", "---a", ";a", "1.2.3.4", "<<", "{a", "[a", ",a", "_", "1 # x", "a #x", "a  # x #y", "null # x",
	}
	quoted := []string{"'a'", "'b c'", `"x"`, "'#'", "''", `""`, "'it''s'", `"a b"`, `"a\nb"`, `"a\\b"`, `"\u00e9"`, `"a'b"`, `'a"b'`, "'a: b # c'", "'é'", `"é"`, "' a '", "'a", `"a`, "'a' b", "'a'#b", "'a' # b", "'a'  ", `'\'`, `"#"`, "'''a'''", `"{}"`}
	flow := []string{
		"[]", "{}", "[a]", "[a, b]", "[a,b]", "[ a , b ]", "{a: b}", "{a: b, c: d}", "{ a : b }", "{a: [1, {b: c}]}", "[[a], [b]]", "[{a: b}]", `['a', "b"]`, "{'a': b}",
		"[a b, c d]", "[1, true, null, ~]", "[-1, +2, .5]", `{a: 'b', c: "d"}`, "[é, ü]", "[a*]", "[/a, $b, (c)]", "{a: b c}", "{a b: c}", "[a|b, c/d]", "[a==b, c&&d]", "[ ]", "{ }", "{1: 2}", "{a: 1, null: 2}",
		`{where: type == "c", repeat: then}`, `[a 'b' c]`, "{a: b?}", "[http://x, 10:30]", "{a: b:c}", `{"odd key": 1, 'x': 2}`, `["a\"b", "c\\d", "\n\t"]`, `[a"b"]`, "{x: {y: {z: [a, 'é', b]}}}",

		"[a, ]", "[a,]", "{a: }", "{a}", "{a:b}", "{a: b,}", "[a b] # c", "{a: b} # c", "[a] b", "[a", "{a: b, a: c}", "[a:b]", "[a #b]", "[*]", "[a\tb]", "[a]]", "[a, [b, c], d]  ", "[a: b]", "[!e]", "[,]", "[a,,b]", "{, }", "[''a]", "['a'b]",
		`[a "b, c" d]`, `{"a":1}`, "[a:, b]", "[a ?b]", `{a: "b"c}`, "[]a", "[<<]", "{<<: a}", "[-]", "[- a]", "[a -]", "{a: -}", "[a|]", "[|a]", "[%a]", "[@a]", "{%a: b}", "{? a: b}", "{a: b: c}", "{'a' : b}", "[a : b]", "[~a]", "['a' , 'b' ]",
	}
	literals := []string{"|", ">", "|-", ">-", "|", ">", "|+", ">+", "|2", "| # c", "|  ", "> x"}
	keys := []string{"a", "b", "c", "rule", "when", "do", "a b", "a.b", "a-b", "a|b", "a/b", "é", "1b", "true1", "no", "x y z", "'q'", `"q"`, "null", "true", "1", "1a", "_", "~", "a1", "$a", "a$", "<<", "? a", "- a", "a:b", "a #b", "[a]", "inf", "on", "e5"}
	return rapid.Custom(func(t *rapid.T) []byte {
		var b bytes.Buffer
		tame := rapid.IntRange(0, 3).Draw(t, "tame") > 0 // then the first of each list, and no slips
		pick := func(from []string) string {
			if tame {
				from = from[:(len(from)+1)/2]
			}
			return rapid.SampledFrom(from).Draw(t, "pick")
		}
		usually := func(n int) bool { return rapid.IntRange(0, n).Draw(t, "usual") > 0 || tame }
		usual := func() bool { return usually(9) }
		pad := func(n int) { b.WriteString(strings.Repeat(" ", max(n, 0))) }
		scalar := func() {
			switch rapid.IntRange(0, 3).Draw(t, "scalar") {
			case 0:
				b.WriteString(pick(quoted))
			case 1:
				b.WriteString(pick(flow))
			default:
				b.WriteString(pick(plain))
			}
		}
		noise := func() {
			switch rapid.IntRange(0, 25).Draw(t, "noise") {
			case 0:
				b.WriteString("\n")
			case 1:
				pad(rapid.IntRange(0, 6).Draw(t, "pad"))
				b.WriteString("# note: x\n")
			case 2:
				b.WriteString("   \n")
			}
		}
		var block func(indent, depth int)
		value := func(indent, depth int) {
			switch k := rapid.IntRange(0, 9).Draw(t, "value"); {
			case k == 0:
				b.WriteString(" " + pick(literals) + "\n")
				deep := indent + rapid.IntRange(1, 3).Draw(t, "deep")
				for range rapid.IntRange(0, 4).Draw(t, "lines") {
					switch rapid.IntRange(0, 8).Draw(t, "line") {
					case 0:
						b.WriteString("\n")
					case 1:
						pad(deep + 1)
					default:
						pad(deep)
					}
					b.WriteString(pick(plain) + "\n")
				}
				if !usual() {
					b.WriteString("\n")
				}
			case k < 5 && depth > 0:
				if !usual() {
					b.WriteString(pick([]string{" ", " # c", "  #c", "#c"}))
				}
				b.WriteString("\n")
				noise()
				more := 2
				if !usual() {
					more = rapid.IntRange(0, 4).Draw(t, "more")
				}
				block(indent+more, depth-1)
			case k == 5 && !usual():
				b.WriteString("\n") // nothing
			default:
				b.WriteString(" ")
				scalar()
				b.WriteString(pick([]string{"", "", "", "", "", "", " ", " # c"}) + "\n")
				if !usually(99) {
					pad(indent + 2)
					b.WriteString("more\n")
				}
			}
		}
		block = func(indent, depth int) {
			list := rapid.IntRange(0, 2).Draw(t, "list") == 0
			for i := range rapid.IntRange(1, 4).Draw(t, "n") {
				noise()
				at := indent
				if !usually(99) {
					at += rapid.IntRange(-1, 1).Draw(t, "off")
				}
				pad(at)
				switch { // an item with a map, an item, a key
				case list && rapid.IntRange(0, 2).Draw(t, "nested") == 0:
					b.WriteString("- ")
					block2 := pick([]string{"a", "b"})
					b.WriteString(block2 + ":")
					value(indent+2, max(depth-1, 0))
					if usual() {
						pad(indent + 2)
						b.WriteString("other:")
						value(indent+2, max(depth-1, 0))
					}
				case list:
					b.WriteString("-")
					value(indent, max(depth-1, 0))
				default:
					k := pick(keys)
					if usual() {
						k = string(rune('a' + i))
					}
					b.WriteString(k + pick([]string{":", ":", ":", ":", ": ", " :"}))
					value(indent, depth)
				}
			}
		}
		block(0, 3)
		out := b.Bytes()
		if !usual() {
			out = bytes.TrimRight(out, "\n")
		}
		return out
	})
}

func TestQuickIsTheLibrary(t *testing.T) {
	gen := genDocument()
	quick, total := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		q, n := agree(t, gen.Draw(t, "document"))
		quick, total = quick+q, total+n
	})
	t.Logf("%d of %d documents", quick, total)
}

// ruleFiles are the documents that people wrote.
func ruleFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	for _, root := range []string{"..", "../../shared/data/sigma/rules"} {
		if _, err := os.Stat(root); err != nil {
			t.Logf("%s is not here; its files are left out", root)
			continue
		}
		require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".yml" {
				return err
			}
			files[path], err = os.ReadFile(path)
			return err
		}))
	}
	return files
}

func TestQuickOnRuleFiles(t *testing.T) {
	quick, total := 0, 0
	for path, src := range ruleFiles(t) {
		q, n := agree(t, src)
		if q < n {
			t.Logf("%s: %d of %d documents", path, q, n)
		}
		if !strings.Contains(path, "/bad/") {
			quick, total = quick+q, total+n
		}
	}
	t.Logf("%d of %d documents", quick, total)
	assert.Greater(t, 10*quick, 9*total, "nearly all documents are read quickly")
}

func FuzzQuick(f *testing.F) {
	for i := range 100 {
		f.Add(genDocument().Example(i))
	}
	f.Fuzz(func(t *testing.T, src []byte) { agree(t, src) })
}

// TestQuickIsLinear gives texts that make a careless reader slow.
func TestQuickIsLinear(t *testing.T) {
	for _, unit := range []string{"é, ", `"é", `, "'é', ", "{a: é}, ", "[é], ", "a b c ", `\\`, "''"} {
		for _, around := range [][2]string{{"a: [", "a]\n"}, {"a: \"", "\"\n"}, {"a: '", "'\n"}, {"a: ", "\n"}, {"- ", "\n"}, {"a: |\n  ", "\n"}} {
			s := section{file: "f", line: 1, text: []byte(around[0] + strings.Repeat(unit, MaxDocument/len(unit)-10) + around[1])}
			start := time.Now()
			s.quick()
			assert.Less(t, time.Since(start), time.Second, "%q in %q", unit, around)
		}
	}
}

func TestSplit(t *testing.T) {
	src := []byte("\ufeff# head\r\na: 1\r\n--- # next\r\nb: '2'\n---\n# nothing\n---\nc: [\n---\nd: \"\x01\"\n--- x\n")
	var texts []string
	var lines []int
	var all []*Node
	var problems []string
	for d := range Split("f", src) {
		texts, lines = append(texts, string(d.Text())), append(lines, d.Pos().Line)
		n, err := d.Parse()
		if err != nil {
			problems = append(problems, err.Error())
		}
		all = append(all, n)
	}
	assert.Equal(t, []string{"# head\na: 1\n", "b: '2'\n", "# nothing\n", "c: [\n", "d: \"\x01\"\n", ""}, texts)
	assert.Equal(t, []int{1, 4, 6, 8, 10, 12}, lines)
	assert.Equal(t, map[string]any{"b": "2"}, all[1].Any())
	assert.Equal(t, Pos{"f", 4, 1}, all[1].Pos)
	assert.Nil(t, all[2])
	require.Len(t, problems, 3)
	assert.Contains(t, problems[0], "f:8:4: ")
	assert.Contains(t, problems[1], `f:10:5: control character '\x01'`)
	assert.Contains(t, problems[2], "f:11:5: text after ---")

	for d := range Split("f", src) { // whoever has seen enough stops
		assert.Equal(t, 1, d.Pos().Line)
		break
	}
}

func TestSplitIsParse(t *testing.T) {
	for path, src := range ruleFiles(t) {
		want, wantErr := Parse(path, src)
		var got []*Node
		var errs Errors
		for d := range Split(path, src) {
			n, err := d.Parse()
			if bad, ok := errors.AsType[Errors](err); ok {
				errs = append(errs, bad...)
			} else if n != nil {
				got = append(got, n)
			}
		}
		assert.Equal(t, want, got, path)
		assert.Equal(t, wantErr, errs.Err(), path)
	}
}

func TestClone(t *testing.T) {
	assert.Nil(t, (*Node)(nil).Clone())
	gen := genDocument()
	rapid.Check(t, func(t *rapid.T) {
		docs, err := Parse("f", gen.Draw(t, "document"))
		if err != nil || len(docs) == 0 {
			t.Skip()
		}
		require.Equal(t, docs[0], docs[0].Clone())
	})
	for path, src := range ruleFiles(t) {
		docs, err := Parse(path, src)
		if err == nil {
			for _, d := range docs {
				assert.Equal(t, d, d.Clone())
			}
		}
	}
}

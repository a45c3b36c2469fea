package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sdk/guest"
)

// seen is what a guest reads at a path.
type seen struct {
	Kind, Text string
	Int        int64
	Num        float64
	Bool       bool
	Len        int
	Names      []string
}

// wanted is what the Go SDK reads there.
func wanted(doc, path string) seen {
	v := guest.JSON([]byte(doc)).Get(path)
	s := seen{Kind: [...]string{"missing", "null", "bool", "number", "string", "list", "object"}[v.Kind()], Bool: v.Bool(), Len: v.Len(), Names: []string{}}
	if v.Kind() == guest.String {
		s.Text = v.String()
	}
	if v.Kind() == guest.Number {
		s.Num = v.Float()
		s.Int = integer(string(v.Raw()), s.Num)
	}
	for name := range v.Members() {
		s.Names = append(s.Names, name)
	}
	return s
}

// integer cuts a number to what an int64 holds.
func integer(text string, f float64) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	switch {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// reader runs the action json in one instance.
type reader struct {
	inst sandbox.Instance
	w    *world
}

func newReader(t *testing.T, m sandbox.Module) reader {
	t.Helper()
	w := newWorld()
	inst, err := m.New(t.Context(), w.limits)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, inst.Close(context.WithoutCancel(t.Context()))) })
	return reader{inst, w}
}

func (r reader) read(doc, path string) (s seen, err error) {
	with, err := json.Marshal(map[string]string{"do": "json", "path": path})
	if err != nil {
		return s, err
	}
	c := call(string(with))
	c.Event.Data = []byte(doc)
	reply, _, err := r.inst.Invoke(context.Background(), c, r.w.session())
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(reply.Output, &s); err != nil {
		return s, fmt.Errorf("%s: %w", reply.Message, err)
	}
	return s, nil
}

// TestReadJSON compares places in a document, and numbers, with what Go reads.
func TestReadJSON(t *testing.T) {
	const doc = ` {"user": {"name": "Zo\u00eb", "uid": 1000}, "items": [{"id": "a"}, {"id": "b"}, [1, 2]],
		"odd key": {"x.y": true}, "dot.ted": 1, "none": null, "\u00e9": "é", "esc": "\"\\\/\b\f\n\r\t\ud83d\ude00\ud800", "q\"q": {}} `
	paths := []string{
		"", "user.name", "user.uid", "items[1].id", "items[2][0]", "items[3]", "items.id", `["odd key"]["x.y"]`, `["odd key"].x`, `["dot.ted"]`,
		"none", "none.x", "é", "user", "items[2]", "user.", ".user", "items[x]", "items[-1]", "items[0", `["odd key"`, "items[0]id", "items[]",
		"esc", `["q\"q"]`, "items", "a..b", "[0]", "items[99999999999]", "user[0]", `["user"].name`, `["\u00e9"]`,
	}
	numbers := []string{
		"0", "-0", "1", "-1", "1.5", "-2.5e1", "1e2", "1E-2", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"-9223372036854775809", "1e30", "-1e30", "0.1", "123456.789", "1e999", "-1e999", "1e-999", "3.14159265358979", "100000000000000000000",
	}
	each(t, func(t *testing.T, m sandbox.Module) {
		r := newReader(t, m)
		for _, path := range paths {
			got, err := r.read(doc, path)
			require.NoError(t, err, path)
			assert.Equal(t, wanted(doc, path), got, path)
		}
		for _, n := range numbers {
			got, err := r.read(n, "")
			require.NoError(t, err, n)
			assert.Equal(t, wanted(n, ""), got, n)
		}
	})
}

// TestReadAnyJSON compares documents made at random.
func TestReadAnyJSON(t *testing.T) {
	each(t, func(t *testing.T, m sandbox.Module) {
		r := newReader(t, m)
		rapid.Check(t, func(t *rapid.T) {
			v, path := drawJSON(t, 3)
			text, err := json.Marshal(v)
			require.NoError(t, err)
			if rapid.Bool().Draw(t, "indent") {
				text, err = json.MarshalIndent(v, "", "\t")
				require.NoError(t, err)
			}
			got, err := r.read(string(text), path)
			require.NoError(t, err)
			assert.Equal(t, wanted(string(text), path), got)
		})
	})
}

// drawJSON draws a value and a path to a part of it.
func drawJSON(t *rapid.T, depth int) (v any, path string) {
	most := 5
	if depth == 0 {
		most = 3
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		return nil, ""
	case 1:
		return rapid.Bool().Draw(t, "bool"), ""
	case 2:
		return float64(rapid.Int32().Draw(t, "number")) / 8, ""
	case 3:
		return rapid.String().Draw(t, "text"), ""
	case 4:
		list := []any{}
		for i := range rapid.IntRange(0, 3).Draw(t, "items") {
			item, inner := drawJSON(t, depth-1)
			list, path = append(list, item), "["+strconv.Itoa(i)+"]"+behind(inner)
		}
		return list, path
	}
	object := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "members") {
		name := rapid.String().Draw(t, "name")
		item, inner := drawJSON(t, depth-1)
		quoted, err := json.Marshal(name)
		require.NoError(t, err)
		object[name], path = item, "["+string(quoted)+"]"+behind(inner)
	}
	return object, path
}

func behind(path string) string {
	if path == "" || path[0] == '[' {
		return path
	}
	return "." + path
}

// TestReadHostileJSON reads what is no JSON: whatever comes back, the guest neither
// traps nor reads outside the text.
func TestReadHostileJSON(t *testing.T) {
	each(t, func(t *testing.T, m sandbox.Module) {
		r := newReader(t, m)
		rapid.Check(t, func(t *rapid.T) {
			piece := rapid.SampledFrom([]string{"{", "}", "[", "]", `"`, ":", ",", `\`, `\u`, `\ud83d`, "a", "1", "-", ".", "e", "t", "true", "null", " ", "\xff", "\x00", "é"})
			doc, path := "", ""
			for range rapid.IntRange(0, 20).Draw(t, "pieces") {
				doc += piece.Draw(t, "piece")
			}
			for range rapid.IntRange(0, 6).Draw(t, "steps") {
				path += piece.Draw(t, "step")
			}
			_, err := r.read(doc, path)
			require.Empty(t, sandbox.KindOf(err), "%q at %q: %v", doc, path, err)
		})
	})
}

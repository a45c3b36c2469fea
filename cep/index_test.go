package cep

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// drawCondition draws a condition with tests that the index files by, and some
// that it cannot.
func drawCondition(t *rapid.T) string {
	atoms := rapid.SampledFrom([]string{
		`type == "a"`, `type == "b"`, `type in ["a", "c"]`, `data.x == 1`, `data.x == 0`, `data.x in [1, 2]`,
		`data.x == "1"`, `data.y == true`, `data.y`, `data.y == null`, `data.x > 1`, `has(data.y)`, `data.z == "p"`,
		`data.z in ["p", "q", 1]`, `!(data.z == "p")`, `data.z.startsWith("p")`, `lower(data.z) == "p"`,
	})
	parts := rapid.SliceOfN(atoms, 1, 4).Draw(t, "atoms")
	return strings.Join(parts, rapid.SampledFrom([]string{" && ", " || "}).Draw(t, "join"))
}

func drawEvent(t *rapid.T) event.Event {
	field := func(name string, values ...string) string {
		return rapid.SampledFrom(append(values, "")).Draw(t, name)
	}
	var fields []string
	for _, f := range []struct{ name, value string }{
		{"x", field("x", "0", "-0.0", "1", "2", `"1"`, "[1]")},
		{"y", field("y", "true", "false", "null", "{}")},
		{"z", field("z", `"p"`, `"P"`, `"q"`, "1")},
	} {
		if f.value != "" {
			fields = append(fields, fmt.Sprintf("%q:%s", f.name, f.value))
		}
	}
	return event.Event{
		ID: "e", Type: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "type"),
		Data: []byte("{" + strings.Join(fields, ",") + "}"),
	}
}

// The index finds exactly the conditions that hold.
func TestIndexMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var doc strings.Builder
		for i := range rapid.IntRange(1, 12).Draw(t, "rules") {
			fmt.Fprintf(&doc, "---\nrule: r%d\nwhen: '%s'\n", i, drawCondition(t))
		}
		rules, err := ParseRules("r.yaml", []byte(doc.String()))
		require.NoError(t, err)
		p, err := Compile(rules)
		require.NoError(t, err)
		m := NewMatcher(p, Options{})
		for range 8 {
			ev := drawEvent(t)
			var want, got []string
			for _, r := range rules {
				pl, err := p.planOf(p.find(r.Name))
				require.NoError(t, err)
				if pl.preds[0].Eval(&predicate.Event{Ev: &ev}, nil) == predicate.True {
					want = append(want, r.Name)
				}
			}
			for _, match := range m.Feed(&ev, Position{}, time.Time{}, nil) {
				got = append(got, match.Rule.Name)
			}
			require.Equal(t, want, got, "%s\n%s %s", doc.String(), ev.Type, ev.Data)
		}
	})
}

func TestConditionsAreShared(t *testing.T) {
	p := mustCompile(t, `
rule: one
when:
  pattern: a then b then c
  define: {a: type == "a", b: type == "a" && data.x == 1, c: type == "a"}
`)
	assert.Len(t, p.find("one").plan.preds, 2, "a and c have one condition")
}

// A strict skip that finds nothing to skip to stops the rule.
func TestStoppedRule(t *testing.T) {
	const text = "rule: r\nwhen:\n  pattern: a then b\n  define: {a: type == \"a\", b: type == \"b\"}\n  skip: {to-first: a, on_miss: error}\n"
	p := mustCompile(t, text)
	m := NewMatcher(p, Options{})
	for i, kind := range []string{"a", "b", "a", "b"} {
		assert.Empty(t, m.Feed(&event.Event{ID: kind, Type: kind}, Position{Seq: uint64(i)}, time.Time{}, nil))
	}
	require.Len(t, m.Stopped(), 1)
	require.ErrorIs(t, m.Stopped()[0], engine.ErrMiss)
	require.EqualError(t, m.Stopped()[0], "rule r stopped: nothing to skip to")
	assert.Zero(t, m.Stats().Runs)

	m.Swap(p)
	assert.Len(t, m.Stopped(), 1, "the same version stays stopped")
	m.Swap(mustCompile(t, text+"  within: 1m\n"))
	assert.Empty(t, m.Stopped())
}

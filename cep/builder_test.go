package cep

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// What a Builder makes of rules one by one is what Compile makes of them all, for
// matching, plans, edits and the cache alike.
func TestBuilderIsCompile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules []*Rule
		one := NewBuilder()
		for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
			rules = append(rules, drawRule(t, fmt.Sprint("r", i)))
			one.Add(rules[i])
		}
		p, err := Compile(rules)
		require.NoError(t, err)
		q, err := one.Program()
		require.NoError(t, err)
		require.Equal(t, p.Digest(), q.Digest())
		require.Equal(t, p.Len(), q.Len())

		whole, built := NewMatcher(p, Options{}), NewMatcher(q, Options{})
		var want, got []string
		for i, f := range drawFed(t, 20) {
			pos := Position{Seq: uint64(i)}
			for _, m := range whole.Feed(f.ev, pos, f.at, nil) {
				want = append(want, string(m.AppendJSON(nil)))
			}
			for _, m := range built.Feed(f.ev, pos, f.at, nil) {
				got = append(got, string(m.AppendJSON(nil)))
			}
			if rapid.IntRange(0, 5).Draw(t, "edit") == 0 {
				put := []*Rule{drawRule(t, "r1")}
				p, err = p.Update(append(put, rules[:min(1, len(rules))]...))
				require.NoError(t, err)
				q, err = q.Update(append(put, rules[:min(1, len(rules))]...))
				require.NoError(t, err)
				require.Equal(t, whole.Swap(p), built.Swap(q))
			}
		}
		require.Equal(t, want, got)
		for _, r := range p.Rules() {
			a, runs := p.Plan(r.Name)
			b, ok := q.Plan(r.Name)
			require.Equal(t, runs, ok)
			require.Equal(t, a, b)
			again, _ := q.Rule(r.Name)
			require.Equal(t, r, again)
		}
	})
}

const builderRules = `
rule: bare
description: one condition
when: type == "x" && data.n > 3
---
rule: "quoted-\x41"
when: type == "x"
---
rule: off
mode: off
when: type == "y"
---
rule: two
when: {pattern: a then b, define: {a: type == "x", b: type == "y"}}
`

// Bare rules are let go of, and are the same when somebody asks for them.
func TestBuilderKeepsTheTextsOfBareRules(t *testing.T) {
	b := NewBuilder()
	rules := parsed(t, builderRules)
	for _, r := range rules {
		b.Add(r)
	}
	p, err := b.Program()
	require.NoError(t, err)
	var kept []string
	p.eachEntry(func(e *entry) {
		if e.rule != nil {
			kept = append(kept, e.name())
		}
	})
	assert.Equal(t, []string{"two"}, kept)
	for _, want := range rules {
		got, ok := p.Rule(want.Name)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	ev := event.Event{Type: "x", Data: []byte(`{"n":5}`)}
	assert.Len(t, NewMatcher(p, Options{}).Feed(&ev, Position{}, time.Unix(0, 0), nil), 2)
	stored, ok := p.AppendCache(nil, "key")
	require.True(t, ok)
	q, err := LoadProgram(stored, "key")
	require.NoError(t, err)
	assert.Equal(t, p.Digest(), q.Digest())
}

// Problems are told in the order they were met, whoever met them.
func TestBuilderTellsEveryProblem(t *testing.T) {
	b := NewBuilder()
	source := syntax.Source{File: "r.yaml", Line: 1, Text: `rule: a
when: data.x +
---
rule: b
wen: x
---
rule: c
when: type == "x"
---
rule: c
when: type == "y"
`}
	for r, err := range source.Rules() {
		if several, ok := errors.AsType[yamldoc.Errors](err); ok {
			for _, e := range several {
				b.Problem(e)
			}
			continue
		}
		require.NoError(t, err)
		b.Add(r)
	}
	assert.Equal(t, 4, b.Problems())
	_, err := b.Program()
	var several yamldoc.Errors
	require.ErrorAs(t, err, &several)
	var texts []string
	for _, e := range several {
		texts = append(texts, fmt.Sprintf("%s %s %s", e.Pos, e.Key, e.Code))
	}
	assert.Equal(t, []string{
		"r.yaml:2:15  cel-syntax", "r.yaml:4:1 when rule-required", "r.yaml:5:1 wen rule-key", "r.yaml:10:1 rule rule-duplicate",
	}, texts)
	require.ErrorContains(t, err, "c is also the name of the rule at r.yaml:7:1")
}

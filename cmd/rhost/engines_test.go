package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// engineRules are rules and the engine that each gets: the rest of `when`, with
// elements a, b, c and d that are events of these types.
func engineRules() [][2]string {
	return [][2]string{
		{"stateless", `condition: type == "a"`},
		{"stateless", `condition: type == "a" && data.n > 5, by: data.k`},
		{"stateless", `pattern: a`},
		{"dfa", `pattern: a then b`},
		{"dfa", `pattern: a next b`},
		{"dfa", `pattern: a then b then c, within: 1m`},
		{"dfa", `pattern: 'a{5,} then b', by: data.ip, within: 2m`},
		{"dfa", `pattern: a then not b then c`},
		{"dfa", `pattern: a then not b, within: 10m`},
		{"dfa", `pattern: a next not b`},
		{"dfa", `pattern: a? then b`},
		{"dfa", `pattern: 'a{2,4} then b'`},
		{"dfa", `pattern: a+ next b`},
		{"dfa", `pattern: a | b then c`},
		{"dfa", `pattern: a then b, skip: none`},
		{"dfa", `pattern: a then b, on_timeout: emit, within: 1m`},
		{"dfa", `pattern: a then b, emit: ordered`},
		{"dfa", `pattern: 'a{3}', by: [data.k, data.n]`},
		{"dfa", `pattern: a then b, limit: {runs: 5, full: drop-oldest}`},
		{"cea", `pattern: a then any b`},
		{"cea", `pattern: a then any b then any c then any d, skip: none, within: 1h`},
		{"cea", `pattern: a then b+, skip: none`},
		{"cea", `pattern: a & b`},
		{"cea", `pattern: 'a & b & c then d', within: 5m`},
		{"cea", `pattern: (a then b) | (c then d)`},
		{"cea", `pattern: '(a then b){2,}'`},
		{"cea", `pattern: a then any b, skip: {to-last: b}`},
		{"cea", `pattern: a then any b, emit: ordered, skip: none`},
		{"cea", `pattern: 'a{1,} then b', define: {a: {where: 'type == "a"', repeat: any}, b: 'type == "b"'}`},
		{"cea", `pattern: 'a{1,} then b', define: {a: {where: 'type == "a"', greedy: true}, b: 'type == "b"'}`},
		{"nfa", `pattern: a then b, define: {a: 'type == "a"', b: 'type == "b" && data.k == a.data.k'}`},
		{"nfa", `pattern: 'a{3,} then b', define: {a: 'type == "a"', b: 'type == "b" && data.k == last(a).data.k'}`},
		{"nfa", `pattern: a+ then b, define: {a: 'type == "a" && sum(a.data.n) < 10', b: 'type == "b"'}`},
		{"nfa", `pattern: a then b, define: {a: 'type == "a"', b: {where: 'type == "b"', wait: 10s}}`},
		{"nfa", `pattern: a then b, within: {gap: 30s}`},
		{"nfa", `pattern: a then any b, on_timeout: emit, within: 1m`},
		{"nfa", `pattern: a then any b, emit: ordered`},
		{"window", `window: sliding 5m every 10s, let: {n: count()}`},
		{"window", `window: count 10, let: {m: max(data.n)}, by: data.k`},
		{"schedule", `schedule: "0 3 * * mon-fri"`},
		{"state", `state: data.n, above: 5, for: 1m`},
	}
}

// The compiler gives each rule the most frugal engine that can follow it; a change
// of this list is a change of what rules cost.
func TestEngines(t *testing.T) {
	rules := engineRules()
	require.GreaterOrEqual(t, len(rules), 40)
	file := filepath.Join(t.TempDir(), "rules.yaml")
	var text strings.Builder
	for i, r := range rules {
		when := r[1]
		if strings.HasPrefix(when, "pattern:") && !strings.Contains(when, "define:") {
			var define []string
			for _, name := range []string{"a", "b", "c", "d"} {
				if usesName(when, name) {
					define = append(define, fmt.Sprintf(`%s: 'type == "%s"'`, name, name))
				}
			}
			when += ", define: {" + strings.Join(define, ", ") + "}"
		}
		fmt.Fprintf(&text, "---\nrule: r%d\nwhen: {%s}\n", i, when)
	}
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	for i, r := range rules {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"explain", fmt.Sprint("r", i), "--rule", file, "--json"}, stdio{strings.NewReader(""), &out, &errs})
		require.Zero(t, code, "%s: %s", r[1], errs.String())
		var plan struct{ Engine, Why, Bound string }
		require.NoError(t, json.Unmarshal(out.Bytes(), &plan))
		assert.Equal(t, r[0], plan.Engine, "%s: %s", r[1], plan.Why)
		assert.NotEmpty(t, plan.Why)
		assert.NotEmpty(t, plan.Bound)
	}
}

// usesName reports whether a pattern names an element of one letter.
func usesName(pattern, name string) bool {
	return slices.Contains(strings.FieldsFunc(pattern, func(c rune) bool { return strings.ContainsRune(" '(){}+?*|&,0123456789:", c) }), name)
}

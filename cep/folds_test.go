package cep

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
)

// listing compiles for the engine nfa without telling it what conditions ask of
// bound events: they are listed, and read again, each time.
func listing(steps []engine.Step, tr engine.Traits, pol engine.Policy) (engine.Engine, error) {
	tr.Folds, tr.Fields = nil, nil
	return nfa(steps, tr, pol)
}

// askingRule writes a rule whose conditions ask of what loops have bound.
func askingRule(r *rand.Rand) string {
	shape := pick(r, "a+ then b", "a{3,} then b", "a* then b then c", "a then b+ then c", "a+ then b+ then c?",
		"(a then b)+ then c", "a+ then (b | c)", "c? then a{2,20} then b", "(a & b){2,} then c")
	asks := []string{
		"count(%[1]s) < 4", "count(%[1]s) == 0 || data.n > 0", "sum(%[1]s.data.x) < 1.5", "sum(%[1]s.data.x) != 0.6",
		"avg(%[1]s.data.x) > data.x", "avg(%[1]s.data.x) != 0.2", "min(%[1]s.data.x) <= data.x", "max(%[1]s.data.x) > data.x",
		"max(%[1]s.data.x) != min(%[1]s.data.x)", "min(%[1]s.data.s) < data.s", "first(%[1]s).data.n == data.n",
		"last(%[1]s).data.n != data.n", "last(%[1]s).data.x <= data.x", "has(last(%[1]s).data.x)", "last(%[1]s).data.s == data.s",
		"last(%[1]s).data.n == data.n", "%[1]s[1].data.n != data.n", "%[1]s.exists(e, e.data.n == data.n)",
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule: r\nwhen:\n  pattern: '%s'\n  define:\n", shape)
	for _, e := range []string{"a", "b", "c"} {
		cond := fmt.Sprintf("type == %q", e)
		if r.IntN(4) > 0 {
			cond += " && (" + fmt.Sprintf(pick(r, asks...), pick(r, "a", "a", "b", "c", e)) + ")"
		}
		fmt.Fprintf(&b, "    %s: {where: '%s'%s}\n", e, cond, pick(r, "", "", "", "", ", repeat: next", ", repeat: any", ", greedy: true"))
	}
	fmt.Fprintf(&b, "  within: %ds\n  skip: %s\n  emit: %s\n",
		pick(r, 5, 60, 300), pick(r, "past-last", "past-last", "past-last", "none", "to-next"), pick(r, "immediate", "immediate", "immediate", "ordered"))
	if r.IntN(3) == 0 {
		b.WriteString("  by: data.k\n")
	}
	return b.String()
}

// askedEvents draws a log with stretches of one type, now and then with a field
// that is missing or of another kind.
func askedEvents(r *rand.Rand, n int) []fed {
	var list []fed
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	kind := "a"
	for i := range n {
		at = at.Add(time.Duration(pick(r, 0, 1, 1, 2)) * time.Second)
		if r.IntN(6) == 0 {
			kind = pick(r, "a", "a", "a", "b", "c")
		}
		x := pick(r, "0.1", "0.2", "0.3", "1e16", "-1e16", "-0.0", "0")
		if r.IntN(60) == 0 {
			x = pick(r, `"text"`, "null", "[1]")
		}
		data := fmt.Sprintf(`{"k":%d,"n":%d,"x":%s,"s":%q}`, r.IntN(2), r.IntN(3), x, pick(r, "p", "q", "r"))
		if r.IntN(60) == 0 {
			data = `{"k":1}`
		}
		list = append(list, fed{&event.Event{ID: fmt.Sprint("e", i), Source: "s", Type: kind, Data: []byte(data)}, at})
	}
	return list
}

// What is kept up to date while events are bound gives the same lines and counts as
// listing them, whatever happens between the events: snapshots, time moving on, runs
// that go on as later starts.
func TestFoldsAgreeWithLists(t *testing.T) {
	matches, folded, compiled := 0, 0, 0
	for seed := uint64(1); compiled < 150; seed++ {
		r := rand.New(rand.NewPCG(seed, 7))
		text := askingRule(r)
		rules, err := ParseRules("r.yaml", []byte(text))
		if err != nil {
			continue
		}
		if _, err := Compile(rules); err != nil {
			continue // it asks what its elements do not allow
		}
		base, err := forced(t, rules, listing)
		require.NoError(t, err)
		compiled++
		log := short(base, askedEvents(r, pick(r, 30, 60, 250)))
		want, counts := replay(t, base, log, nil)
		matches += len(want)
		ours, err := forced(t, rules, nfa)
		require.NoError(t, err)
		got, have := replay(t, ours, log, r)
		require.Equal(t, want, got, "seed %d: %s%s", seed, text, showLog(log))
		require.Equal(t, counts, have, "seed %d: %s", seed, text)
		if len(ours.places.at(0).plan.traits().Folds) > 0 {
			folded++
		}
	}
	t.Logf("%d rules, %d of them with folds, %d matches", compiled, folded, matches)
	require.Greater(t, folded, compiled/2)
	require.Greater(t, matches, compiled)
}

package cep

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
)

// besides are rules that are no patterns.
const besides = `
---
rule: sums
when: {window: tumbling 5s, where: 'type == "a"', by: data.k, let: {n: count()}, having: n > 1}
---
rule: all-sums
when: {window: tumbling 5s, where: 'type == "a"', let: {n: count()}, having: n > 1}
---
rule: steady
when: {state: data.n, above: 0, for: 3s, by: data.k}
---
rule: hourly
when: {schedule: "@every 10s"}
---
rule: bare
when: data.n == 2
---
rule: keyed-bare
when: {condition: data.n == 1, by: data.n}
`

// spread is the matchers of a tenant whose events are spread over lanes.
type spread struct {
	lanes []*Matcher
	rest  *Matcher
}

func spreadOver(p *Program, n int, by event.Path) *spread {
	s := &spread{rest: NewMatcher(p, Options{Tenant: "t", Part: Part{By: by, Rest: true}})}
	for range n {
		s.lanes = append(s.lanes, NewMatcher(p, Options{Tenant: "t", Part: Part{By: by}}))
	}
	return s
}

// all are the matchers, that of the rest last.
func (s *spread) all() []*Matcher { return append(slices.Clone(s.lanes), s.rest) }

// feed shows an event to the lane of its key, and to the rest if that lane says so.
func (s *spread) feed(f fed, pos Position) (ms []Match, forwarded bool) {
	for _, m := range s.all() {
		ms = m.Advance(f.at, pos, ms)
	}
	lane := 0
	if k := f.ev.Get(mustPath("data.k")); k.Kind() != event.Missing {
		lane = int(k.Number()) % len(s.lanes)
	}
	ms = s.lanes[lane].Feed(f.ev, pos, f.at, ms)
	if s.lanes[lane].Forward() {
		return s.rest.Feed(f.ev, pos, f.at, ms), true
	}
	return ms, false
}

// restore makes the matchers go on from snapshots.
func (s *spread) restore(t *testing.T, programs ...*Program) {
	t.Helper()
	again := func(m *Matcher) *Matcher {
		m, err := RestoreMatcher(m.prog, m.opt, m.AppendSnapshot(nil), programs...)
		require.NoError(t, err)
		return m
	}
	for i, m := range s.lanes {
		s.lanes[i] = again(m)
	}
	s.rest = again(s.rest)
}

func mustPath(s string) event.Path {
	p, err := event.ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}

func sortedLines(ms []Match) []string {
	lines := make([]string, 0, len(ms))
	for i := range ms {
		lines = append(lines, string(ms[i].AppendJSON(nil)))
	}
	slices.Sort(lines)
	return lines
}

// Rules find on several lanes what they find on one, whatever they go by, also when
// they change on the way.
func TestLanesChangeNothing(t *testing.T) {
	steps := 5_000
	if os.Getenv("RHOST_SOAK") != "" {
		steps = 1_000_000
	}
	matches, local, forwarded, fedTo := 0, 0, 0, 0
	for seed := uint64(1); steps > 0; seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		p, text := drawnProgram(t, r)
		other, _ := drawnProgram(t, r)
		log := randomEvents(r, 10+r.IntN(40))
		whole := NewMatcher(p, Options{Tenant: "t"})
		parts := spreadOver(p, 1+r.IntN(3), mustPath("data.k"))
		change := r.IntN(2 * len(log))
		for i, f := range log {
			if i == change {
				whole.Swap(other)
				for _, m := range parts.all() {
					m.Swap(other)
				}
			}
			if r.IntN(8) == 0 {
				parts.restore(t, other, p)
			}
			pos := Position{Lane: 1, Seq: uint64(i)}
			want := whole.Feed(f.ev, pos, f.at, nil)
			got, sent := parts.feed(f, pos)
			if w, g := sortedLines(want), sortedLines(got); !slices.Equal(w, g) {
				require.Fail(t, "lanes differ from one", "seed %d, change %d, event %d: %d matches, want %d\n%s%s", seed, change, i, len(g), len(w), text, showLog(log))
			}
			matches += len(want)
			fedTo++
			if sent {
				forwarded++
			}
			if whole.Stats().Runs > 500 {
				break // before the bounds of engines take effect, which each lane has of its own
			}
		}
		for _, m := range parts.lanes {
			local += int(m.Stats().Matches)
		}
		steps -= len(log)
	}
	t.Logf("%d matches, %d of them on the lane of their events; %d of %d events forwarded", matches, local, forwarded, fedTo)
	assert.Positive(t, local)
	assert.Less(t, local, matches)
	assert.Positive(t, forwarded)
}

// drawnProgram compiles a few rules, some keyed by data.k and some not.
func drawnProgram(t *testing.T, r *rand.Rand) (*Program, string) {
	t.Helper()
	var b strings.Builder
	for n := 0; n < 4; {
		one := strings.Replace(randomRule(r), "rule: r\n", fmt.Sprintf("rule: r%d\n", n), 1)
		rules, err := ParseRules("r.yaml", []byte(one))
		if err != nil {
			continue
		}
		if _, err := Compile(rules); err != nil || strings.Contains(one, "limit:") {
			continue // a limit is per rule and key: what the bound lets go differs by lane only without a key
		}
		if n > 0 {
			b.WriteString("---\n")
		}
		b.WriteString(one)
		n++
	}
	b.WriteString(besides)
	rules, err := ParseRules("r.yaml", []byte(b.String()))
	require.NoError(t, err, b.String())
	p, err := Compile(rules)
	require.NoError(t, err)
	return p, b.String()
}

func TestPlacement(t *testing.T) {
	rules, err := ParseRules("r.yaml", []byte(`rule: ip
when: {pattern: a then b, define: {a: 'type == "a"', b: 'type == "b"'}, by: [data.user, data.ip], within: 1m}
---
rule: user
when: {pattern: a then b, define: {a: 'type == "a"', b: 'type == "b"'}, by: data.user, within: 1m}
---
rule: off
mode: off
when: {pattern: a then b, define: {a: 'type == "a"', b: 'type == "b"'}, by: data.user, within: 1m}
`+besides))
	require.NoError(t, err)
	p, err := Compile(rules)
	require.NoError(t, err)
	for name, want := range map[string]Placement{
		"ip": OnLane, "user": Rekeyed, "bare": OnLane, "keyed-bare": OnLane, "hourly": Rekeyed, "sums": Rekeyed, "off": OnLane,
	} {
		got, ok := p.Placement(name, mustPath("data.ip"))
		assert.True(t, ok, name)
		assert.Equal(t, want, got, name)
		got, _ = p.Placement(name, event.Path{})
		assert.Equal(t, OnLane, got, "%s, without lanes", name)
	}
	_, ok := p.Placement("none", mustPath("data.ip"))
	assert.False(t, ok)
}

// The numbers of lanes are on disk.
func TestLaneOf(t *testing.T) {
	for _, c := range []struct {
		json string
		want uint32
	}{
		{`"10.0.0.1"`, 3}, {`"10.0.0.2"`, 2}, {`1`, 2}, {`1.0`, 2}, {`true`, 3}, {`null`, 3}, {`["a"]`, 4},
	} {
		ev := event.Event{Data: []byte(`{"k":` + c.json + `}`)}
		assert.Equal(t, c.want, LaneOf(ev.Get(mustPath("data.k")), 8), c.json)
		assert.Zero(t, LaneOf(ev.Get(mustPath("data.k")), 1))
		assert.Zero(t, LaneOf(ev.Get(mustPath("data.other")), 8))
	}
}

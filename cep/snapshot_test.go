package cep

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/event"
)

// snapshotRules have something of everything a matcher can hold.
const snapshotRules = `
rule: brute-force
when:
  pattern: fail{3,} then ok
  define: {fail: type == "fail", ok: type == "ok" && data.user == last(fail).data.user}
  by: data.ip
  within: 10s
---
rule: quiet
when:
  pattern: up then not down
  define: {up: type == "ok", down: type == "fail"}
  by: data.ip
  within: 4s
---
rule: pairs
when:
  pattern: a then b
  define: {a: type == "fail", b: type == "fail" && data.user == a.data.user}
  skip: none
  emit: ordered
  within: 6s
  on_timeout: emit
  limit: {runs: 3, full: drop-oldest}
---
rule: single
when: type == "ok" && data.user == "u0"
`

type fed struct {
	ev *event.Event
	at time.Time
}

func drawFed(t *rapid.T, n int) []fed {
	var list []fed
	at := time.Unix(0, 0).UTC()
	for i := range rapid.IntRange(1, n).Draw(t, "events") {
		at = at.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "gap")) * time.Second)
		list = append(list, fed{&event.Event{
			ID: fmt.Sprint("e", i), Source: "s", Type: rapid.SampledFrom([]string{"fail", "fail", "ok", "other"}).Draw(t, "type"),
			Data: fmt.Appendf(nil, `{"ip":%d,"user":"u%d"}`, rapid.IntRange(0, 1).Draw(t, "ip"), rapid.IntRange(0, 1).Draw(t, "user")),
		}, at})
	}
	return list
}

func mustCompile(t require.TestingT, text string) *Program {
	rules, err := ParseRules("r.yaml", []byte(text))
	require.NoError(t, err)
	p, err := Compile(rules)
	require.NoError(t, err)
	return p
}

// A matcher that is written and read between any two events, and has rules changed
// under it, goes on as if nothing had happened.
func TestSnapshotAnywhere(t *testing.T) {
	was := mustCompile(t, snapshotRules)
	now := mustCompile(t, strings.Replace(snapshotRules, "fail{3,}", "fail{2,}", 1))
	rapid.Check(t, func(t *rapid.T) {
		kept, moved := NewMatcher(was, Options{}), NewMatcher(was, Options{})
		cur := was
		var want, got []string
		add := func(list []string, ms []Match) []string {
			for i := range ms {
				list = append(list, string(ms[i].AppendJSON(nil)))
			}
			return list
		}
		for i, f := range drawFed(t, 24) {
			pos := Position{Seq: uint64(i)}
			want, got = add(want, kept.Feed(f.ev, pos, f.at, nil)), add(got, moved.Feed(f.ev, pos, f.at, nil))
			switch rapid.IntRange(0, 7).Draw(t, "then") {
			case 0, 1, 2:
				b := moved.AppendSnapshot(nil)
				again, err := RestoreMatcher(cur, Options{}, b, was, now)
				require.NoError(t, err)
				require.Equal(t, b, again.AppendSnapshot(nil))
				moved = again
			case 3:
				cur = map[*Program]*Program{was: now, now: was}[cur]
				kept.Swap(cur)
				moved.Swap(cur)
			}
		}
		end := time.Unix(100, 0)
		want, got = add(want, kept.Advance(end, Position{}, nil)), add(got, moved.Advance(end, Position{}, nil))
		require.Equal(t, want, got)
		require.Equal(t, counted(kept), counted(moved))
	})
}

// counted is what a matcher counts, without how much room it happens to take.
func counted(m *Matcher) Stats {
	s := m.Stats()
	for i := range s.Rules {
		s.Rules[i].Bytes = 0
	}
	return s
}

func TestRestoreRefuses(t *testing.T) {
	p := mustCompile(t, snapshotRules)
	other := mustCompile(t, strings.Replace(snapshotRules, "fail{3,}", "fail{2,}", 1))
	m := NewMatcher(p, Options{})
	for i := range 3 {
		m.Feed(&event.Event{ID: "e", Type: "fail", Data: []byte(`{"ip":1,"user":"u"}`)}, Position{Seq: uint64(i)}, time.Unix(int64(i), 0), nil)
	}
	b := m.AppendSnapshot(nil)
	_, err := RestoreMatcher(other, Options{}, b)
	require.ErrorContains(t, err, "the snapshot is of other rules")
	for i := range b {
		broken := append([]byte(nil), b...)
		broken[i] ^= 1
		_, err := RestoreMatcher(p, Options{}, broken)
		require.ErrorIs(t, err, ErrSnapshot, "byte %d", i)
		_, err = RestoreMatcher(p, Options{}, b[:i])
		require.ErrorIs(t, err, ErrSnapshot, "%d bytes", i)
	}

	m.Swap(other)
	require.NotEmpty(t, m.draining)
	b = m.AppendSnapshot(nil)
	_, err = RestoreMatcher(other, Options{}, b)
	require.ErrorContains(t, err, "rule brute-force was changed while it had partial matches open")
	again, err := RestoreMatcher(other, Options{}, b, p)
	require.NoError(t, err)
	assert.Equal(t, counted(m), counted(again))
}

// goldenRules hold something of every engine.
const goldenRules = snapshotRules + `
---
rule: combinations
when: {pattern: a then any b then any c, define: {a: type == "fail", b: type == "ok", c: type == "other"}, skip: none, within: 1m, by: data.ip}
---
rule: mean
when: {window: sliding 10s every 5s, by: data.ip, let: {n: count(), users: distinct(data.user)}}
---
rule: clock
when: {schedule: "@every 20s", missed: all}
---
rule: stuck
when: {state: data.ip, above: 0, for: 30s}
---
rule: alike
when: {pattern: "a then b then c", define: {a: type == "fail", b: type == "fail" && data.user != a.data.user, c: type == "ok" && data.ip == a.data.ip}}
---
rule: alike-too
when: {pattern: "a then b then c", define: {a: type == "fail", b: type == "fail" && data.user != a.data.user, c: type == "other" && data.ip == a.data.ip}}
`

const goldenSnapshot = "testdata/snapshot-v1.hex"

// Snapshots of earlier releases can still be read. When the form changes, the
// version goes up, a new file joins this one, and this one stays readable.
func TestSnapshotGolden(t *testing.T) {
	p := mustCompile(t, goldenRules)
	feed := func(m *Matcher, from, to int) (got []string) {
		for i := from; i < to; i++ {
			ev := &event.Event{
				ID: fmt.Sprint("e", i), Source: "s", Type: []string{"fail", "fail", "ok", "other"}[i%4],
				Data: fmt.Appendf(nil, `{"ip":%d,"user":"u%d"}`, i%3, i%2),
			}
			for _, match := range m.Feed(ev, Position{Lane: 1, Seq: uint64(i)}, time.Unix(int64(1000+i*3), 0).UTC(), nil) {
				got = append(got, match.ID)
			}
		}
		return got
	}
	m := NewMatcher(p, Options{Tenant: "t"})
	feed(m, 0, 11)
	require.False(t, m.rules[8].family.trunk.state.Empty(), "rules share something")
	b := m.AppendSnapshot(nil)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(goldenSnapshot, []byte(hex.EncodeToString(b)), 0o644))
	}
	text, err := os.ReadFile(goldenSnapshot)
	require.NoError(t, err)
	golden, err := hex.DecodeString(string(text))
	require.NoError(t, err)
	assert.Equal(t, golden, b, "the form has changed; run with UPDATE_GOLDEN=1 after giving it a new version")
	again, err := RestoreMatcher(p, Options{Tenant: "t"}, golden)
	require.NoError(t, err)
	want := feed(m, 11, 40)
	require.NotEmpty(t, want)
	assert.Equal(t, want, feed(again, 11, 40))
}

package main

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep"
)

// A bucket holds what lies between its floor and the next, and is narrow.
func TestHistogramBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64Range(0, uint64(time.Hour)).Draw(t, "v")
		b := bucket(v)
		require.LessOrEqual(t, floor(b), v)
		require.Greater(t, floor(b+1), v)
		require.LessOrEqual(t, floor(b+1)-floor(b), 1+v/histogramSteps)
	})
}

func TestHistogramQuantiles(t *testing.T) {
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	assert.InEpsilon(t, 501.0, h.micros(0.5), 0.04)
	assert.InEpsilon(t, 991.0, h.micros(0.99), 0.04)
	assert.InEpsilon(t, 1e6/500.5, h.rate(), 0.001)
}

// What is compared does the same work: of each mix, ours and the counting
// algorithm find the rules that events were made for, and no others.
func TestMixesAgree(t *testing.T) {
	const rules = 300
	for _, m := range mixes() {
		t.Run(m.name, func(t *testing.T) {
			p, err := compileRules(rules, m.condition)
			require.NoError(t, err)
			count, err := newCounting(rules, m.condition)
			require.NoError(t, err)
			matcher := cep.NewMatcher(p, cep.Options{})
			r := rand.New(rand.NewPCG(1, 2))
			for i := -50; i < rules; i++ {
				events, err := parseLines([][]byte{m.line(i, r)})
				require.NoError(t, err)
				var want []int
				if i >= 0 {
					want = []int{i}
				}
				assert.ElementsMatch(t, want, count.match(&events[0]))
				var got []int
				for _, match := range matcher.Feed(&events[0], cep.Position{}, time.Time{}, nil) {
					place, err := ruleNumber(match.Rule.Name)
					require.NoError(t, err)
					got = append(got, place)
				}
				assert.Equal(t, want, got)
			}
		})
	}
}

func TestMatchSuiteAgrees(t *testing.T) {
	const rules = 500
	p, err := compileRules(rules, condition)
	require.NoError(t, err)
	count, err := newCounting(rules, condition)
	require.NoError(t, err)
	lines := eventLines(rules)
	require.NoError(t, agree(p, lines, count, newByType(rules)))
	require.Error(t, agree(p, lines, count, newByType(rules/2)), "rules that are missing are noticed")
}

func ruleNumber(name string) (int, error) { return strconv.Atoi(name[1:]) }

package window_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/event"
)

// over gives the last window of a sliding plan whose panes all hold some of the
// values, so that the result went through every kind of merge.
func over(t *testing.T, call string, values []event.Value) event.Value {
	t.Helper()
	p := compile(t, "sliding 7s every 1s", call)
	s := p.New()
	var results []window.Result
	for i, v := range values {
		at := time.Unix(100, 0).Add(7 * time.Second / time.Duration(len(values)) * time.Duration(i))
		results = p.Add(s, at, []event.Value{v}, uint64(i), results)
		if i%1000 == 999 {
			s = moved(t, p, s)
		}
	}
	results = p.Advance(s, time.Unix(107, 0), results)
	last := results[len(results)-1]
	require.Equal(t, len(values), last.N)
	return last.Values[0]
}

func TestQuantileAccuracy(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() float64{
		"log-normal": func() float64 { return math.Exp(rng.NormFloat64() * 2) },
		"both signs": func() float64 { return rng.NormFloat64() * 1e6 },
		"zeros":      func() float64 { return max(0, rng.NormFloat64()) },
		"tiny":       func() float64 { return rng.Float64() * 1e-300 },
		"huge":       func() float64 { return 1e308 + rng.Float64()*1e307 },
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{window.ExactQuantile, window.ExactQuantile + 1, 5000} {
				var values []event.Value
				var nums []float64
				for range n {
					f := draw()
					values, nums = append(values, event.NumberValue(f)), append(nums, f)
				}
				slices.Sort(nums)
				for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
					want, got := nums[int(q*float64(n-1))], over(t, fmt.Sprintf("quantile(data.x, %v)", q), values).Number()
					tolerance := math.Abs(want) * window.QuantileAccuracy * 1.0001
					if n <= window.ExactQuantile {
						tolerance = 0
					}
					assert.LessOrEqual(t, math.Abs(got-want), tolerance, "quantile %v of %d: want %v, got %v", q, n, want, got)
				}
			}
		})
	}
}

// Numbers further apart than 17 decades lose accuracy at the end that is closest
// to zero, and nowhere else.
func TestQuantileRange(t *testing.T) {
	var values []event.Value
	for i := range 600 {
		values = append(values, event.NumberValue(math.Pow(10, float64(i-300))))
	}
	top := over(t, "quantile(data.x, 0.99)", values).Number()
	assert.InEpsilon(t, math.Pow(10, 293), top, 0.011)
}

func TestDistinctAccuracy(t *testing.T) {
	for _, n := range []int{1, 9, 100, window.ExactDistinct, window.ExactDistinct + 1, 5000, 60_000} {
		var values []event.Value
		for i := range n {
			values = append(values, event.StringValue(fmt.Sprintf("user-%d", i)))
		}
		for i := range n {
			values = append(values, event.StringValue(fmt.Sprintf("user-%d", i)))
		}
		got := over(t, "distinct(data.x)", values).Number()
		if n <= window.ExactDistinct {
			assert.Equal(t, float64(n), got)
		} else {
			assert.InEpsilon(t, float64(n), got, 0.03)
		}
	}
}

// Values are the same when they are equal, however they are spelled.
func TestEqualValues(t *testing.T) {
	var values []event.Value
	for _, text := range []string{
		`1`, `1.0`, `10e-1`, `0`, `-0`, `"1"`, `true`, `[1,2]`, `[ 1, 2.0 ]`, `{"a":1,"b":[]}`, `{"b": [], "a": 1}`, `"a"`, `"\u0061"`, `null`,
	} {
		values = append(values, event.RawValue([]byte(text)))
	}
	values = append(values, event.TimeValue(time.Unix(0, 0)), event.TimeValue(time.Unix(0, 1)), event.Value{})
	assert.Equal(t, 9.0, over(t, "distinct(data.x)", values).Number())
	assert.JSONEq(t, `[{"value":1,"count":3},{"value":0,"count":2},{"value":"a","count":2},{"value":[1,2],"count":2},{"value":{"a":1,"b":[]},"count":2}]`,
		over(t, "topk(data.x, 5)", values).String())
	assert.JSONEq(t, `[{"value":1,"count":3},{"value":0,"count":2},{"value":"a","count":2},{"value":[1,2],"count":2},{"value":{"a":1,"b":[]},"count":2},
		{"value":true,"count":1},{"value":"1","count":1},{"value":"1970-01-01T00:00:00Z","count":1},{"value":"1970-01-01T00:00:00.000000001Z","count":1}]`,
		over(t, "topk(data.x, 9)", slices.Concat(values[5:], values[:5])).String())
}

// Of many more values than counters, the frequent ones are found, no count is too
// low, and each says how much too high it may be.
func TestTopAccuracy(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	zipf := rand.NewZipf(rng, 1.2, 1, 1e6)
	came := make(map[float64]int)
	var values []event.Value
	for range 50_000 {
		n := float64(zipf.Uint64())
		came[n]++
		values = append(values, event.NumberValue(n))
	}
	type entry struct {
		Value        float64
		Count, Error int
	}
	var got []entry
	require.NoError(t, json.Unmarshal(over(t, "topk(data.x, 10)", values).Raw(), &got))
	require.Len(t, got, 10)
	for i, e := range got {
		assert.Equal(t, float64(i), e.Value, "the %d-th most frequent", i)
		assert.GreaterOrEqual(t, e.Count, came[e.Value])
		assert.LessOrEqual(t, e.Count-e.Error, came[e.Value])
		assert.LessOrEqual(t, e.Error, 2*50_000/80)
	}
}

func TestExamples(t *testing.T) {
	p := compile(t, "tumbling 10s",
		"sum(data.x)", "avg(data.x)", "stddev(data.x)", "slope(data.x)", "rate()", "rate(data.x)", "delta(data.x)", "min(data.x)", "max(data.x)", "count(data.x)", "first(data.x)")
	s := p.New()
	for i, text := range []string{`"n/a"`, `2`, `4`, `null`, `9`} {
		p.Add(s, time.Unix(int64(i), 0), []event.Value{event.RawValue([]byte(text))}, 0, nil)
	}
	r := p.Advance(s, time.Unix(10, 0), nil)[0]
	var got []string
	for _, v := range r.Values {
		got = append(got, v.String())
	}
	assert.Equal(t, []string{"15", "5", "3.605551275463989", "2.3571428571428577", "0.5", "2.3333333333333335", "7", "2", "9", "4", "n/a"}, got)
	assert.Equal(t, 1, r.Ignored, "the text, once")
	assert.Equal(t, 5, r.N)
}

// Rounding errors do not add up: a large number that came and went leaves none.
func TestPrecision(t *testing.T) {
	var values []event.Value
	for _, f := range []float64{1e16, 1, -1e16, 1, 1e-3, 1e100, -1e100} {
		values = append(values, event.NumberValue(f))
	}
	assert.InDelta(t, 2.001, over(t, "sum(data.x)", values[:5]).Number(), 1e-12)
	var far []event.Value
	for i := range 1000 {
		far = append(far, event.NumberValue(1e12+float64(i%2)))
	}
	assert.InEpsilon(t, 0.50025, over(t, "stddev(data.x)", far).Number(), 1e-4)
	assert.Equal(t, event.Missing, over(t, "sum(data.x)", []event.Value{event.NumberValue(1.7e308), event.NumberValue(1.7e308)}).Kind(), "beyond a double")
}

// The most that hostile values can make a key hold is what Bound says.
func TestBound(t *testing.T) {
	p := compile(t, "sliding 9s every 2s",
		"quantile(data.x, 0.5)", "distinct(data.x)", "topk(data.x, 10)", "min(data.x)", "last(data.x)", "corr(data.x, data.y)")
	bound, text := p.Bound()
	assert.Equal(t, "9 panes of at most 589 KiB, 7665 KiB a key", text)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s := p.New()
	long := strings.Repeat("x", window.MaxValue-8)
	for sec := range 12 {
		at := time.Unix(int64(sec), 0)
		for i := range 3000 {
			v := event.NumberValue(math.Pow(1.02, float64(i-1500)) * float64(1-i%2*2))
			if i%3 == 0 {
				v = event.StringValue(fmt.Sprintf("%s%8d", long, i))
			}
			p.Add(s, at, []event.Value{v, v}, 0, nil)
		}
	}
	held := heap() - before
	assert.Less(t, held, bound)
	assert.Greater(t, held, bound/20, "the test does fill the state")
	assert.Less(t, int64(len(p.AppendState(nil, s))), bound)
	runtime.KeepAlive(s)
}

// An event costs no allocation once a key is warm.
func TestNoAllocation(t *testing.T) {
	p := compile(t, "sliding 100s every 10s", "count()", "sum(data.x)", "quantile(data.x, 0.9)", "distinct(data.x)", "min(data.y)", "last(data.y)", "corr(data.x, data.x)", "slope(data.x)", "topk(data.y, 3)", "rate(data.x)")
	s := p.New()
	i := 0
	vs := []event.Value{event.NumberValue(1), event.StringValue("a text of some length")}
	add := func() {
		vs[0] = event.NumberValue(float64(i % 50))
		p.Add(s, time.Unix(0, int64(i)*1000), vs, uint64(i), nil)
		i++
	}
	for range 1000 {
		add()
	}
	assert.Zero(t, testing.AllocsPerRun(1000, add))
}

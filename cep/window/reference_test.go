package window_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/event"
)

// occurrence is an event as a window sees it.
type occurrence struct {
	at    time.Time
	x, y  event.Value
	order uint64
}

// reference keeps every event and works each window out anew, from definitions.
func reference(spec window.Spec, events []occurrence, until time.Time) []window.Result {
	var results []window.Result
	give := func(from, to time.Time, held []occurrence) {
		if len(held) > 0 && (spec.Kind == window.Count || !to.After(until)) {
			results = append(results, window.Result{From: from, To: to, N: len(held), First: held[0].order, Last: held[len(held)-1].order, Values: lets(held, to.Sub(from))})
		}
	}
	switch spec.Kind {
	case window.Count:
		for chunk := range slices.Chunk(events, spec.Count) {
			if len(chunk) == spec.Count {
				give(chunk[0].at, chunk[len(chunk)-1].at, chunk)
			}
		}
	case window.Session:
		for i := 0; i < len(events); {
			j := i + 1
			for j < len(events) && events[j].at.Sub(events[j-1].at) < spec.Size {
				j++
			}
			give(events[i].at, events[j-1].at.Add(spec.Size), events[i:j])
			i = j
		}
	default:
		slide := spec.Slide
		if spec.Kind == window.Tumbling {
			slide = spec.Size
		}
		starts := make(map[int64]bool)
		for _, ev := range events {
			n := ev.at.UnixNano()
			last := n - ((n%int64(slide))+int64(slide))%int64(slide)
			for from := last; from > n-int64(spec.Size); from -= int64(slide) {
				starts[from] = true
			}
		}
		var sorted []int64
		for from := range starts {
			sorted = append(sorted, from)
		}
		slices.Sort(sorted)
		for _, n := range sorted {
			from := time.Unix(0, n).UTC()
			to := from.Add(spec.Size)
			var held []occurrence
			for _, ev := range events {
				if !ev.at.Before(from) && ev.at.Before(to) {
					held = append(held, ev)
				}
			}
			give(from, to, held)
		}
	}
	return results
}

// allLets are the aggregates that lets works out.
func allLets() []window.Let {
	var list []window.Let
	for i, text := range []string{
		"count()", "count(data.x)", "sum(data.x)", "avg(data.x)", "min(data.x)", "max(data.x)",
		"quantile(data.x, 0)", "quantile(data.x, 0.5)", "quantile(data.x, 1)", "distinct(data.x)", "topk(data.x, 3)",
		"stddev(data.x)", "slope(data.x)", "rate()", "rate(data.x)", "delta(data.x)", "corr(data.x, data.y)", "first(data.x)", "last(data.x)",
	} {
		list = append(list, window.Let{Name: fmt.Sprintf("n%d", i), Text: text})
	}
	return list
}

func lets(held []occurrence, length time.Duration) []event.Value {
	var nums, at, px, py []float64
	var there []event.Value
	for _, ev := range held {
		if k := ev.x.Kind(); k != event.Missing && k != event.Null {
			there = append(there, ev.x)
		}
		if ev.x.Kind() == event.Number {
			nums, at = append(nums, ev.x.Number()), append(at, float64(ev.at.Sub(held[0].at))) // whole, unlike seconds
			if ev.y.Kind() == event.Number {
				px, py = append(px, ev.x.Number()), append(py, ev.y.Number())
			}
		}
	}
	n := float64(len(nums))
	var sum float64
	for _, x := range nums {
		sum += x
	}
	sorted := slices.Sorted(slices.Values(nums))
	quantile := func(p float64) event.Value {
		if n == 0 {
			return event.Value{}
		}
		return event.NumberValue(sorted[int(p*(n-1))])
	}
	when := func(ok bool, f float64) event.Value {
		if !ok {
			return event.Value{}
		}
		return event.NumberValue(f)
	}
	low, high := extremes(there)
	first, last := event.Value{}, event.Value{}
	if len(there) > 0 {
		first, last = there[0], there[len(there)-1]
	}
	delta, passed := 0.0, 0.0
	if n > 0 {
		delta, passed = nums[len(nums)-1]-nums[0], at[len(at)-1]-at[0]
	}
	distinct, top := frequencies(there)
	xx, _, _ := products(nums, nums)
	tt, tx, _ := products(at, nums)
	_, xy, yy := products(px, py)
	pxx, _, _ := products(px, px)
	return []event.Value{
		event.NumberValue(float64(len(held))), event.NumberValue(float64(len(there))), event.NumberValue(sum),
		when(n > 0, sum/n), low, high, quantile(0), quantile(0.5), quantile(1), distinct, top,
		when(n > 1, math.Sqrt(xx/(n-1))), when(tt > 0, tx/tt*1e9),
		when(length > 0, float64(len(held))/length.Seconds()), when(n > 1 && passed > 0, delta/passed*1e9), when(n > 0, delta),
		when(pxx > 0 && yy > 0, xy/math.Sqrt(pxx*yy)), first, last,
	}
}

// products are the sums of products of differences from the means.
func products(a, b []float64) (aa, ab, bb float64) {
	var ma, mb float64 // counted from the first, so that no digits are lost
	for i := range a {
		ma += (a[i] - a[0]) / float64(len(a))
		mb += (b[i] - b[0]) / float64(len(b))
	}
	for i := range a {
		da, db := a[i]-a[0]-ma, b[i]-b[0]-mb
		aa, ab, bb = aa+da*da, ab+da*db, bb+db*db
	}
	return aa, ab, bb
}

func extremes(there []event.Value) (low, high event.Value) {
	for _, kind := range []event.Kind{event.Number, event.Time, event.String, event.Bool} {
		for _, v := range there {
			if v.Kind() != kind {
				continue
			}
			if low.Kind() == event.Missing || order(v, low) < 0 {
				low = v
			}
			if high.Kind() == event.Missing || order(v, high) > 0 {
				high = v
			}
		}
		if low.Kind() != event.Missing {
			return low, high
		}
	}
	return low, high
}

// order compares values, those of different kinds by kind.
func order(a, b event.Value) int {
	truth := map[bool]int{true: 1}
	return cmp.Or(cmp.Compare(a.Kind(), b.Kind()), cmp.Compare(a.Number(), b.Number()), a.Time().Compare(b.Time()),
		cmp.Compare(a.Str(), b.Str()), cmp.Compare(truth[a.Bool()], truth[b.Bool()]), cmp.Compare(string(a.Raw()), string(b.Raw())))
}

func frequencies(there []event.Value) (distinct, top event.Value) {
	type entry struct {
		Value event.Value `json:"value"`
		Count int         `json:"count"`
	}
	var entries []entry
	for _, v := range there {
		i := slices.IndexFunc(entries, func(e entry) bool { return e.Value.Equal(v) })
		if i < 0 {
			i, entries = len(entries), append(entries, entry{Value: v})
		}
		entries[i].Count++
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Or(b.Count-a.Count, order(a.Value, b.Value)) })
	distinct = event.NumberValue(float64(len(entries)))
	if len(entries) == 0 {
		return distinct, event.RawValue([]byte("[]"))
	}
	return distinct, event.ValueOf(entries[:min(3, len(entries))])
}

// alike reports whether two aggregates are the same but for rounding.
func alike(want, got event.Value) bool {
	if want.Kind() != event.Number || got.Kind() != event.Number {
		return want.Equal(got)
	}
	a, b := want.Number(), got.Number()
	return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}

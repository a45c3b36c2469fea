package window

import (
	"cmp"
	"container/heap"
	"slices"
	"strconv"
	"time"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

// topBytes is the most memory that a counter takes: its key, its place in the map.
const topBytes = maxKey + 96

// counters gives how many counters topk(…, k) keeps. Of n values in one pane, a
// count is then too high by at most n / (8·k).
func counters(k int) int { return max(64, 8*k) }

// top keeps the most frequent values in a fixed number of counters: SpaceSaving
// (Metwally, Agrawal, El Abbadi, Efficient computation of frequent and top-k
// elements in data streams, ICDT 2005). While there are no more different values
// than counters, counts are exact. Beyond that a new value takes over the least
// counter, so that a count may be too high by what it took over, which is known.
// Merging is that of Agarwal and others, Mergeable summaries, PODS 2012.
//
// Counters are ordered by count and then by value, never by chance, so that the
// same events give the same counters.
type top struct {
	size  int
	floor uint64           // no value without a counter came more often
	heap  []counter        // the least first
	index map[string]int32 // where in heap a key is
	key   []byte           // room for a key
}

type counter struct {
	key   string
	count uint64 // at least as often as the value came
	over  uint64 // too high by at most this
}

// before orders counters: the first is the first to go.
func (c *counter) before(o *counter) bool {
	return c.count < o.count || c.count == o.count && c.key > o.key
}

func newTop(size int) *top {
	return &top{size: size, index: make(map[string]int32)}
}

func (t *top) add(v, _ *event.Value, _ time.Time) {
	if !isPresent(v) || !isShort(v) {
		return
	}
	t.key = appendKey(t.key[:0], v)
	if i, ok := t.index[string(t.key)]; ok {
		t.heap[i].count++
		heap.Fix(t, int(i))
		return
	}
	c := counter{key: string(t.key), count: 1}
	if len(t.heap) < t.size {
		c.count, c.over = c.count+t.floor, t.floor
		heap.Push(t, c)
		return
	}
	least := &t.heap[0]
	t.floor = max(t.floor, least.count)
	c.count, c.over = t.floor+1, t.floor
	delete(t.index, least.key)
	*least, t.index[c.key] = c, 0
	heap.Fix(t, 0)
}

func (t *top) merge(later cell) {
	o := as[*top](later)
	if len(o.heap) == 0 && o.floor == 0 {
		return
	}
	for i := range t.heap {
		c := &t.heap[i]
		if j, ok := o.index[c.key]; ok {
			c.count, c.over = c.count+o.heap[j].count, c.over+o.heap[j].over
		} else {
			c.count, c.over = c.count+o.floor, c.over+o.floor
		}
	}
	for _, c := range o.heap {
		if _, ok := t.index[c.key]; !ok {
			c.count, c.over = c.count+t.floor, c.over+t.floor
			t.heap = append(t.heap, c)
		}
	}
	t.floor += o.floor
	if len(t.heap) > t.size {
		slices.SortFunc(t.heap, byFrequency)
		t.floor = max(t.floor, t.heap[t.size].count)
		clear(t.heap[t.size:])
		t.heap = t.heap[:t.size]
	}
	t.order()
}

// order makes a heap of the counters, and finds them all again.
func (t *top) order() {
	clear(t.index)
	for i := range t.heap {
		t.index[t.heap[i].key] = int32(i)
	}
	heap.Init(t)
}

func byFrequency(a, b counter) int {
	return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.key, b.key))
}

// list gives the k most frequent values, as
// [{"value": "ann", "count": 3}, …]. A count that may be too high also says by
// how much: "error": 1.
func (t *top) list(k int) event.Value {
	sorted := slices.SortedFunc(slices.Values(t.heap), byFrequency)
	b := []byte{'['}
	for i, c := range sorted[:min(k, len(sorted))] {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"value":`...)
		b = appendKeyJSON(b, c.key)
		b = strconv.AppendUint(append(b, `,"count":`...), c.count, 10)
		if c.over > 0 {
			b = strconv.AppendUint(append(b, `,"error":`...), c.over, 10)
		}
		b = append(b, '}')
	}
	return event.RawValue(append(b, ']'))
}

func (t *top) reset() {
	clear(t.heap)
	clear(t.index)
	t.heap, t.floor = t.heap[:0], 0
}

func (t *top) append(dst []byte) []byte {
	dst = codec.AppendUint(codec.AppendUint(dst, t.floor), uint64(len(t.heap)))
	for _, c := range slices.SortedFunc(slices.Values(t.heap), byFrequency) {
		dst = codec.AppendText(dst, c.key)
		dst = codec.AppendUint(codec.AppendUint(dst, c.count), c.over)
	}
	return dst
}

func (t *top) restore(r *codec.Reader) {
	t.floor = uint64(r.Int(maxEvents))
	for range r.Len(t.size) {
		c := counter{key: readKey(r), count: uint64(r.Int(maxEvents)), over: uint64(r.Int(maxEvents))}
		if n := len(t.heap); c.count <= c.over || n > 0 && byFrequency(t.heap[n-1], c) >= 0 {
			r.Fail("counters that cannot be")
			return
		}
		t.heap = append(t.heap, c)
	}
	t.order()
	r.Check(len(t.index) == len(t.heap), "a value that is counted twice")
}

// Len, Less, Swap, Push and Pop make top a heap for container/heap.
func (t *top) Len() int           { return len(t.heap) }
func (t *top) Less(i, j int) bool { return t.heap[i].before(&t.heap[j]) }

// Swap exchanges two counters.
func (t *top) Swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.index[t.heap[i].key], t.index[t.heap[j].key] = int32(i), int32(j)
}

// Push adds a counter.
func (t *top) Push(x any) {
	c := x.(counter) //nolint:errcheck,forcetypeassert // add pushes nothing else
	t.index[c.key] = int32(len(t.heap))
	t.heap = append(t.heap, c)
}

// Pop is part of heap.Interface; counters are replaced, not taken out.
func (t *top) Pop() any {
	c := t.heap[len(t.heap)-1]
	delete(t.index, c.key)
	t.heap = t.heap[:len(t.heap)-1]
	return c
}

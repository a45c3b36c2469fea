package notify_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/host/notify"
)

var morning = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func keepAll(k notify.Keep) func(string) (notify.Keep, bool) {
	return func(topic string) (notify.Keep, bool) { return k, topic != "fleeting" }
}

func message(topic string, i int) notify.Message {
	return notify.Message{Topic: topic, At: morning.Add(time.Duration(i) * time.Second), Payload: fmt.Appendf(nil, "%d", i)}
}

func add(h *notify.Histories, m notify.Message) (notify.Place, bool) {
	return h.Append(m, func() string { return "e" + string(m.Payload) })
}

func TestSince(t *testing.T) {
	h := notify.NewHistories(keepAll(notify.Keep{Count: 3, Age: time.Minute}))
	for i := 1; i <= 5; i++ {
		at, ok := add(h, message("t", i))
		require.True(t, ok)
		require.Equal(t, notify.Place{Epoch: "e1", Offset: uint64(i)}, at)
	}
	_, ok := add(h, message("fleeting", 1))
	assert.False(t, ok)
	h.Show("t", notify.Place{Epoch: "e1", Offset: 4})
	now := morning.Add(5 * time.Second)
	place := func(epoch string, n uint64) notify.Place { return notify.Place{Epoch: epoch, Offset: n} }
	for name, tt := range map[string]struct {
		from notify.Place
		now  time.Time
		want []uint64
		gap  *notify.Gap
		next notify.Place
	}{
		"all":              {place("", 0), now, []uint64{3, 4}, nil, place("e1", 4)},
		"what follows":     {place("e1", 3), now, []uint64{4}, nil, place("e1", 4)},
		"up to the window": {place("e1", 2), now, []uint64{3, 4}, nil, place("e1", 4)},
		"nothing":          {place("e1", 4), now, nil, nil, place("e1", 4)},
		"behind":           {place("e1", 0), now, []uint64{3, 4}, &notify.Gap{Epoch: "e1", From: 1, To: 2}, place("e1", 4)},
		"another epoch":    {place("e0", 9), now, []uint64{3, 4}, &notify.Gap{Epoch: "e1", To: 2}, place("e1", 4)},
		"ahead":            {place("e1", 7), now, []uint64{3, 4}, &notify.Gap{Epoch: "e1", To: 2}, place("e1", 4)},
		"too old":          {place("e1", 2), now.Add(time.Minute), nil, &notify.Gap{Epoch: "e1", From: 3, To: 4}, place("e1", 4)},
	} {
		list, gap, next, ok := h.Since("t", tt.from, tt.now)
		require.True(t, ok, name)
		var got []uint64
		for _, e := range list {
			got = append(got, e.Offset)
			assert.Equal(t, place("e1", e.Offset), e.Place)
			assert.Equal(t, fmt.Sprint(e.Offset), string(e.Payload))
		}
		assert.Equal(t, tt.want, got, name)
		assert.Equal(t, tt.gap, gap, name)
		assert.Equal(t, tt.next, next, name)
	}
	assert.Equal(t, place("e1", 4), h.End("t"))
	assert.Equal(t, notify.Place{}, h.End("other"))
	list, gap, next, ok := h.Since("other", place("", 0), now)
	assert.True(t, ok)
	assert.Empty(t, list)
	assert.Nil(t, gap)
	assert.Equal(t, notify.Place{}, next)
	_, _, _, ok = h.Since("fleeting", place("", 0), now)
	assert.False(t, ok)
}

func TestPlace(t *testing.T) {
	p, err := notify.ParsePlace("abc:17")
	require.NoError(t, err)
	assert.Equal(t, notify.Place{Epoch: "abc", Offset: 17}, p)
	assert.Equal(t, "abc:17", p.String())
	p, err = notify.ParsePlace("0")
	require.NoError(t, err)
	assert.Equal(t, notify.Place{}, p)
	for _, bad := range []string{"", "17", "abc", "abc:", ":1", "abc:-1", "abc:x", "abc:99999999999999999999"} {
		_, err := notify.ParsePlace(bad)
		assert.ErrorContains(t, err, "is no place in a topic", bad)
	}
}

// However often a fold is interrupted, and goes on from what was captured at some
// point, places and what is kept are those of a fold that never was; and a reader who
// says where it was gets all that followed, in order, or is told what it misses.
func TestHistoriesFoldAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keep := keepAll(notify.Keep{
			Count: rapid.IntRange(1, 6).Draw(t, "count"), Bytes: rapid.Int64Range(200, 2000).Draw(t, "bytes"), Age: 20 * time.Second,
		})
		whole, h := notify.NewHistories(keep), notify.NewHistories(keep)
		var log []notify.Message
		var places []notify.Place
		type capture struct {
			at     int
			topics []notify.Topic
		}
		captures := []capture{{}}
		topics := []string{"a", "b", "fleeting"}
		readers := make(map[string]notify.Place)
		folded := 0
		fold := func() {
			for ; folded < len(log); folded++ {
				at, _ := add(h, log[folded])
				assert.Equal(t, places[folded], at)
			}
		}
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				m := message(rapid.SampledFrom(topics).Draw(t, "topic"), len(log)+1)
				m.At = m.At.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "later")) * time.Second)
				log = append(log, m)
				at, _ := add(whole, m)
				places = append(places, at)
				if rapid.Bool().Draw(t, "committed") {
					fold()
					h.ShowAll()
				}
			case 2:
				fold()
				captures = append(captures, capture{folded, h.Capture()})
			case 3: // a crash, and a recovery from some snapshot
				c := rapid.SampledFrom(captures).Draw(t, "snapshot")
				h = notify.NewHistories(keep)
				h.Restore(c.topics)
				folded = c.at
				fold()
				h.ShowAll()
			case 4:
				topic := rapid.SampledFrom(topics[:2]).Draw(t, "read")
				from := readers[topic]
				list, gap, next, ok := h.Since(topic, from, morning)
				require.True(t, ok)
				readers[topic] = next
				want := from.Offset + 1
				if gap != nil {
					assert.Equal(t, want, gap.From)
					want = gap.To + 1
				}
				for i, e := range list {
					if from == (notify.Place{}) && i == 0 {
						want = e.Offset
					}
					assert.Equal(t, want, e.Offset)
					want++
				}
				if from != (notify.Place{}) || len(list) > 0 {
					assert.Equal(t, want-1, next.Offset)
				}
			}
		}
		fold()
		assert.Equal(t, whole.Capture(), h.Capture())
	})
}

// However many topics there are, and however much is in them, what is kept of all is
// bounded, and those that were quiet for longest go.
func TestHistoriesAreBounded(t *testing.T) {
	h := notify.NewHistories(keepAll(notify.Keep{Bytes: 16 << 20}))
	for i := range 3000 {
		m := message(fmt.Sprint("t", i), i)
		_, ok := add(h, m)
		require.True(t, ok)
	}
	list := h.Capture()
	assert.Len(t, list, 1000)
	for _, one := range list {
		assert.Greater(t, one.Used, uint64(2000))
	}
	big := make([]byte, 1<<20)
	for i := range 100 {
		m := message(fmt.Sprint("big", i%50), i)
		m.Payload = big
		h.Append(m, func() string { return "e" })
	}
	size := 0
	for _, one := range h.Capture() {
		for _, e := range one.Entries {
			size += len(e.Payload)
		}
	}
	assert.LessOrEqual(t, size, 64<<20)
	assert.Greater(t, size, 60<<20)
}

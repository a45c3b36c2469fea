package eventlog

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLanesAreMentioned: so that the newest frames tell where all lanes stand,
// each is named again before long, at a bounded cost for every frame.
func TestLanesAreMentioned(t *testing.T) {
	const quiet, frames = 500, 3 * mentionFrames
	l := newLanes()
	for i := range quiet {
		l.next(fmt.Sprintf("tenant-%d", i), 0)
	}
	l.settle(1, 1000)
	named := make(map[laneKey]uint64)
	for seq := uint64(2); seq < frames; seq++ {
		l.next("busy", 0)
		l.mentionStale(seq, mentionRoom)
		require.LessOrEqual(t, len(l.appendTable(nil)), mentionRoom+100)
		for _, m := range l.marks {
			if m.tenant != "busy" {
				require.Equal(t, uint64(1), m.base)
			}
			named[m.laneKey] = seq
		}
		l.settle(seq, 1000)
	}
	assert.Len(t, named, quiet+1)
	for key, seq := range named {
		assert.Greater(t, seq, uint64(frames-mentionFrames-quiet), "%v", key)
	}

	// Bytes count as well as frames.
	l.settle(frames, mentionBytes)
	l.mentionStale(frames+1, mentionRoom)
	assert.NotEmpty(t, l.marks)
}

func TestLanesRollBack(t *testing.T) {
	l := newLanes()
	_, seq := l.next("a", 1)
	assert.Equal(t, uint64(1), seq)
	l.settle(1, 100)
	l.next("a", 1)
	l.next("new", 1)
	entry, seq := l.next("a", 1)
	assert.Equal(t, 0, entry)
	assert.Equal(t, uint64(3), seq)
	l.rollBack()
	assert.Len(t, l.byKey, 1)
	assert.Equal(t, 1, l.order.Len())
	_, seq = l.next("a", 1)
	assert.Equal(t, uint64(2), seq)
	_, seq = l.next("new", 1)
	assert.Equal(t, uint64(1), seq)
}

func TestHistogram(t *testing.T) {
	for d := time.Duration(0); d < time.Hour; d = d*21/20 + time.Microsecond {
		end := bucketEnd(bucketOf(d))
		assert.Greater(t, end, d)
		assert.LessOrEqual(t, end, d+d/8+time.Microsecond)
	}
	var h histogram
	assert.Equal(t, Latency{}, h.latency())
	for i := range 1000 {
		h.observe(time.Duration(i) * time.Millisecond)
	}
	got := h.latency()
	assert.Equal(t, uint64(1000), got.Count)
	assert.Equal(t, 999*time.Millisecond, got.Max)
	assert.InDelta(t, 500, got.P50.Milliseconds(), 63)
	assert.InDelta(t, 990, got.P99.Milliseconds(), 124)
	h.observe(-time.Second)
	h.observe(100 * time.Hour)
	assert.Equal(t, 100*time.Hour, h.latency().Max)
}

func TestShardIsStable(t *testing.T) {
	assert.Equal(t, []int{5, 47, 48, 46}, []int{Shard("", 0), Shard("acme", 0), Shard("acme", 1), Shard("acme", 63)})
}

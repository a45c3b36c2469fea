package eventlog

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Stats are a log's figures. Counters start at zero when the log is opened.
type Stats struct {
	Queue      int   // commits not yet answered
	QueueLimit int   // how many of them make TryCommit refuse
	QueueBytes int64 // bytes they carry

	Frames     uint64 // stored in stream EV
	Records    uint64
	Bytes      uint64
	Duplicates uint64 // records answered as accepted before
	Refused    uint64 // TryCommit calls that found the queue full

	Commit Latency // from Commit to its answer
	Sync   Latency // from sending a frame to its acknowledgement

	RunFrames  uint64 // stored in stream RUN
	RunRecords uint64
	RunBytes   uint64
	RunSync    Latency // from Append to its return

	Tail     Position
	RunTail  uint64
	DiskFree int64 // bytes; 0 when the system does not tell
}

// Latency sums up a latency distribution. Quantiles are exact to an eighth.
type Latency struct {
	Count    uint64
	P50, P99 time.Duration
	Max      time.Duration
}

// counters are what Stats is made of. Any goroutine may count.
type counters struct {
	frames, records, bytes          atomic.Uint64
	duplicates, refused             atomic.Uint64
	runFrames, runRecords, runBytes atomic.Uint64
	commit, sync, runSync           histogram
}

func (c *counters) frame(h *header, took time.Duration) {
	c.frames.Add(1)
	c.records.Add(uint64(h.count))
	c.bytes.Add(uint64(h.length))
	c.sync.observe(took)
}

func (c *counters) runFrame(h *header, took time.Duration) {
	c.runFrames.Add(1)
	c.runRecords.Add(uint64(h.count))
	c.runBytes.Add(uint64(h.length))
	c.runSync.observe(took)
}

// Stats returns the log's figures. Those of one call may be taken a moment
// apart from each other.
func (l *Log) Stats() Stats {
	c := &l.count
	free, _ := l.free()
	count, bytes := l.committer.queue.length()
	return Stats{
		Queue: count, QueueLimit: l.cfg.MaxQueue, QueueBytes: bytes,
		Frames: c.frames.Load(), Records: c.records.Load(), Bytes: c.bytes.Load(),
		Duplicates: c.duplicates.Load(), Refused: c.refused.Load(),
		Commit: c.commit.latency(), Sync: c.sync.latency(),
		RunFrames: c.runFrames.Load(), RunRecords: c.runRecords.Load(), RunBytes: c.runBytes.Load(),
		RunSync: c.runSync.latency(),
		Tail:    l.Tail(), RunTail: l.run.Tail(), DiskFree: free,
	}
}

// A histogram counts durations in buckets that grow by an eighth of a power of
// two, from a microsecond to over an hour.
type histogram struct {
	buckets [histogramBuckets]atomic.Uint64
	max     atomic.Int64
}

const (
	subBits          = 3 // eighths
	histogramBuckets = 32 << subBits
)

func (h *histogram) observe(d time.Duration) {
	h.buckets[bucketOf(d)].Add(1)
	for old := h.max.Load(); int64(d) > old; old = h.max.Load() {
		if h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < 1<<subBits {
		return int(us)
	}
	exp := bits.Len64(us) - 1 - subBits
	return min((exp+1)<<subBits+int(us>>exp)&(1<<subBits-1), histogramBuckets-1)
}

// bucketEnd is the largest duration of a bucket.
func bucketEnd(i int) time.Duration {
	if i < 1<<subBits {
		return time.Duration(i+1) * time.Microsecond
	}
	exp := i>>subBits - 1
	return time.Duration((1<<subBits+i&(1<<subBits-1)+1)<<exp) * time.Microsecond
}

func (h *histogram) latency() Latency {
	var counts [histogramBuckets]uint64
	l := Latency{Max: time.Duration(h.max.Load())}
	for i := range counts {
		counts[i] = h.buckets[i].Load()
		l.Count += counts[i]
	}
	quantile := func(q float64) time.Duration {
		rank, sum := uint64(q*float64(l.Count)), uint64(0)
		for i, n := range counts {
			if sum += n; sum > rank {
				return min(bucketEnd(i), l.Max)
			}
		}
		return l.Max
	}
	l.P50, l.P99 = quantile(0.50), quantile(0.99)
	return l
}

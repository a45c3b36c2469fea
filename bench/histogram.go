package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets of about 3 %, so that single events can be
// measured without keeping their times: add allocates nothing.
type histogram struct {
	counts [64 * histogramSteps]uint64
	n      uint64
	sum    time.Duration
}

// histogramSteps is the number of buckets for each power of two.
const histogramSteps = 32

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.n++
	h.sum += d
}

// bucket is exact below histogramSteps; above, the highest six bits choose.
func bucket(v uint64) int {
	if v < histogramSteps {
		return int(v)
	}
	shift := bits.Len64(v) - 6
	return shift*histogramSteps + int(v>>shift)
}

// floor is the least duration in a bucket.
func floor(bucket int) uint64 {
	if bucket < 2*histogramSteps {
		return uint64(bucket)
	}
	shift := bucket/histogramSteps - 1
	return uint64(bucket-shift*histogramSteps) << shift
}

// micros gives a quantile in microseconds, as the end of its bucket: never less
// than what was measured.
func (h *histogram) micros(q float64) float64 {
	rank, seen := uint64(q*float64(h.n)), uint64(0)
	for i, c := range h.counts {
		if seen += c; seen > rank {
			return float64(floor(i+1)) / 1000
		}
	}
	return 0
}

// rate is how many such durations make a second.
func (h *histogram) rate() float64 {
	if h.sum <= 0 {
		return 0
	}
	return float64(h.n) / h.sum.Seconds()
}

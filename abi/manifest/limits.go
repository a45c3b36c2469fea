package manifest

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"time"
)

var sizeForm = regexp.MustCompile(`^([0-9]+)(B|KiB|MiB|GiB|kB|MB|GB)?$`)

func limitFields(l *Limits) []field {
	count := map[string]any{"type": "integer", "minimum": 1}
	size := map[string]any{"anyOf": []any{count, map[string]any{"type": "string", "pattern": sizePattern}}}
	whole := func(dst *int) func(*reader, []string, json.RawMessage) {
		return func(r *reader, at []string, raw json.RawMessage) { *dst = int(r.whole(at, raw)) }
	}
	return []field{
		{"fuel", false, count, func(r *reader, at []string, raw json.RawMessage) { l.Fuel = r.whole(at, raw) }},
		{"memory", false, size, func(r *reader, at []string, raw json.RawMessage) { l.Memory = r.size(at, raw) }},
		{"deadline", false, map[string]any{"type": "string", "pattern": durationPattern}, func(r *reader, at []string, raw json.RawMessage) {
			l.Deadline = r.duration(at, raw)
		}},
		{"stack", false, count, whole(&l.Stack)},
		{"host_calls", false, count, whole(&l.HostCalls)},
		{"output", false, size, func(r *reader, at []string, raw json.RawMessage) { l.Output = int(r.size(at, raw)) }},
		{"effects", false, count, whole(&l.Effects)},
		{"effect_bytes", false, size, func(r *reader, at []string, raw json.RawMessage) { l.EffectBytes = int(r.size(at, raw)) }},
	}
}

func readLimits(r *reader, at []string, raw json.RawMessage) {
	r.object(at, raw, limitFields(&r.m.Limits))
}

func limitsSchema() map[string]any {
	return objectSchema("of each call; they can only lower what the operator allows", limitFields(&Limits{}))
}

// whole reads a number of at least 1.
func (r *reader) whole(at []string, raw json.RawMessage) int64 {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < 1 {
		r.bad(at, "", "is no whole number above 0")
		return 0
	}
	return n
}

// size reads a number of bytes: 65536, "64KiB", "1MB".
func (r *reader) size(at []string, raw json.RawMessage) int64 {
	if len(raw) > 0 && raw[0] != '"' {
		return r.whole(at, raw)
	}
	text := r.text(at, raw)
	parts := sizeForm.FindStringSubmatch(text)
	if parts == nil {
		r.bad(at, `write a number of bytes, "64KiB" or "8MiB"`, "%q is no size", text)
		return 0
	}
	unit := map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 1e3, "MB": 1e6, "GB": 1e9}[parts[2]]
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		r.bad(at, "", "%q is no size above 0 that a number holds", text)
		return 0
	}
	return n * unit
}

func (r *reader) duration(at []string, raw json.RawMessage) time.Duration {
	text := r.text(at, raw)
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.bad(at, `write "50ms" or "1s"`, "%q is no time above 0", text)
		return 0
	}
	return d
}

package yamldoc

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size in bytes; in YAML a number with a unit: 512B, 64KiB, 32MiB,
// 2GiB (powers of 1024) or 10kB, 10MB, 1GB (powers of 1000).
type Bytes int64

// String writes the size with the largest unit that keeps it exact.
func (b Bytes) String() string {
	for _, u := range []struct {
		name string
		size Bytes
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// ParseBytes reads what Bytes takes in YAML. A number alone counts bytes.
func ParseBytes(s string) (Bytes, error) {
	n := strings.TrimRight(s, "BKMGTibkmgt ")
	var unit float64
	switch strings.TrimSpace(s[len(n):]) {
	case "", "B":
		unit = 1
	case "KiB":
		unit = 1 << 10
	case "MiB":
		unit = 1 << 20
	case "GiB":
		unit = 1 << 30
	case "TiB":
		unit = 1 << 40
	case "kB", "KB":
		unit = 1e3
	case "MB":
		unit = 1e6
	case "GB":
		unit = 1e9
	case "TB":
		unit = 1e12
	}
	f, ok := parseNumber(n)
	f *= unit
	if !ok || unit == 0 || f < 0 || f != math.Trunc(f) || f > 1<<53 {
		return 0, fmt.Errorf("%q is not a size such as 64KiB or 32MiB", s)
	}
	return Bytes(f), nil
}

// ParseDuration reads Go's durations (250ms, 1m30s) and whole days (7d), which
// may come before the rest (1d12h). A bare 0 is zero.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration such as 250ms, 1m30s or 7d", s)
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		days, rest = "0", s
	}
	n, err := strconv.ParseInt(days, 10, 32)
	if err != nil || n > math.MaxInt64/int64(24*time.Hour) || n < 0 {
		return 0, bad
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" && ok {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || ok && more < 0 || d+more < d && more > 0 {
		return 0, bad
	}
	return d + more, nil
}

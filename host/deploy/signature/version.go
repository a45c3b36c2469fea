package signature

import (
	"cmp"
	"slices"
	"strings"
)

// Older reports whether version a comes before b by the rules of semver.org, with
// any number of numbers and a v in front allowed. Versions that are not of this form
// cannot be compared, and then neither is older.
func Older(a, b string) bool {
	x, okX := parseVersion(a)
	y, okY := parseVersion(b)
	return okX && okY && x.compare(y) < 0
}

// Comparable reports whether Older understands a version.
func Comparable(v string) bool {
	_, ok := parseVersion(v)
	return ok
}

type parsedVersion struct {
	numbers []string // without leading zeros
	pre     []string // of what follows -; nil for a release
}

func parseVersion(text string) (v parsedVersion, ok bool) {
	text = strings.TrimPrefix(text, "v")
	text, _, _ = strings.Cut(text, "+")
	core, pre, hasPre := strings.Cut(text, "-")
	for n := range strings.SplitSeq(core, ".") {
		if !isNumber(n) {
			return v, false
		}
		v.numbers = append(v.numbers, strings.TrimLeft(n, "0"))
	}
	if !hasPre {
		return v, true
	}
	v.pre = strings.Split(pre, ".")
	if slices.Contains(v.pre, "") {
		return v, false
	}
	return v, true
}

func (v parsedVersion) compare(o parsedVersion) int {
	for i := range max(len(v.numbers), len(o.numbers)) {
		if c := compareNumbers(at(v.numbers, i), at(o.numbers, i)); c != 0 {
			return c
		}
	}
	switch {
	case v.pre == nil && o.pre == nil:
		return 0
	case v.pre == nil:
		return 1 // a release comes after what led to it
	case o.pre == nil:
		return -1
	}
	for i := range min(len(v.pre), len(o.pre)) {
		if c := comparePre(v.pre[i], o.pre[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(v.pre), len(o.pre))
}

// comparePre puts numbers before words.
func comparePre(a, b string) int {
	switch x, y := isNumber(a), isNumber(b); {
	case x && y:
		return compareNumbers(strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0"))
	case x:
		return -1
	case y:
		return 1
	}
	return strings.Compare(a, b)
}

// compareNumbers compares digits of any length, without leading zeros.
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

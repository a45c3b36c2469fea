package analysis

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// outcomes is a set of outcomes of a test.
type outcomes uint8

const (
	isFalse outcomes = 1 << iota
	isUnknown
	isTrue
	anyOutcome = isFalse | isUnknown | isTrue
)

func only(t predicate.Tri) outcomes { return isFalse << (t + 1) }

// literal says of a test, or of what is no test of a field, how it may come out.
type literal struct {
	atom *predicate.Atom
	leaf string // text, when atom is nil
	can  outcomes
}

func (l *literal) allows(v event.Value) bool { return l.can&only(l.atom.Eval(v)) != 0 }

func (l *literal) String() string {
	text := l.leaf
	if l.atom != nil {
		text = l.atom.String()
	}
	if l.can == isTrue {
		return text
	}
	return "!(" + text + ")"
}

// oneField decides whether some value of a field lets all literals come out as
// they may. It is exact but for texts, where false is proven and true is a guess.
// cost counts evaluations down; when it is used up the answer is true.
func oneField(path event.Path, list []literal, cost *int) bool {
	if *cost -= 8 * len(list); *cost < 0 {
		return true
	}
	for _, v := range plainValues(path) {
		if allAllow(list, v) {
			return true
		}
	}
	n := 0
	for i := range list {
		values := list[i].atom.Values()
		n += len(values)
		if len(values) == 1 && (path.Root() != "type" || values[0].Kind() == event.String) && allAllow(list, values[0]) {
			return true // the ordinary case
		}
	}
	if *cost -= 3 * n * len(list); *cost < 0 {
		return true
	}
	constants := make([]event.Value, 0, n)
	for i := range list {
		constants = append(constants, list[i].atom.Values()...)
	}
	switch root := path.Root(); {
	case root == "type":
		return texts(list, constants, cost)
	case slices.ContainsFunc(numbers(constants), func(v event.Value) bool { return allAllow(list, v) }),
		slices.ContainsFunc(times(constants), func(v event.Value) bool { return allAllow(list, v) }):
		return true
	}
	return texts(list, constants, cost)
}

func allAllow(list []literal, v event.Value) bool {
	for i := range list {
		if !list[i].allows(v) {
			return false
		}
	}
	return true
}

// plainValues gives a value for each way in which what is no text, number or time
// can come out: constants are never lists or maps, so that one of these stands for
// all. The type of an event is always a text.
func plainValues(path event.Path) []event.Value {
	if path.Root() == "type" {
		return nil
	}
	return plain
}

var plain = []event.Value{ //nolint:gochecknoglobals // never changed
	{},
	event.NullValue(), event.BoolValue(false), event.BoolValue(true),
	event.RawValue([]byte("[]")), event.RawValue([]byte("{}")),
}

// numbers gives a number of each part into which constants cut them all.
func numbers(constants []event.Value) []event.Value {
	var at []float64
	for _, c := range constants {
		if c.Kind() == event.Number {
			at = append(at, c.Number())
		}
	}
	slices.Sort(at)
	list := []event.Value{event.NumberValue(0)}
	for i, x := range at {
		if i == 0 {
			list = append(list, event.NumberValue(math.Nextafter(x, math.Inf(-1))))
		}
		list = append(list, event.NumberValue(x), event.NumberValue(math.Nextafter(x, math.Inf(1))))
	}
	return list
}

// times does the same for times.
func times(constants []event.Value) []event.Value {
	list := []event.Value{event.TimeValue(time.Unix(0, 0))}
	for _, c := range constants {
		if c.Kind() == event.Time {
			t := c.Time()
			list = append(list, event.TimeValue(t), event.TimeValue(t.Add(-1)), event.TimeValue(t.Add(1)))
		}
	}
	return list
}

// texts tries the texts among constants, and then the least text of each part into
// which they cut all texts: what compares texts by their order comes out the same
// for the whole part. Of the other tests it is only asked whether they exclude
// each other.
func texts(list []literal, constants []event.Value, cost *int) bool {
	for _, c := range constants {
		if c.Kind() == event.String && allAllow(list, c) {
			return true
		}
	}
	var ordered, other []literal
	for _, l := range list {
		if byOrder(l.atom) {
			ordered = append(ordered, l)
		} else {
			other = append(other, l)
		}
	}
	if !slices.ContainsFunc(parts(ordered), func(s string) bool { return allAllow(ordered, event.StringValue(s)) }) {
		return false
	}
	return agree(list, other, cost)
}

// byOrder reports whether a test of texts only looks at how they are ordered.
func byOrder(a *predicate.Atom) bool {
	switch a.Op() {
	case predicate.OpSuffix, predicate.OpContains, predicate.OpMatches, predicate.OpCIDR:
		return false
	default:
		return !a.Fold()
	}
}

// parts gives the least text of each part between the constants of ordered tests.
// A prefix stands for all texts from itself up to the next text that lacks it.
func parts(list []literal) []string {
	all := []string{""}
	add := func(s string) { all = append(all, s, s+"\x00") }
	for i := range list {
		for _, v := range list[i].atom.Values() {
			if v.Kind() != event.String {
				continue
			}
			add(v.Str())
			if list[i].atom.Op() != predicate.OpPrefix {
				continue
			}
			if end, ok := after(v.Str()); ok {
				add(end)
			}
		}
	}
	return all
}

// after gives the least text that is greater than all with the prefix p.
func after(p string) (string, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != 0xff {
			return p[:i] + string([]byte{p[i] + 1}), true
		}
	}
	return "", false
}

// agree reports whether tests of a text may come out as they are to; other are
// those that do not go by its order.
func agree(list, other []literal, cost *int) bool {
	for i := range other {
		possible := isFalse | isTrue
		if other[i].atom.Op() == predicate.OpCIDR {
			possible = anyOutcome
		}
		if other[i].can&possible == 0 {
			return false
		}
	}
	if *cost -= len(list) * len(other); *cost < 0 {
		return true
	}
	for i := range list {
		for k := range other {
			if list[i].can == isTrue && excludes(list[i].atom, &other[k]) || other[k].can == isTrue && excludes(other[k].atom, &list[i]) {
				return false
			}
		}
	}
	return true
}

// excludes reports whether, when a is true of a text, l cannot come out as it is
// to. Both must look at the text in the same way, lower(…) or as it is.
func excludes(a *predicate.Atom, l *literal) bool {
	b := l.atom
	if a.Fold() != b.Fold() || a == b || a.Value().Kind() != event.String || b.Value().Kind() != event.String {
		return a == b && l.can&isTrue == 0
	}
	x, y := a.Value().Str(), b.Value().Str()
	if l.can&isTrue == 0 && entails(a.Op(), x, b, y) {
		return true
	}
	if l.can != isTrue || a.Op() != b.Op() {
		return false
	}
	switch a.Op() {
	case predicate.OpEq:
		return x != y
	case predicate.OpPrefix:
		return !strings.HasPrefix(x, y) && !strings.HasPrefix(y, x)
	case predicate.OpSuffix:
		return !strings.HasSuffix(x, y) && !strings.HasSuffix(y, x)
	case predicate.OpCIDR:
		return sameFamily(x, y) && !within(x, b) && !within(y, a)
	default:
		return false
	}
}

// entails reports whether a text that passes the test op x passes to y as well.
func entails(op predicate.Op, x string, b *predicate.Atom, y string) bool {
	to := b.Op()
	switch op {
	case predicate.OpEq:
		switch to {
		case predicate.OpEq:
			return x == y
		case predicate.OpPrefix:
			return strings.HasPrefix(x, y)
		case predicate.OpSuffix:
			return strings.HasSuffix(x, y)
		case predicate.OpContains:
			return strings.Contains(x, y)
		default:
			return false
		}
	case predicate.OpPrefix:
		return to == op && strings.HasPrefix(x, y) || to == predicate.OpContains && strings.Contains(x, y)
	case predicate.OpSuffix:
		return to == op && strings.HasSuffix(x, y) || to == predicate.OpContains && strings.Contains(x, y)
	case predicate.OpContains:
		return to == op && strings.Contains(x, y)
	case predicate.OpMatches:
		return to == op && x == y
	case predicate.OpCIDR:
		return to == op && sameFamily(x, y) && bits(y) <= bits(x) && within(x, b)
	default:
		return false
	}
}

// within reports whether the address that a network is written with lies in the
// network that b tests for. Of two networks one holds the other or they have
// nothing in common, so this tells which.
func within(network string, b *predicate.Atom) bool {
	address, _, _ := strings.Cut(network, "/")
	return b.Eval(event.StringValue(address)) == predicate.True
}

// sameFamily reports whether two networks are both of IPv4 or both of IPv6. Of one
// each nothing is said, since an address may be written either way.
func sameFamily(x, y string) bool { return strings.Contains(x, ":") == strings.Contains(y, ":") }

func bits(network string) int {
	_, length, ok := strings.Cut(network, "/")
	n, err := strconv.Atoi(length)
	if !ok || err != nil {
		return 128 // an address alone: as long as there is
	}
	return n
}

package index

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// The tests that atoms make of a field. Fewer than predicate has: a test and its
// opposite are one (see Builder.literal).
const (
	opEq uint32 = iota
	opLt
	opLe
	opGt
	opGe
	opIn
	opPrefix
	opSuffix
	opContains
	opGlob    // a regular expression of texts with anything between, such as ^.*foo.*bar$
	opMatches // any other regular expression
	opCIDR
	opHas
	opAbsent // true when the field is missing, false when it is there
	opEnd
)

// The variants of a text that tests look at.
const (
	asIs    = iota
	lowered // strings.ToLower
	folded  // each letter as the least of those that (?i) takes for it
	variants
)

// An atom's head packs what is asked of which field.
const (
	headFold  = 1 << 5
	kindShift = 6
	fldShift  = 9
	maxFields = 1 << (32 - fldShift)
)

func makeHead(op uint32, fold bool, kind event.Kind, field uint32) uint32 {
	h := op | uint32(kind)<<kindShift | field<<fldShift
	if fold {
		h |= headFold
	}
	return h
}

func headOp(h uint32) uint32       { return h & 31 }
func headFolds(h uint32) bool      { return h&headFold != 0 }
func headKind(h uint32) event.Kind { return event.Kind(h >> kindShift & 7) }
func headField(h uint32) uint32    { return h >> fldShift }

// atomTable holds atoms and their constants in flat arrays.
type atomTable struct {
	heads []uint32
	args  []uint32 // the constant: see constant
	text  []byte   // texts, each behind its length
	nums  []uint64 // numbers as IEEE bits; times and networks as several words
	lists []uint32 // members of sets, and other constants of several parts
}

// str gives the text at an offset.
func (t *atomTable) str(at uint32) string {
	b := t.text[at:]
	if n := b[0]; n < 0x80 {
		return textOf(b[1 : 1+int(n)])
	}
	n, w := binary.Uvarint(b)
	return textOf(b[w : w+int(n)])
}

// list gives the list at an offset, which begins with its length.
func (t *atomTable) list(at uint32) []uint32 {
	return t.lists[at+1 : at+1+t.lists[at]]
}

// constant gives the constant of an atom of one scalar.
func (t *atomTable) constant(a uint32) event.Value {
	arg := t.args[a]
	switch headKind(t.heads[a]) {
	case event.Null:
		return event.NullValue()
	case event.Bool:
		return event.BoolValue(arg != 0)
	case event.Number:
		return event.NumberValue(math.Float64frombits(t.nums[arg]))
	case event.String:
		return event.StringValue(t.str(arg))
	case event.Time:
		return event.TimeValue(time.Unix(int64(t.nums[arg]), int64(t.nums[arg+1])))
	default:
		return event.Value{}
	}
}

// same reports whether v, as the atom sees it, is the constant of a.
func (t *atomTable) same(a uint32, v event.Value) bool {
	h := t.heads[a]
	if headKind(h) != v.Kind() {
		return false
	}
	arg := t.args[a]
	switch v.Kind() {
	case event.String:
		return t.str(arg) == v.Str()
	case event.Number:
		return math.Float64frombits(t.nums[arg]) == v.Number()
	case event.Bool:
		return v.Bool() == (arg != 0)
	case event.Null:
		return true
	case event.Time:
		sec, nanos := timeWords(v)
		return t.nums[arg] == sec && t.nums[arg+1] == nanos
	default:
		return false
	}
}

func timeWords(v event.Value) (sec, nanos uint64) {
	at := v.Time()
	return uint64(at.Unix()), uint64(at.Nanosecond())
}

// compare orders v, of the constant's kind, against the constant of a.
func (t *atomTable) compare(v event.Value, a uint32) int {
	arg := t.args[a]
	switch v.Kind() {
	case event.Number:
		x, y := v.Number(), math.Float64frombits(t.nums[arg])
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		case x == y:
			return 0
		}
		return unordered
	case event.String:
		return strings.Compare(v.Str(), t.str(arg))
	case event.Time:
		return v.Time().Compare(t.constant(a).Time())
	default: // booleans
		x, y := 0, int(arg)
		if v.Bool() {
			x = 1
		}
		return x - y
	}
}

// unordered is how NaN compares.
const unordered = 2

// holdsOrder decides an order test from what compare gave.
func holdsOrder(op uint32, order int) bool {
	switch op {
	case opLt:
		return order == -1
	case opLe:
		return order == -1 || order == 0
	case opGt:
		return order == 1
	default:
		return order == 1 || order == 0
	}
}

// member reports whether a set holds a value atom.
func (t *atomTable) member(set, value uint32) bool {
	_, ok := slices.BinarySearch(t.list(t.args[set]), value)
	return ok
}

// pattern gives the regular expression of a glob or matches atom, and the number
// under which it is kept compiled.
func (t *atomTable) pattern(a uint32) (source string, number uint32) {
	l := t.list(t.args[a])
	return t.str(l[0]), l[1]
}

// rebuild gives an atom as predicate knows it.
func (t *atomTable) rebuild(a uint32, slot int, path event.Path) (*predicate.Atom, error) {
	h := t.heads[a]
	var values []event.Value
	switch op := headOp(h); op {
	case opIn:
		for _, v := range t.list(t.args[a]) {
			values = append(values, t.constant(v))
		}
	case opHas, opAbsent:
	case opGlob, opMatches:
		source, _ := t.pattern(a)
		values = []event.Value{event.StringValue(source)}
	case opCIDR:
		values = []event.Value{event.StringValue(t.str(t.list(t.args[a])[0]))}
	default:
		values = []event.Value{t.constant(a)}
	}
	return predicate.NewAtom(slot, path, outerOp(headOp(h)), headFolds(h), values)
}

// outerOp gives the test as predicate names it.
func outerOp(op uint32) predicate.Op {
	return [opEnd]predicate.Op{
		opEq: predicate.OpEq, opLt: predicate.OpLt, opLe: predicate.OpLe, opGt: predicate.OpGt, opGe: predicate.OpGe,
		opIn: predicate.OpIn, opPrefix: predicate.OpPrefix, opSuffix: predicate.OpSuffix, opContains: predicate.OpContains,
		opGlob: predicate.OpMatches, opMatches: predicate.OpMatches, opCIDR: predicate.OpCIDR,
		opHas: predicate.OpHas, opAbsent: predicate.OpHas,
	}[op]
}

package predicate

import (
	"crypto/sha256"
	"math"
	"strconv"
	"strings"

	"github.com/rhost/rhost/event"
)

// writeLiteral puts a scalar as CEL that reads as the same.
func writeLiteral(b *strings.Builder, v event.Value) {
	switch v.Kind() {
	case event.Null:
		b.WriteString("null")
	case event.String:
		b.WriteString(strconv.Quote(v.Str()))
	case event.Number:
		writeNumber(b, v.Number())
	case event.Time:
		b.WriteString(`timestamp("` + formatTime(v.Time()) + `")`)
	default:
		b.WriteString(strconv.FormatBool(v.Bool()))
	}
}

func writeNumber(b *strings.Builder, f float64) {
	switch {
	case math.IsInf(f, 0):
		b.WriteString(`double("` + strconv.FormatFloat(f, 'g', -1, 64) + `")`)
	case f == 0 && math.Signbit(f):
		b.WriteString("-0.0")
	default:
		b.WriteString(formatNumber(f))
	}
}

// valueSet is a constant list of scalars that `in` looks into.
type valueSet struct {
	list    []event.Value // in the order written
	strings map[string]struct{}
	numbers map[float64]struct{}
}

// manyValues is from where on a hash beats a walk.
const manyValues = 8

func newValueSet(list []event.Value) *valueSet {
	s := &valueSet{list: list}
	if len(list) <= manyValues {
		return s
	}
	texts := 0
	for i := range list {
		if list[i].Kind() == event.String {
			texts++
		}
	}
	s.strings, s.numbers = make(map[string]struct{}, texts), make(map[float64]struct{}, len(list)-texts)
	for _, v := range list {
		switch v.Kind() {
		case event.String:
			s.strings[v.Str()] = struct{}{}
		case event.Number:
			s.numbers[v.Number()] = struct{}{}
		default: // few kinds of values are left, and few values of each
		}
	}
	return s
}

func (s *valueSet) has(v event.Value) bool {
	if s.strings != nil {
		switch v.Kind() {
		case event.String:
			_, ok := s.strings[v.Str()]
			return ok
		case event.Number:
			_, ok := s.numbers[v.Number()]
			return ok
		default:
		}
	}
	for i := range s.list {
		if s.list[i].Equal(v) {
			return true
		}
	}
	return false
}

func (s *valueSet) write(b *strings.Builder) {
	b.WriteByte('[')
	for i, v := range s.list {
		if i > 0 {
			b.WriteString(", ")
		}
		writeLiteral(b, v)
	}
	b.WriteByte(']')
}

// key tells sets apart, by their text or, if they are long, by a hash of it.
func (s *valueSet) key() string {
	if len(s.list) <= manyValues {
		var b strings.Builder
		for _, v := range s.list {
			b.WriteByte(byte('0' + v.Kind()))
			writeLiteral(&b, v)
		}
		return b.String()
	}
	h := sha256.New()
	var buf []byte
	for _, v := range s.list {
		if v.Kind() == event.String {
			buf = strconv.AppendQuote(buf[:0], v.Str())
		} else {
			var b strings.Builder
			writeLiteral(&b, v)
			buf = append(buf[:0], b.String()...)
		}
		h.Write(append(buf, byte('0'+v.Kind()), '\n'))
	}
	return string(h.Sum(nil))
}

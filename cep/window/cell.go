package window

import (
	"math"
	"time"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

// cell is what one aggregate, or several over the same path, keep of a window.
type cell interface {
	// add takes the values of an event that comes after all before. A cell that
	// is about one path is given it as x.
	add(x, y *event.Value, at time.Time)
	// merge adds what a cell of the same kind holds, which came after all that
	// this one holds. The other stays as it is and shares nothing afterwards.
	// Merging into a cell that was just reset makes a copy.
	merge(later cell)
	// reset forgets everything and may keep memory for what follows.
	reset()
	// append writes the state, restore reads it into a cell that was just made.
	append(dst []byte) []byte
	restore(r *codec.Reader)
	// bytes is about the memory that the cell takes.
	bytes() int
}

// as gives a cell as what it is. A plan never brings cells of different kinds
// together, so that it is always of the kind asked for.
func as[T cell](c cell) T { return c.(T) } //nolint:errcheck,forcetypeassert // see above

type cellKind uint8

const (
	noCell cellKind = iota
	tallyCell
	momentsCell
	extremesCell
	endsCell
	spanCell
	trendCell
	pairCell
	quantilesCell
	distinctCell
	topCell
)

// cellSpec says what a cell is about. Aggregates with the same spec share one.
type cellSpec struct {
	kind cellKind
	x, y int // of Plan.paths
	size int // counters of a topCell
}

func (s *cellSpec) new() cell {
	switch s.kind {
	case tallyCell:
		return &tally{}
	case momentsCell:
		return &moments{}
	case extremesCell:
		return &extremes{}
	case endsCell:
		return &ends{}
	case spanCell:
		return &span{}
	case trendCell:
		return &trend{}
	case pairCell:
		return &pair{}
	case quantilesCell:
		return &quantiles{}
	case distinctCell:
		return &distinct{}
	default:
		return newTop(s.size)
	}
}

// bytes is the most memory that such a cell takes.
func (s *cellSpec) bytes() int64 {
	switch s.kind {
	case extremesCell, endsCell:
		return 2 * (MaxValue + 96)
	case quantilesCell:
		return quantilesBytes
	case distinctCell:
		return distinctBytes
	case topCell:
		return int64(s.size) * topBytes
	default:
		return 96
	}
}

// need is what an aggregate requires of a value that is there.
type need uint8

const (
	needNumber need = 1 << iota // a finite number
	needOrder                   // a kind that has an order
	needShort                   // a text of at most MaxValue bytes
)

// meets reports whether an aggregate with these needs can use v.
func (n need) meets(v *event.Value) bool {
	return (n&needNumber == 0 || isNumber(v)) && (n&needOrder == 0 || rank(v.Kind()) > 0) && (n&needShort == 0 || isShort(v))
}

// MaxValue bounds the texts, lists and maps, in bytes, that min, max, first, last
// and topk keep; they ignore longer ones.
const MaxValue = 1024

func isPresent(v *event.Value) bool { return v.Kind() > event.Null }

func isNumber(v *event.Value) bool {
	f := v.Number()
	return v.Kind() == event.Number && f-f == 0 // neither infinite nor NaN
}

func isShort(v *event.Value) bool {
	switch v.Kind() {
	case event.String:
		return len(v.Str()) <= MaxValue
	case event.List, event.Map:
		return len(v.Raw()) <= MaxValue
	default:
		return true
	}
}

// tally counts the events in which a path leads to a value.
type tally struct{ n int }

func (t *tally) add(x, _ *event.Value, _ time.Time) {
	if isPresent(x) {
		t.n++
	}
}

func (t *tally) merge(later cell)         { t.n += as[*tally](later).n }
func (t *tally) reset()                   { t.n = 0 }
func (t *tally) append(dst []byte) []byte { return codec.AppendUint(dst, uint64(t.n)) }
func (t *tally) restore(r *codec.Reader)  { t.n = r.Int(maxEvents) }

// maxEvents bounds counts that are read from a snapshot, so that adding to them
// stays whole.
const maxEvents = math.MaxInt64 / 4

// span keeps the first and the last number, and when they came.
type span struct {
	n           int
	first, last float64
	begin, end  time.Time
}

func (s *span) add(x, _ *event.Value, at time.Time) {
	if !isNumber(x) {
		return
	}
	s.last, s.end = x.Number(), at
	if s.n == 0 {
		s.first, s.begin = s.last, at
	}
	s.n++
}

func (s *span) merge(later cell) {
	o := as[*span](later)
	if o.n == 0 {
		return
	}
	if s.n == 0 {
		s.first, s.begin = o.first, o.begin
	}
	s.last, s.end = o.last, o.end
	s.n += o.n
}

func (s *span) reset() { *s = span{} }

func (s *span) append(dst []byte) []byte {
	dst = codec.AppendUint(dst, uint64(s.n))
	if s.n == 0 {
		return dst
	}
	dst = codec.AppendFloat(codec.AppendFloat(dst, s.first), s.last)
	return codec.AppendTime(codec.AppendTime(dst, s.begin), s.end)
}

func (s *span) restore(r *codec.Reader) {
	if s.n = r.Int(maxEvents); s.n > 0 {
		s.first, s.last = r.Float(), r.Float()
		s.begin, s.end = r.Time(), r.Time()
	}
}

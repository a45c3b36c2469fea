package index_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// world makes conditions and events that often meet: few fields, few values,
// values that are pieces of each other.
type world struct {
	rand   *rand.Rand
	fields int
	cache  map[string]*predicate.Atom
	leafs  []*predicate.Leaf
}

func newWorld(seed uint64) *world {
	return &world{rand: rand.New(rand.NewPCG(seed, 1)), fields: 4, cache: make(map[string]*predicate.Atom)}
}

func fieldPath(i int) event.Path { return event.PathOf("data", fmt.Sprintf("f%d", i)) }

func (w *world) word() string {
	alphabet := []string{"a", "b", "B", "ab", "ä", "Ä", "\u212a", "k", "s", "ſ", "S", ".", "\n", "İ", "x"}
	var b strings.Builder
	for range w.rand.IntN(6) {
		b.WriteString(alphabet[w.rand.IntN(len(alphabet))])
	}
	if w.rand.IntN(12) == 0 {
		b.WriteString(strings.Repeat("ab", 12))
	}
	return b.String()
}

func (w *world) number() float64 {
	if w.rand.IntN(8) == 0 {
		return []float64{math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.MaxFloat64}[w.rand.IntN(4)]
	}
	return float64(w.rand.IntN(12)-6) / 2
}

func (w *world) time() time.Time {
	return time.Unix(int64(w.rand.IntN(4)-2), int64(w.rand.IntN(3)))
}

func (w *world) address() string {
	list := []string{
		"10.0.0.1", "10.1.0.1", "10.1.2.3", "192.168.0.1", "::ffff:10.1.2.3", "2001:db8::1", "2001:db8:0:1::", "::", "::1",
		"010.0.0.1", "10.0.0", "10.0.0.256", "1::2::3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "::10.1.2.3", "1:", ":1", "1:2:3:4:5:6:10.1.2.3", "12345::", "fe80::G",
	}
	return list[w.rand.IntN(len(list))]
}

func (w *world) network() string {
	list := []string{
		"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "10.1.2.3/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "::ffff:0:0/96", "::1", "2001:db8:0:1::/64", "192.168.0.0/31",
	}
	return list[w.rand.IntN(len(list))]
}

// scalar is a constant; a value of an event may also be a list, a map or missing.
func (w *world) scalar() event.Value {
	switch w.rand.IntN(8) {
	case 0, 1, 2:
		return event.StringValue(w.word())
	case 3, 4, 5:
		return event.NumberValue(w.number())
	case 6:
		return event.TimeValue(w.time())
	default:
		return []event.Value{event.NullValue(), event.BoolValue(true), event.BoolValue(false)}[w.rand.IntN(3)]
	}
}

func (w *world) value() event.Value {
	switch w.rand.IntN(10) {
	case 0:
		return event.Value{}
	case 1:
		return event.RawValue([]byte([]string{`[1,"a"]`, `{"a":1}`}[w.rand.IntN(2)]))
	case 2:
		return event.StringValue(w.address())
	case 3, 4, 5:
		return event.StringValue(w.word() + w.word())
	default:
		return w.scalar()
	}
}

func (w *world) pattern() string {
	q := func() string { return strings.NewReplacer(".", `\.`, "\n", `\n`).Replace(w.word()) }
	switch w.rand.IntN(12) {
	case 0:
		return "(?i)^.*" + q() + ".*" + q() + "$"
	case 1:
		return "^" + q() + ".*" + q() + "$"
	case 2:
		return "(?s)^" + q() + ".*"
	case 3:
		return q() + ".*" + q()
	case 4:
		return "(?i)" + q()
	case 5:
		return "^(?:" + q() + "|" + q() + ")+" + q()
	case 6:
		return "[a-b]+.$"
	case 7:
		return "(?i)(ab|k" + q() + "|s" + q() + ").?x*"
	case 8:
		return "(?i:ab)" + q() + "$"
	case 9:
		return "(" + q() + "){1,3}b?"
	case 10:
		return "^" + q() + "$"
	default:
		return "^.*" + q() + "$"
	}
}

func (w *world) ordered() event.Value {
	for {
		if v := w.scalar(); v.Kind() != event.Null {
			return v
		}
	}
}

func (w *world) atom() *predicate.Atom {
	f := w.rand.IntN(w.fields)
	op := predicate.Op(w.rand.IntN(int(predicate.OpHas) + 1))
	fold := w.rand.IntN(3) == 0
	var values []event.Value
	switch op {
	case predicate.OpEq, predicate.OpNe:
		values = []event.Value{w.scalar()}
	case predicate.OpLt, predicate.OpLe, predicate.OpGt, predicate.OpGe:
		values = []event.Value{w.ordered()}
	case predicate.OpIn:
		for range w.rand.IntN(12) {
			values = append(values, w.scalar())
		}
	case predicate.OpTrue, predicate.OpHas:
		fold = false
	case predicate.OpMatches:
		values = []event.Value{event.StringValue(w.pattern())}
	case predicate.OpCIDR:
		fold, values = false, []event.Value{event.StringValue(w.network())}
	default:
		values = []event.Value{event.StringValue(w.word())}
	}
	if fold {
		for i, v := range values {
			if v.Kind() == event.String && w.rand.IntN(8) > 0 && op != predicate.OpMatches {
				values[i] = event.StringValue(strings.ToLower(v.Str()))
			}
		}
	}
	return w.make(f, op, fold, values...)
}

// make interns, as a Set does.
func (w *world) make(f int, op predicate.Op, fold bool, values ...event.Value) *predicate.Atom {
	key := fmt.Sprintf("%d %d %v", f, op, fold)
	for _, v := range values {
		key += fmt.Sprintf(" %v:%q", v.Kind(), v.String())
	}
	if a, ok := w.cache[key]; ok {
		return a
	}
	a, err := predicate.NewAtom(f, fieldPath(f), op, fold, values)
	if err != nil {
		panic(fmt.Sprintf("atom of the test %s: %v", key, err))
	}
	w.cache[key] = a
	return a
}

func (w *world) literal() predicate.Formula {
	want := predicate.True
	if w.rand.IntN(4) == 0 {
		want = predicate.False
	}
	if len(w.leafs) > 0 && w.rand.IntN(12) == 0 {
		return predicate.Formula{Kind: predicate.FormulaLeaf, Leaf: w.leafs[w.rand.IntN(len(w.leafs))], Want: want}
	}
	return predicate.Formula{Kind: predicate.FormulaAtom, Atom: w.atom(), Want: want}
}

func (w *world) formula(depth int) predicate.Formula {
	switch n := w.rand.IntN(10); {
	case depth > 0 && n < 4:
		f := predicate.Formula{Kind: predicate.FormulaAnd}
		for range 2 + w.rand.IntN(3) {
			f.Kids = append(f.Kids, w.formula(depth-1))
		}
		return f
	case depth > 0 && n < 6:
		f := predicate.Formula{Kind: predicate.FormulaOr}
		for range 2 + w.rand.IntN(3) {
			f.Kids = append(f.Kids, w.formula(depth-1))
		}
		return f
	case n == 9 && depth > 0 && w.rand.IntN(10) == 0:
		return predicate.Formula{Kind: predicate.FormulaKind(w.rand.IntN(2))}
	default:
		return w.literal()
	}
}

// span is an interval, which random conjunctions seldom hold.
func (w *world) span() predicate.Formula {
	f := w.rand.IntN(w.fields)
	a, b := w.number(), w.number()
	lo := w.make(f, []predicate.Op{predicate.OpGt, predicate.OpGe}[w.rand.IntN(2)], false, event.NumberValue(min(a, b)))
	hi := w.make(f, []predicate.Op{predicate.OpLt, predicate.OpLe}[w.rand.IntN(2)], false, event.NumberValue(max(a, b)))
	return predicate.Formula{Kind: predicate.FormulaAnd, Kids: []predicate.Formula{
		{Kind: predicate.FormulaAtom, Atom: lo, Want: predicate.True},
		{Kind: predicate.FormulaAtom, Atom: hi, Want: predicate.True},
	}}
}

func (w *world) formulas(n int) []predicate.Formula {
	out := make([]predicate.Formula, n)
	for i := range out {
		if out[i] = w.formula(3); w.rand.IntN(8) == 0 {
			out[i] = w.span()
		}
	}
	return out
}

func (w *world) event() *predicate.Event {
	ev := &predicate.Event{Ev: &event.Event{}, Fields: make([]event.Value, w.fields)}
	for i := range ev.Fields {
		ev.Fields[i] = w.value()
	}
	return ev
}

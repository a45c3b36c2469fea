package predicate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// An exact formula holds where the condition is true and nowhere else; another
// holds at least there. Leafs and formulas, written and read again, stay what
// they are.
func TestFormulaEqualsCondition(t *testing.T) {
	set := NewSet()
	rapid.Check(t, func(t *rapid.T) {
		src := randomBool(t, 4)
		cond, err := set.Add(randomScope(), src, yamldoc.Pos{})
		if err != nil {
			return // overloads that the checker refuses are tested elsewhere
		}
		f, exact := cond.Formula()
		normal(t, &f, 0)
		again, err := set.Add(randomScope(), f.String(), yamldoc.Pos{})
		require.NoError(t, err, "%s as %s", src, f.String())
		paths := event.NewPathSet(set.Paths())
		for range 4 {
			env := bound{{randomEvent(t)}, {randomEvent(t)}, nil, nil}
			env[3] = env[1]
			ev := randomEvent(t)
			ev.Fields = paths.Scan(ev.Ev, nil)
			holds := f.Holds(ev)
			switch met := cond.Eval(ev, env) == True; {
			case exact:
				require.Equal(t, met, holds, "%s as %s\n%s", src, f.String(), ev.Ev.Data)
			case met:
				require.True(t, holds, "%s as %s\n%s", src, f.String(), ev.Ev.Data)
			}
			require.Equal(t, holds, again.Eval(ev, nil) == True, "%s written as %s and read again\n%s", src, f.String(), ev.Ev.Data)
		}
	})
}

// normal checks the promises about the shape of formulas.
func normal(t require.TestingT, f *Formula, under FormulaKind) {
	switch f.Kind {
	case FormulaAtom, FormulaLeaf:
		require.True(t, f.Want == True || f.Want == False)
		require.Equal(t, f.Kind == FormulaAtom, f.Atom != nil)
		require.Equal(t, f.Kind == FormulaLeaf, f.Leaf != nil)
	case FormulaAnd, FormulaOr:
		require.NotEqual(t, under, f.Kind)
		require.GreaterOrEqual(t, len(f.Kids), 2)
		seen := make(map[literal]bool)
		for i := range f.Kids {
			k := &f.Kids[i]
			normal(t, k, f.Kind)
			if len(k.Kids) == 0 {
				key := literal{k.Atom, k.Leaf, k.Want}
				require.False(t, seen[key], "%s is there twice", k)
				seen[key] = true
			}
		}
	default:
		require.Zero(t, under, "%s under %d", f, under)
	}
}

func TestFormula(t *testing.T) {
	for src, want := range map[string]string{
		`true`:                           `true`,
		`!true || false`:                 `false`,
		`data.x == 1 && true`:            `data.x == 1`,
		`data.x == 1 || true`:            `true`,
		`!(data.x == 1 && !data.y)`:      `!(data.x == 1) || data.y`,
		`data.a && (data.b && data.c)`:   `data.a && data.b && data.c`,
		`data.a || !(data.b && data.a)`:  `data.a || !(data.b) || !(data.a)`,
		`data.a && data.a && !!data.a`:   `data.a`,
		`data.a && !data.a`:              `false`,
		`has(data.a) && has(subject)`:    `has(data.a) && has(subject)`,
		`!has(subject) && !has(ext.r)`:   `!(has(subject)) && !(has(ext.r))`,
		`!has(data.a)`:                   `!(has(data.a))`,
		`data.a ? data.b : data.c`:       `data.a && data.b || !(data.a) && data.c`,
		`!(data.a ? data.b : data.c)`:    `data.a && !(data.b) || !(data.a) && !(data.c)`,
		`data.a + 1 > data.b`:            `(data.a + 1) > data.b`,
		`!(data.a == data.b)`:            `!(data.a == data.b)`,
		`lower(data.a).contains("x")`:    `lower(data.a).contains("x")`,
		`data.l.exists(x, x > 1)`:        `data.l.exists(x, x > 1)`,
		`data["in"] == data["for"]`:      `data["in"] == data["for"]`,
		`data["in"] == 1`:                `data["in"] == 1`,
		`data.x == 1e308 * 10`:           `data.x == double("+Inf")`,
		`time - (time - time) > time`:    `(time - (time - time)) > time`,
		`type == "a" && data.u == a.id`:  `type == "a"`,
		`type == "a" && !(count(l) > 1)`: `type == "a"`,
		`false && data.u == a.id`:        `false`,
	} {
		set := NewSet()
		f, exact, cond, err := set.AddFormula(Scope{Elements: []Element{{Name: "a"}, {Name: "l", Repeated: true}, {Name: "b"}}, Under: 2}, src, yamldoc.Pos{})
		require.NoError(t, err, src)
		assert.Equal(t, want, f.String(), src)
		if cond != nil {
			assert.Equal(t, exact, !cond.Correlated() || want == "false", src)
		}
	}
}

func TestFormulaSharesLiterals(t *testing.T) {
	set := NewSet()
	var atoms []*Atom
	var leafs []*Leaf
	for range 2 {
		f, exact, _, err := set.AddFormula(Scope{}, `data.a == 1 && data.a > data.b`, yamldoc.Pos{})
		require.NoError(t, err)
		require.True(t, exact)
		atoms, leafs = append(atoms, f.Kids[0].Atom), append(leafs, f.Kids[1].Leaf)
	}
	assert.Same(t, atoms[0], atoms[1])
	assert.Same(t, leafs[0], leafs[1])
	assert.Equal(t, []int{0, 1}, leafs[0].Fields())
}

// What an atom says of itself is enough to build it again.
func TestNewAtom(t *testing.T) {
	set := NewSet()
	values := []event.Value{
		{},
		event.NullValue(), event.BoolValue(true), event.NumberValue(5), event.NumberValue(-2.5), event.StringValue("a"),
		event.StringValue("AbC"), event.StringValue("10.1.2.3"), event.RawValue([]byte(`[1]`)),
	}
	for i, src := range []string{
		`data.x == 5`, `data.x != "a"`, `data.x < 5`, `data.x <= "a"`, `data.x > true`, `data.x >= -2.5`, `data.x in [1, 5, "a", null]`,
		`data.x.startsWith("a")`, `data.x.endsWith("C")`, `data.x.contains("b")`, `data.x.matches("^A")`, `cidr(data.x, "10.0.0.0/8")`,
		`data.x`, `has(data.x)`, `lower(data.x) == "abc"`, `lower(data.x) in ["abc"]`, `lower(data.x).contains("bc")`, `lower(data.x).matches("^a")`,
		`data.x == null`, `data.x > timestamp("2026-01-01T00:00:00Z")`,
	} {
		f, exact, _, err := set.AddFormula(Scope{}, src, yamldoc.Pos{})
		require.NoError(t, err)
		require.True(t, exact)
		require.Equal(t, FormulaAtom, f.Kind, src)
		a := f.Atom
		assert.Equal(t, int32(i), a.ID())
		assert.Equal(t, src, a.String())
		b, err := NewAtom(a.Field(), a.Path(), a.Op(), a.Fold(), a.Values())
		require.NoError(t, err, src)
		assert.Equal(t, src, b.String())
		for _, v := range values {
			assert.Equal(t, a.Eval(v), b.Eval(v), "%s of %s", src, v.Kind())
		}
	}
}

func TestNewAtomErrors(t *testing.T) {
	str := event.StringValue
	for _, tt := range []struct {
		op     Op
		fold   bool
		values []event.Value
		want   string
	}{
		{opEnd, false, nil, "no such test"},
		{OpEq, false, nil, "takes one constant, not 0"},
		{OpEq, false, []event.Value{{}}, "a missing is no constant"},
		{OpIn, false, []event.Value{event.RawValue([]byte("[]"))}, "a list is no constant"},
		{OpLt, false, []event.Value{event.NullValue()}, "a null has no order"},
		{OpTrue, false, []event.Value{str("x")}, "takes no constant"},
		{OpHas, true, nil, "does not work on lower"},
		{OpPrefix, false, []event.Value{event.NumberValue(1)}, "takes a text, not a number"},
		{OpMatches, false, []event.Value{str("(")}, "missing closing"},
		{OpCIDR, false, []event.Value{str("x")}, "not a network"},
	} {
		_, err := NewAtom(0, event.PathOf("data", "x"), tt.op, tt.fold, tt.values)
		assert.ErrorContains(t, err, tt.want)
	}
}

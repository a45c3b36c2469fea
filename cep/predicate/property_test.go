package predicate

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// bound is an Env for tests.
type bound [][]*Event

func (b bound) Bound(elem int) []*Event { return b[elem] }

// Scope of the random expressions: a singleton, a list, an optional that is
// never bound, and the element under test.
func randomScope() Scope {
	return Scope{Elements: []Element{{Name: "one"}, {Name: "many", Repeated: true}, {Name: "none"}, {Name: "here", Repeated: true}}, Under: 3}
}

// Whatever the compiler makes of a condition, cel-go's interpreter gives the
// same truth, with its errors for unknown.
func TestCompiledEqualsInterpreted(t *testing.T) {
	set := NewSet()
	rapid.Check(t, func(t *rapid.T) {
		src := randomBool(t, 4)
		cond, err := set.Add(randomScope(), src, yamldoc.Pos{})
		if err != nil {
			return // overloads that the checker refuses are tested elsewhere
		}
		reference, err := set.read(randomScope(), src, yamldoc.Pos{})
		require.NoError(t, err)
		prog, err := reference.plan(reference.ast.Expr())
		if err != nil {
			return // a constant without a value inside what the compiler did not need
		}
		want := &interpreted{prog: prog, tables: []string{"t", "keys"}}
		paths := event.NewPathSet(set.Paths())
		for range 4 {
			env := bound{{randomEvent(t)}, nil, nil, nil}
			for range rapid.IntRange(0, 3).Draw(t, "bound") {
				env[1] = append(env[1], randomEvent(t))
			}
			env[3] = env[1]
			ev := randomEvent(t)
			w := want.eval(ev, env)
			require.Equal(t, w, cond.Eval(ev, env), "%s compiled as %s\n%s\n%s", src, cond, ev.Ev.Data, env)
			// With the fields scanned beforehand the answer is the same.
			scanned := &Event{Ev: ev.Ev, Fields: paths.Scan(ev.Ev, nil), Tables: ev.Tables}
			require.Equal(t, w, cond.Eval(scanned, env), "%s with scanned fields", src)
			// So it is from what was kept up to date while events were bound.
			require.Equal(t, w, cond.Eval(ev, folding(cond, env)), "%s from folds", src)
			guarded(t, cond, scanned, w)
			explained(t, cond, scanned, env, w)
		}
	})
}

// guarded checks that a condition is never true where one of its guards fails.
func guarded(t *rapid.T, cond *Cond, ev *Event, result Tri) {
	for _, g := range cond.Guards() {
		held := false
		for _, v := range g.Values {
			held = held || v.Equal(ev.Fields[g.Index])
		}
		require.True(t, held || result != True, "%s is true although its guard on %s fails", cond, g.Path)
	}
}

// explained checks that the atoms shown account for the result: where all of
// them are known, so is it.
func explained(t *rapid.T, cond *Cond, ev *Event, env Env, result Tri) {
	known := true
	for _, a := range cond.Explain(ev, env) {
		known = known && a.Result != Unknown
		require.NotEmpty(t, a.Text)
	}
	require.False(t, known && result == Unknown, "%s is unknown although every atom is known", cond)
}

func (b bound) String() string {
	var s strings.Builder
	for i, list := range b {
		for _, e := range list {
			fmt.Fprintf(&s, "%d: %s\n", i, e.Ev.Data)
		}
	}
	return s.String()
}

func pickOne(t *rapid.T, options ...string) string {
	return rapid.SampledFrom(options).Draw(t, "pick")
}

func randomBool(t *rapid.T, depth int) string {
	if depth <= 0 {
		return pickOne(t, "true", "false", "data.flag", "data.n == 5", `type == "a"`, "has(data.s)", "has(data.o.k)", "has(subject)", "has(one.data.n)")
	}
	b := func() string { return randomBool(t, depth-1) }
	n := func() string { return randomNumber(t, depth-1) }
	s := func() string { return randomString(t, depth-1) }
	v := func() string { return randomDyn(t, depth-1) }
	compare := func() string { return pickOne(t, "==", "!=", "<", "<=", ">", ">=") }
	switch rapid.IntRange(0, 19).Draw(t, "bool") {
	case 0, 1:
		return fmt.Sprintf("(%s && %s)", b(), b())
	case 2, 3:
		return fmt.Sprintf("(%s || %s)", b(), b())
	case 4:
		return "!" + b()
	case 5:
		return fmt.Sprintf("(%s ? %s : %s)", b(), b(), b())
	case 6, 7:
		return fmt.Sprintf("%s %s %s", n(), compare(), n())
	case 8, 9:
		return fmt.Sprintf("%s %s %s", s(), compare(), s())
	case 10, 11:
		return fmt.Sprintf("%s %s %s", v(), compare(), v())
	case 12:
		return fmt.Sprintf("%s.%s(%s)", s(), pickOne(t, "contains", "startsWith", "endsWith"), s())
	case 13:
		return fmt.Sprintf("%s in [%s, %s, null, true]", v(), pickOne(t, "1", "5", `"a"`), pickOne(t, "2.5", `"B"`))
	case 14:
		return fmt.Sprintf("%s in %s", v(), pickOne(t, "data.l", "data.o", "one.data.l", "data.s", "table.t", "table.keys", "table.nope"))
	case 15:
		return fmt.Sprintf("%s.matches(%s)", s(), pickOne(t, `"^a"`, `"[A-Z]"`, `""`))
	case 16:
		return fmt.Sprintf("cidr(%s, %s)", s(), pickOne(t, `"10.0.0.0/8"`, `"::/0"`, "data.s"))
	case 17:
		return fmt.Sprintf("%s %s %s", randomTime(t, depth-1), compare(), randomTime(t, depth-1))
	case 18:
		return fmt.Sprintf("%s %s %s", randomDuration(t, depth-1), compare(), randomDuration(t, depth-1))
	default:
		return "has(" + pickOne(t, "data.s", "data.o.k", "data.nope.k", "data.s.k", "data.l.k", "ext.region", "subject", "data", "one.subject", "one.data.o.k", "none.data.x", "last(many).data.n", "many[1].data.s", "table.t[data.s].k", "table.t.a.k", "table.t[data.s].o.x", "table.nope[data.s].k") + ")"
	}
}

func randomDyn(t *rapid.T, depth int) string {
	switch rapid.IntRange(0, 5).Draw(t, "dyn") {
	case 0:
		return randomNumber(t, depth)
	case 1:
		return randomString(t, depth)
	default:
		return pickOne(t, "data.n", "data.s", "data.l", "data.o", "data.l[0]", "data.l[1]", "data.o.k", `data["odd key"]`, "data.nope", "data.flag", "data", "ext.region",
			"one.data.n", "one.data.o", "none.data.n", "last(many).data.s", "first(many).data.l", "many[1].data.o.k", "max(many.data.n)", "min(many.data.s)", "here[0].data.n", "null", "type", "one.time",
			"table.t[data.s].k", "table.t[data.s]", "table.t.AbC.o.x", "table.t[one.data.s].l[1]", "table.keys[data.s]", "table.t[data.n]", "table.nope[data.s]")
	}
}

func randomNumber(t *rapid.T, depth int) string {
	if depth <= 0 {
		return pickOne(t, "0", "1", "5", "-2", "2.5", "1e3", "7u", "data.n", "data.s", "data.nope", "one.data.n", "last(many).data.n", "count(many)", "count(none)", "sum(many.data.n)")
	}
	n := func() string { return randomNumber(t, depth-1) }
	switch rapid.IntRange(0, 9).Draw(t, "number") {
	case 0, 1, 2:
		return fmt.Sprintf("(%s %s %s)", n(), pickOne(t, "+", "-", "*", "/", "%"), n())
	case 3:
		return fmt.Sprintf("-(%s)", n())
	case 4:
		return fmt.Sprintf("size(%s)", pickOne(t, "data.s", "data.l", "data.o", "many", "one.data.l", "data.n", randomString(t, depth-1)))
	case 5:
		return fmt.Sprintf("%s(%s)", pickOne(t, "int", "double"), pickOne(t, randomString(t, depth-1), n()))
	case 6:
		return fmt.Sprintf("(%s ? %s : %s)", randomBool(t, depth-2), n(), n())
	case 7:
		return fmt.Sprintf("%s(%s)", pickOne(t, "sum", "avg"), pickOne(t, "many.data.n", "many.data.l[0]", "none.data.n", "one.data.n", "here.data.n"))
	case 8:
		return randomTime(t, depth-1) + "." + pickOne(t, "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds") +
			pickOne(t, "()", "()", `("Europe/Berlin")`, `("-03:30")`)
	default:
		return fmt.Sprintf("(%s).%s()", randomDuration(t, depth-1), pickOne(t, "getHours", "getMinutes", "getSeconds", "getMilliseconds"))
	}
}

func randomString(t *rapid.T, depth int) string {
	if depth <= 0 {
		return pickOne(t, `""`, `"a"`, `"AbC"`, `"ß"`, "data.s", "data.n", "data.nope", "type", "subject", "id", "one.type", "last(many).data.s", `"10.1.2.3"`, "ext.region")
	}
	s := func() string { return randomString(t, depth-1) }
	switch rapid.IntRange(0, 4).Draw(t, "string") {
	case 0:
		return fmt.Sprintf("(%s + %s)", s(), s())
	case 1, 2:
		return fmt.Sprintf("lower(%s)", s())
	case 3:
		return fmt.Sprintf("string(%s)", pickOne(t, randomNumber(t, depth-1), s(), "data.flag", "time"))
	default:
		return s()
	}
}

func randomTime(t *rapid.T, depth int) string {
	if depth <= 0 {
		return pickOne(t, "time", "one.time", "none.time", "last(many).time", "max(many.time)", "min(many.time)", `timestamp("2026-01-01T00:00:05Z")`, "timestamp(data.s)", "timestamp(data.n)", "timestamp(0)")
	}
	switch rapid.IntRange(0, 3).Draw(t, "time") {
	case 0:
		return fmt.Sprintf("(%s + %s)", randomTime(t, depth-1), randomDuration(t, depth-1))
	case 1:
		return fmt.Sprintf("(%s - %s)", randomTime(t, depth-1), randomDuration(t, depth-1))
	case 2:
		return fmt.Sprintf("(%s + %s)", randomDuration(t, depth-1), randomTime(t, depth-1))
	default:
		return randomTime(t, depth-1)
	}
}

func randomDuration(t *rapid.T, depth int) string {
	if depth <= 0 {
		return pickOne(t, `duration("5s")`, `duration("-1h30m")`, `duration("2540400h")`, "duration(data.s)", "(time - one.time)", "(last(many).time - first(many).time)")
	}
	switch rapid.IntRange(0, 3).Draw(t, "duration") {
	case 0:
		return fmt.Sprintf("(%s + %s)", randomDuration(t, depth-1), randomDuration(t, depth-1))
	case 1:
		return fmt.Sprintf("(%s - %s)", randomDuration(t, depth-1), randomDuration(t, depth-1))
	case 2:
		return fmt.Sprintf("(%s - %s)", randomTime(t, depth-1), randomTime(t, depth-1))
	default:
		return randomDuration(t, depth-1)
	}
}

// randomEvent draws an event whose fields now and then are missing or of
// another type than most expressions expect.
func randomEvent(t *rapid.T) *Event {
	data := map[string]any{}
	set := func(key string, options ...any) {
		if i := rapid.IntRange(0, len(options)).Draw(t, key); i < len(options) {
			data[key] = options[i]
		}
	}
	set("n", 0, 5, 5, -2, 2.5, 1e300, "5", nil, []any{1})
	set("s", "", "a", "AbC", "ABC", "ẞ", "10.9.9.9", "5m", "2026-01-01T00:00:05Z", "12", 7, false)
	set("flag", true, false, "true", nil)
	set("l", []any{}, []any{1, "a"}, []any{5, 2.5, nil}, []any{map[string]any{"k": 1}}, "a", map[string]any{"a": 1})
	set("o", map[string]any{}, map[string]any{"k": 1}, map[string]any{"k": nil, "a": 2}, map[string]any{"k": "AbC"}, []any{"k"}, 5)
	set("odd key", 5, "a")
	b, err := json.Marshal(data)
	require.NoError(t, err)
	ev := &event.Event{ID: "1", Source: "s", Type: pickOne(t, "a", "AbC"), Data: b}
	if rapid.Bool().Draw(t, "subject") {
		ev.Subject = "AbC"
	}
	if i := rapid.IntRange(0, 3).Draw(t, "time"); i > 0 {
		text := []string{"2026-01-01T00:00:05Z", "2026-01-01T00:00:00.25Z", "0001-01-01T00:00:01Z"}[i-1]
		ev.Time = toTime(event.StringValue(text), event.Value{}).Time()
	}
	if rapid.Bool().Draw(t, "region") {
		ev.SetExt("region", event.StringValue("a"))
	}
	if rapid.IntRange(0, 9).Draw(t, "data") == 0 {
		ev.Data = nil
	}
	tables := randomTables()
	if rapid.IntRange(0, 9).Draw(t, "tables") == 0 {
		tables = nil
	}
	return &Event{Ev: ev, Tables: tables}
}

const randomTable = `{"a": {"k": 5, "l": [1, 2.5], "o": {"x": "a"}}, "AbC": {"o": {}, "k": null}, "12": "a", "ABC": [1]}`

var randomTables = sync.OnceValue(func() *Tables {
	t := new(testing.T)
	return NewTables(map[string]*Table{"t": parseTable(t, "t.json", randomTable), "keys": parseTable(t, "keys.txt", "a\nAbC\n")})
})

func parseTable(t require.TestingT, file, src string) *Table {
	table, err := ParseTable("t", file, []byte(src))
	require.NoError(t, err)
	return table
}

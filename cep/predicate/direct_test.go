package predicate

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// sameAsCEL checks that what the direct parser makes of a text, if it takes it,
// is what the way over cel-go makes; where it left operands to cel-go, that both
// come out alike on some events.
func sameAsCEL(t require.TestingT, set *Set, scope Scope, src string) (plain bool) {
	own, plain, taken, _ := set.direct(scope, src, yamldoc.Pos{})
	got := &Cond{compiled: own}
	if !taken || len(src) > MaxSource {
		return taken && plain
	}
	want, err := set.addCEL(scope, src, yamldoc.Pos{})
	require.NoError(t, err, src)
	if plain {
		require.True(t, reflect.DeepEqual(want.root, got.root), "%q\nover cel-go: %s\ndirect: %s", src, want, got)
		return true
	}
	require.Equal(t, want.correlated, got.correlated, src)
	for i, ev := range someEvents() {
		env := bound{{ev}, someEvents()[i:], nil, {ev}, nil}
		require.Equal(t, want.Eval(ev, env), got.Eval(ev, env), "%q\nover cel-go: %s\ndirect: %s\n%s", src, want, got, ev.Ev.Data)
	}
	return false
}

var someEvents = sync.OnceValue(func() []*Event {
	var list []*Event
	for _, data := range []string{
		`{"n":5,"s":"AbC","l":[1,"a",{"k":2}],"o":{"k":1},"flag":true,"x":"a","a":1,"b":2,"odd key":5}`,
		`{"n":"5","s":7,"l":"x","o":[1],"flag":null,"x":1,"a":true,"b":"10.0.0.1"}`,
		`[]`,
		``,
	} {
		list = append(list, &Event{Ev: &event.Event{Type: "auth", Source: "s", ID: "1", Data: []byte(data)}, Tables: randomTables()})
	}
	return list
})

func TestDirectEqualsCEL(t *testing.T) {
	set := NewSet()
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		if sameAsCEL(t, set, randomScope(), randomTests(t, rapid.IntRange(0, 3).Draw(t, "depth"))) {
			taken++
		}
	})
	assert.Greater(t, taken, 10)
}

// What most rules look like is taken, and what belongs to cel-go is not.
func TestDirectTakes(t *testing.T) {
	set := NewSet()
	for src, want := range map[string]bool{
		`type == "auth" && data.user == "Bob"`:                              true,
		" (data.a.b[0][\"x y\"] != -2.5e3)\n || !( type in ['a', \"b\"] ) ": true,
		`lower(data.x).contains("ä\t\"\\") && lower(data.y) in ["a"]`:       true,
		`!!!data.flag && !has(data.x) && has(subject) && has(ext.r)`:        true,
		`cidr(data.ip, "10.0.0.0/8") || data.x.matches(r"^\d+$")`:           true,
		`time >= timestamp("2026-01-01T00:00:00Z") && true`:                 true,
		`data.x == null || data.x < true || data.x in [1, "a", null]`:       true,

		``:                             false,
		`type == 5`:                    false,
		`type`:                         false,
		`time == "x"`:                  false,
		`data.x < null`:                false,
		`data.x == 9007199254740993`:   false,
		`data.x == -0`:                 false,
		`data.x == 007`:                false,
		`data.x == 1u`:                 false,
		`data.x == """a"""`:            false,
		`data.x == "\x41"`:             false,
		"data.x == \"a\nb\"":           false,
		"data.x == \"\xff\"":           false,
		`!data.x == true`:              false,
		`(data.x) == 1`:                false,
		`data.in == 1`:                 false,
		`data.x == data.y`:             false,
		`data.x == 1 // so`:            false,
		`data.x in []`:                 false,
		`data.x in data.l`:             false,
		`has(data["x"])`:               false,
		`ext == 1`:                     false,
		`ext.A == 1`:                   false,
		`ext.a.b == 1`:                 false,
		`data.x.matches("(")`:          false,
		`cidr(data.x, "nope")`:         false,
		`one.data.x == 1`:              false,
		`data.x ==`:                    false,
		`data.x == -`:                  false,
		`data.x && `:                   false,
		`(data.x`:                      false,
		`data.x)`:                      false,
		`data.x == "a`:                 false,
		`data.`:                        false,
		`data[`:                        false,
		`data[1234567890] == 1`:        false,
		`lower(data.x)`:                false,
		`data.x ? data.y : data.z`:     false,
		strings.Repeat("(", 63) + "x":  false,
		`data.x == 1 | data.y == 1`:    false,
		`data.x.size() == 1`:           false,
		`data . x == 1`:                false,
		`lower(type.x).contains("a")`:  false,
		`lower(data.x).foo("a")`:       false,
		`matches(data.x, "a")`:         false,
		`data.x == timestamp("never")`: false,
	} {
		assert.Equal(t, want, sameAsCEL(t, set, randomScope(), src), src)
	}
	_, _, ok, _ := set.direct(Scope{Under: NoElement}, "true", yamldoc.Pos{})
	assert.False(t, ok, "nothing is under test")
	_, _, ok, _ = set.direct(Scope{Elements: []Element{{Name: "data"}}}, "data.x == 1", yamldoc.Pos{})
	assert.False(t, ok, "an element hides the payload")
}

// Long lists and chains are taken, up to bounds.
func TestDirectIsBounded(t *testing.T) {
	set := NewSet()
	list := func(n int) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(`"value-%d"`, i)
		}
		return "data.x in [" + strings.Join(items, ", ") + "]"
	}
	f, exact, cond, err := set.AddFormula(Scope{}, list(100_000), yamldoc.Pos{})
	require.NoError(t, err)
	assert.True(t, exact)
	assert.Nil(t, cond)
	assert.Len(t, f.Atom.Values(), 100_000)

	var chain strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&chain, `lower(data.s).contains("needle-%d") || `, i)
	}
	f, exact, cond, err = set.AddFormula(Scope{}, chain.String()+`data.s.matches("(?i)needle") || lower(data.s).contains("needle-0")`, yamldoc.Pos{})
	require.NoError(t, err)
	assert.True(t, exact)
	assert.Nil(t, cond)
	assert.Equal(t, FormulaOr, f.Kind)
	assert.Len(t, f.Kids, 1001, "each atom once")
	for _, k := range f.Kids {
		assert.Equal(t, FormulaAtom, k.Kind)
	}

	for _, src := range []string{
		strings.Repeat("data || ", maxTests) + "data",
		"data in [" + strings.Repeat("1,", maxTests) + "1]",
		strings.Repeat(" ", MaxDirect+1),
		strings.Repeat("(", MaxNesting+1) + "data" + strings.Repeat(")", MaxNesting+1),
	} {
		_, _, ok, _ := set.direct(Scope{}, src, yamldoc.Pos{})
		assert.False(t, ok, "%d bytes", len(src))
	}
	// Space before many operands that only cel-go can read.
	start := time.Now()
	_, err = set.Add(Scope{}, strings.Repeat(" ", MaxDirect-20_000)+strings.Repeat("data+1>2||", 1500)+"data", yamldoc.Pos{})
	require.NoError(t, err)
	assert.Less(t, time.Since(start), 5*time.Second)
	deep := strings.Repeat("(", MaxNesting-2) + "data" + strings.Repeat(")", MaxNesting-2)
	assert.True(t, sameAsCEL(t, set, Scope{}, deep))
}

// What one operand needs cel-go for, only that operand goes there; errors are
// those of the whole condition.
func TestDirectLeavesOperandsToCEL(t *testing.T) {
	scope := Scope{Elements: []Element{{Name: "a"}, {Name: "l", Repeated: true}, {Name: "x"}}, Under: 2}
	long := strings.Repeat(`data.s.contains("needle") || `, 1000)
	for src, want := range map[string]string{
		`type == "x" && data.u == last(l).data.u`:                       `type == "x" && data.u == last(l).data.u`,
		`(data.a || data.n + 1 > 2) && !(data.b == data.c) && data.d`:   `(data.a || (data.n + 1) > 2) && !(data.b == data.c) && data.d`,
		`data.a && !data.b == true && data.c`:                           `data.a && (!(data.b)) == true && data.c`,
		`data.a && (data.n + 1) * 2 > 3 || data.b`:                      `(data.a && ((data.n + 1) * 2) > 3) || data.b`,
		`data.a && (data.b ? data.c : data.d) && data.e`:                `data.a && (data.b ? data.c : data.d) && data.e`,
		`data.a && data.l.exists(i, i == "a || b" && i != ')') || true`: `(data.a && data.l.exists(i, i == "a || b" && i != ')')) || true`,
		`data.a && b"x" == data.x || false`:                             ``,
		long + `data.n + 1 > 2`:                                         long + `(data.n + 1) > 2`,
		long + `data.n + "x" > 2`:                                       ``,
	} {
		set := NewSet()
		cond, err := set.Add(scope, src, yamldoc.Pos{})
		if want == "" {
			require.Error(t, err, src)
			continue
		}
		require.NoError(t, err, src)
		assert.Equal(t, want, cond.String())
		_, exact, cond, err := set.AddFormula(scope, src, yamldoc.Pos{})
		require.NoError(t, err)
		assert.Equal(t, exact, !cond.Correlated())
		if len(src) < MaxSource {
			whole, err := set.addCEL(scope, src, yamldoc.Pos{})
			require.NoError(t, err)
			assert.Equal(t, whole.String(), cond.String())
			assert.Equal(t, whole.Correlated(), cond.Correlated())
		}
	}
	for _, src := range []string{`data.a ? data.b : data.c && data.d + 1 > 2`, `data.a && data.b // && data.c + 1 > 2`, `data.a && """x""" == data.y`, `data.a && r"\" == data.y`} {
		_, _, ok, _ := NewSet().direct(scope, src, yamldoc.Pos{})
		assert.False(t, ok, src)
	}
	_, err := NewSet().Add(scope, long+"\n data.n + \"x\" > 2", yamldoc.Pos{Line: 3, Col: 5})
	require.ErrorContains(t, err, "4:19: > does not work")
}

// randomTests draws conditions mostly of the direct parser's kind, and some that
// only look like it.
func randomTests(t *rapid.T, depth int) string {
	sp := func() string { return pickOne(t, "", "", " ", "\n\t") }
	if depth > 0 {
		switch rapid.IntRange(0, 5).Draw(t, "junction") {
		case 0, 1:
			return randomTests(t, depth-1) + sp() + "&&" + sp() + randomTests(t, depth-1)
		case 2, 3:
			return randomTests(t, depth-1) + sp() + "||" + sp() + randomTests(t, depth-1)
		case 4:
			return pickOne(t, "!", "!!", "! ") + randomTests(t, depth-1)
		default:
			return "(" + sp() + randomTests(t, depth-1) + sp() + ")"
		}
	}
	path := pickOne(t, "data.s", "data.o.k", `data["odd key"]`, "data.l[0]", "data.l[0].k", "ext.region", "data", "data.n")
	str := pickOne(t, `"a"`, `'AbC'`, `"a\\b\"\n"`, `r"\d"`, `""`, `"ß"`, `"10.0.0.0/8"`)
	lit := pickOne(t, str, "5", "-2", "2.5", "1e3", "true", `timestamp("2026-01-01T00:00:05Z")`)
	if rapid.IntRange(0, 15).Draw(t, "odd") == 0 {
		path = pickOne(t, "type", "subject", "time", "id", "none", "data.in", "data.l[00]")
		lit = pickOne(t, str, "1.", ".5", "0x1F", "00", "null", "r'''a'''")
	}
	switch rapid.IntRange(0, 8).Draw(t, "test") {
	case 0, 1:
		return path + sp() + pickOne(t, "==", "!=", "<", "<=", ">", ">=") + sp() + lit
	case 2:
		return path + sp() + " in" + sp() + "[" + sp() + lit + sp() + "," + lit + "]"
	case 3:
		return path + "." + pickOne(t, "startsWith", "endsWith", "contains", "matches") + "(" + sp() + str + sp() + ")"
	case 4:
		return "cidr(" + path + sp() + "," + sp() + `"::/0")`
	case 5:
		return "has(" + pickOne(t, "data.s", "data.o.k", "data", "ext.region", "data.l[0].k", path) + sp() + ")"
	case 6:
		return "lower(" + sp() + path + sp() + ")" + pickOne(t, " == "+str, ".contains("+str+")", " in ["+str+", 'a']", ".matches('^a')")
	default:
		return pickOne(t, path, "true", "false")
	}
}

// Whatever text: what the direct parser takes, it takes as cel-go does.
func FuzzDirect(f *testing.F) {
	for _, seed := range []string{
		`type == "auth" && data.user == "Bob"`,
		`!(data.n in [1, 2.5, "x", null]) || lower(data["s t"]).contains('ö\t')`,
		`cidr(data.ip, "::/0") && (has(data.l[0].b) || has(subject)) && !!data.flag`,
		`time > timestamp("2026-01-01T00:00:00Z") || data.x.matches(r"\d") || true`,
		`data.a && (data.n + 1 > 2 || data.l.exists(i, i == ")" || i == '&&')) && !data.b == true`,
		`type == "auth" && data.n == last(many).data.n && !(data.s in table.t) || data.x ? data.a : data.b`,
	} {
		f.Add(seed)
	}
	set := NewSet()
	f.Fuzz(func(t *testing.T, src string) {
		if sameAsCEL(t, set, randomScope(), src) {
			fm, exact, cond, err := set.AddFormula(randomScope(), src, yamldoc.Pos{})
			require.NoError(t, err)
			require.True(t, exact)
			require.Nil(t, cond)
			normal(t, &fm, 0)
		}
		if len(set.Paths()) > 1000 {
			set = NewSet()
		}
	})
}

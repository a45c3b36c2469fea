package predicate_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// env is a predicate.Env for tests.
type env [][]*predicate.Event

func (e env) Bound(elem int) []*predicate.Event { return e[elem] }

func parse(tb testing.TB, text string) *event.Event {
	tb.Helper()
	ev, err := event.ParseLoose([]byte(text))
	require.NoError(tb, err, text)
	return &ev
}

// scope is a: one event, fail: a list, ok: the element under test, never: a
// `not` element, later: what comes after ok.
func scope() predicate.Scope {
	return predicate.Scope{Elements: []predicate.Element{
		{Name: "a"},
		{Name: "fail", Repeated: true},
		{Name: "maybe"},
		{Name: "ok"},
		{Name: "never", Negative: true},
		{Name: "later"},
	}, Under: 3}
}

func testEnv(tb testing.TB) (*predicate.Event, env) {
	tb.Helper()
	a := &predicate.Event{Ev: parse(tb, `{"id":"a1","source":"s","type":"start","time":"2026-01-01T00:00:00Z","data":{"user":"Bob","n":5,"l":[1,"x",{"k":true}]}}`)}
	f1 := &predicate.Event{Ev: parse(tb, `{"id":"f1","source":"s","type":"auth","time":"2026-01-01T00:00:10Z","data":{"user":"bob","n":1,"ip":"10.0.0.1"}}`)}
	f2 := &predicate.Event{Ev: parse(tb, `{"id":"f2","source":"s","type":"auth","time":"2026-01-01T00:00:20Z","data":{"user":"Bob","n":4,"ip":"10.0.0.2"}}`)}
	ev := &predicate.Event{Ev: parse(tb, `{"id":"o1","source":"s","type":"auth","time":"2026-01-01T02:03:04.5Z","region":"eu","data":{
		"user":"Bob","n":5,"half":2.5,"flag":true,"nothing":null,"text":"5","ip":"10.1.2.3","ip6":"::ffff:10.1.2.3","span":"90s","when":"2026-01-01T00:00:00Z",
		"l":[1,"a",{"b":2},[3]],"o":{"k":null,"deep":{"er":"x"}},"odd key":1,"sharp":"Straße"}}`)}
	return ev, env{{a}, {f1, f2}, nil, nil, nil, nil}
}

func TestEval(t *testing.T) {
	tests := []struct {
		src  string
		want predicate.Tri
	}{
		// The event under test.
		{`type == "auth"`, predicate.True},
		{`type == "auth" && source == "s" && id == "o1"`, predicate.True},
		{`subject == "x"`, predicate.Unknown},
		{`ext.region == "eu" && ext["region"] != "us"`, predicate.True},
		{`data.user == "Bob"`, predicate.True},
		{`data["odd key"] == 1`, predicate.True},
		{`data.l[0] == 1 && data.l[2].b == 2 && data.l[3][0] == 3`, predicate.True},
		{`data.o.deep.er == "x"`, predicate.True},
		{`data.nothing == null`, predicate.True},
		{`data.flag`, predicate.True},
		{`data.user`, predicate.Unknown},
		{`true`, predicate.True},

		// Missing fields and wrong types are unknown.
		{`data.nope == 1`, predicate.Unknown},
		{`data.nope != 1`, predicate.Unknown},
		{`!(data.nope == 1)`, predicate.Unknown},
		{`data.nope == data.nope`, predicate.Unknown},
		{`data.user > 5`, predicate.Unknown},
		{`!(data.user > 5)`, predicate.Unknown},
		{`data.user + 1 == 2`, predicate.Unknown},
		{`data.nothing < 5`, predicate.Unknown},
		{`data.n.contains("5")`, predicate.Unknown},
		{`data.l[9] == 1`, predicate.Unknown},
		{`data.user.name == "x"`, predicate.Unknown},
		{`!data.n`, predicate.Unknown},
		// Values of different types are unequal, not unknown, as in CEL.
		{`data.text == 5`, predicate.False},
		{`data.text != 5`, predicate.True},
		{`data.nothing == 0`, predicate.False},

		// && and || absorb unknown where the other side decides.
		{`data.nope == 1 && type == "x"`, predicate.False},
		{`type == "x" && data.nope == 1`, predicate.False},
		{`data.nope == 1 && type == "auth"`, predicate.Unknown},
		{`data.nope == 1 || type == "auth"`, predicate.True},
		{`type == "auth" || data.nope == 1`, predicate.True},
		{`data.nope == 1 || type == "x"`, predicate.Unknown},
		{`!(data.nope == 1 || type == "x")`, predicate.Unknown},
		{`data.nope ? true : false`, predicate.Unknown},
		{`data.flag ? type == "auth" : data.nope`, predicate.True},

		// has
		{`has(data.user)`, predicate.True},
		{`has(data.nope)`, predicate.False},
		{`!has(data.nope)`, predicate.True},
		{`has(data.nothing)`, predicate.True},
		{`has(data.o.deep.er)`, predicate.True},
		{`has(data.o.deep.nope)`, predicate.False},
		{`has(data.nope.deep)`, predicate.Unknown},
		{`has(ext.region) && !has(ext.zone)`, predicate.True},
		{`has(subject)`, predicate.False},
		{`has(time) && has(data)`, predicate.True},
		{`has(a.data.user) && !has(a.subject)`, predicate.True},
		{`has(maybe.data.user)`, predicate.Unknown},
		{`has(data.data.x)`, predicate.Unknown},
		{`has(last(fail).data.ip) && has(fail[1].data.ip) && !has(first(fail).data.nope)`, predicate.True},
		{`fail.all(f, has(f.data.ip) && !has(f.data.nope))`, predicate.True},

		// Numbers are doubles; integers promote.
		{`data.n + 1 == 6 && 1 + data.n == 6`, predicate.True},
		{`data.n / 2 == 2.5 && data.n * 2 - 1 == 9`, predicate.True},
		{`data.n == 5.0 && data.n == 5u && data.half == 2.5`, predicate.True},
		{`data.n % 2 == 1`, predicate.True},
		{`data.half % 2 == 0.5`, predicate.Unknown},
		{`data.n % 0 == 0`, predicate.Unknown},
		{`-data.n == -5`, predicate.True},
		{`1 < data.n && 5 <= data.n && 5 >= data.n && 6 > data.n`, predicate.True},
		{`data.n > 1e3`, predicate.False},
		{`double(data.text) == 5 && int(data.half) == 2 && int("7") == 7`, predicate.True},
		{`string(data.n) + "x" == "5x" && string(data.half) == "2.5" && string(true) == "true"`, predicate.True},
		{`double(data.user) == 5`, predicate.Unknown},

		// Texts.
		{`data.user.startsWith("B") && data.user.endsWith("ob") && data.user.contains("o")`, predicate.True},
		{`data.user.matches("^B.b$") && matches(data.user, "o")`, predicate.True},
		{`lower(data.user) == "bob" && lower(data.user) != "Bob"`, predicate.True},
		{`lower(data.user).startsWith("bo") && lower(data.user).contains("ob") && lower(data.user) in ["x", "bob"]`, predicate.True},
		{`lower(data.sharp) == "straße" && lower(data.user) < "c"`, predicate.True},
		{`lower(data.n) == "5"`, predicate.Unknown},
		{`data.user < "C" && data.user >= "B"`, predicate.True},
		{`size(data.user) == 3 && data.sharp.size() == 6 && size(data.l) == 4 && size(data.o) == 2`, predicate.True},
		{`data.user + "!" == "Bob!"`, predicate.True},
		{`data.user.contains(fail[0].data.user)`, predicate.False},
		{`cidr(data.ip, "10.0.0.0/8") && !cidr(data.ip, "11.0.0.0/8") && cidr(data.ip6, "10.0.0.0/8")`, predicate.True},
		{`cidr(data.user, "10.0.0.0/8")`, predicate.Unknown},

		// in
		{`data.user in ["Alice", "Bob"]`, predicate.True},
		{`data.n in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]`, predicate.True},
		{`data.n in ["5", null, true]`, predicate.False},
		{`data.nope in ["a"]`, predicate.Unknown},
		{`data.n in []`, predicate.False},
		{`"a" in data.l && !("z" in data.l) && "k" in data.o`, predicate.True},
		{`"a" in data.user`, predicate.Unknown},
		{`data.user in [a.data.user, "x"]`, predicate.True},

		// Times and durations.
		{`time > timestamp("2026-01-01T00:00:00Z")`, predicate.True},
		{`timestamp(data.when) == a.time`, predicate.True},
		{`timestamp(data.user) == a.time`, predicate.Unknown},
		{`time - a.time > duration("2h") && time - a.time < duration("2h4m")`, predicate.True},
		{`a.time + duration("2h") < time && time - duration("2h") > a.time`, predicate.True},
		{`duration(data.span) == duration("1m") + duration("30s")`, predicate.True},
		{`duration(data.user) == duration("1m")`, predicate.Unknown},
		{`time.getHours() == 2 && time.getMinutes() == 3 && time.getMilliseconds() == 500`, predicate.True},
		{`time.getHours("Europe/Berlin") == 3 && time.getHours("+05:30") == 7`, predicate.True},
		{`(time - a.time).getMinutes() == 123`, predicate.True},
		{`timestamp(1767225600) == a.time`, predicate.True},
		{`data.user < time`, predicate.Unknown},

		// Other elements.
		{`a.data.user == data.user && a.type == "start"`, predicate.True},
		{`last(fail).data.user == data.user`, predicate.True},
		{`first(fail).data.user == data.user`, predicate.False},
		{`fail[0].data.n == 1 && fail[1].data.n == 4`, predicate.True},
		{`fail[2].data.n == 1`, predicate.Unknown},
		{`first(a).id == "a1" && last(a).id == "a1"`, predicate.True},
		{`maybe.data.user == "x"`, predicate.Unknown},
		{`count(maybe) == 0 && count(a) == 1 && count(fail) == 2 && size(fail) == 2`, predicate.True},
		{`sum(fail.data.n) == 5 && avg(fail.data.n) == 2.5 && min(fail.data.n) == 1 && max(fail.data.n) == 4`, predicate.True},
		{`sum(maybe.data.n) == 0`, predicate.True},
		{`avg(maybe.data.n) == 0 || min(maybe.data.n) == 0 || max(maybe.data.n) == 0`, predicate.Unknown},
		{`sum(fail.data.nope) == 0`, predicate.Unknown},
		{`sum(fail.data.ip) == 0`, predicate.Unknown},
		{`max(fail.data.ip) == "10.0.0.2"`, predicate.True},
		{`max(fail.time) - min(fail.time) == duration("10s")`, predicate.True},
		{`time - last(fail).time > duration("1h")`, predicate.True},
		{`data.n > avg(fail.data.n) * 1.5`, predicate.True},

		// What only the interpreter knows.
		{`data.l.exists(x, x == "a") && !data.l.all(x, x == "a")`, predicate.True},
		{`fail.all(f, f.data.n < data.n)`, predicate.True},
		{`fail.filter(f, f.data.n > 1).size() == 1`, predicate.True},
		{`fail.map(f, f.data.ip).exists_one(ip, ip == "10.0.0.1")`, predicate.True},
		{`data.nope.exists(x, x == 1)`, predicate.Unknown},
		{`{"a": data.n}.a == 5`, predicate.True},
		{`data.user.matches(data.user)`, predicate.True},
	}
	ev, bound := testEnv(t)
	set := predicate.NewSet()
	for _, tt := range tests {
		cond, err := set.Add(scope(), tt.src, yamldoc.Pos{File: "r.yaml", Line: 1, Col: 1})
		if !assert.NoError(t, err, tt.src) {
			continue
		}
		assert.Equal(t, tt.want, cond.Eval(ev, bound), "Eval(%s), understood as %s", tt.src, cond)
		scanned := &predicate.Event{Ev: ev.Ev, Fields: event.NewPathSet(set.Paths()).Scan(ev.Ev, nil)}
		assert.Equal(t, tt.want, cond.Eval(scanned, bound), "Eval(%s) with scanned fields", tt.src)
	}
}

// Without an environment nothing is bound, which is not an error.
func TestEvalWithoutEnv(t *testing.T) {
	ev, _ := testEnv(t)
	set := predicate.NewSet()
	for src, want := range map[string]predicate.Tri{
		`a.data.user == "Bob"`:  predicate.Unknown,
		`count(fail) == 0`:      predicate.True,
		`sum(fail.data.n) == 0`: predicate.True,
		`fail.all(f, false)`:    predicate.True,
	} {
		cond, err := set.Add(scope(), src, yamldoc.Pos{})
		require.NoError(t, err, src)
		assert.True(t, cond.Correlated(), src)
		assert.Equal(t, want, cond.Eval(ev, nil), src)
	}
}

func TestPayloadsOfOtherTypes(t *testing.T) {
	set := predicate.NewSet()
	text, err := set.Add(predicate.Scope{}, `data.contains("ell")`, yamldoc.Pos{})
	require.NoError(t, err)
	field, err := set.Add(predicate.Scope{}, `has(data.x)`, yamldoc.Pos{})
	require.NoError(t, err)
	for _, tt := range []struct {
		ev          event.Event
		text, field predicate.Tri
	}{
		{event.Event{Type: "x"}, predicate.Unknown, predicate.False},
		{event.Event{Type: "x", DataContentType: "text/plain", Data: []byte("hello")}, predicate.True, predicate.False},
		{event.Event{Type: "x", Data: []byte(`{"x":1}`)}, predicate.Unknown, predicate.True},
		{event.Event{Type: "x", Data: []byte(`[1]`)}, predicate.Unknown, predicate.Unknown},
	} {
		assert.Equal(t, tt.text, text.Eval(&predicate.Event{Ev: &tt.ev}, nil), "%s", tt.ev.Data)
		assert.Equal(t, tt.field, field.Eval(&predicate.Event{Ev: &tt.ev}, nil), "%s", tt.ev.Data)
	}
}

func TestInterpretedIsTold(t *testing.T) {
	set := predicate.NewSet()
	for src, part := range map[string]string{
		`type == "a" && data.l.exists(x, x == (1 + 2)) && data.n == 1`: `data.l.exists(x, x == (1 + 2))`,
		`type == "a" && data.user == last(fail).data.user`:             ``,
		`!(data.l.all(x, x > 1) || data.n > 1)`:                        `data.l.all(x, x > 1)`,
		`[data.n] == [1]`:                                              `[data.n] == [1]`,
	} {
		cond, err := set.Add(scope(), src, yamldoc.Pos{})
		require.NoError(t, err, src)
		is, got := cond.Interpreted()
		assert.Equal(t, part != "", is, src)
		assert.Equal(t, part, got, src)
	}
}

func TestGuards(t *testing.T) {
	tests := []struct{ src, want string }{
		{`type == "a"`, `type [a]`},
		{`type == "a" && data.n > 1`, `type [a]`},
		{`"a" == type && data.user in ["x", "y"] && data.n == 5 && data.flag`, `type [a]; data.user [x y]; data.n [5]; data.flag [true]`},
		{`type == "a" || type == "b"`, `type [a b]`},
		{`(type == "a" && data.n == 1) || (type in ["b", "c"] && data.m == 1)`, `type [a b c]`},
		{`type == "a" || data.n == 1`, ``},
		{`!(type == "a")`, ``},
		{`type != "a"`, ``},
		{`lower(type) == "a"`, ``},
		{`data.user == a.data.user`, ``},
		{`data.l.exists(x, x == 1) && data.n == 1`, `data.n [1]`},
		{`data.x == null`, `data.x [<nil>]`},
		{`time == timestamp("2026-01-01T00:00:00Z")`, `time [2026-01-01 00:00:00 +0000 UTC]`},
	}
	set := predicate.NewSet()
	for _, tt := range tests {
		cond, err := set.Add(scope(), tt.src, yamldoc.Pos{})
		require.NoError(t, err, tt.src)
		var got []string
		for _, g := range cond.Guards() {
			assert.Equal(t, g.Path, set.Paths()[g.Index])
			var values []any
			for _, v := range g.Values {
				values = append(values, v.Any())
			}
			got = append(got, fmt.Sprint(g.Path, " ", values))
		}
		assert.Equal(t, tt.want, strings.Join(got, "; "), tt.src)
	}
}

func TestReads(t *testing.T) {
	const all, last = predicate.PartAll, predicate.PartLast
	tests := []struct {
		src  string
		want []predicate.Read
	}{
		{`type == "a"`, nil},
		{`data.x == a.data.x && a.data.y == 1`, []predicate.Read{{Elem: 0}}},
		{`data.x == last(fail).data.x && has(last(fail).data.y)`, []predicate.Read{{Elem: 1, Part: last}}},
		{`fail[2].id == first(fail).id`, []predicate.Read{{Elem: 1, Part: predicate.PartNth, N: 2}, {Elem: 1}}},
		{`count(fail) > sum(maybe.data.n)`, []predicate.Read{{Elem: 1, Part: all}, {Elem: 2, Part: all}}},
		{`fail.all(f, f.id == id) && a.id == id`, []predicate.Read{{Elem: 1, Part: all}, {Elem: 0}}},
	}
	set := predicate.NewSet()
	for _, tt := range tests {
		cond, err := set.Add(scope(), tt.src, yamldoc.Pos{})
		require.NoError(t, err, tt.src)
		assert.Equal(t, tt.want, cond.Reads(), tt.src)
	}
}

func TestPathsAndAtomsAreShared(t *testing.T) {
	set := predicate.NewSet()
	for _, src := range []string{`type == "a" && data.n > 1`, `type == "b" || data.n > 1`, `data.n < last(fail).data.m`} {
		_, err := set.Add(scope(), src, yamldoc.Pos{})
		require.NoError(t, err)
	}
	assert.Equal(t, "[type data.n data.m]", fmt.Sprint(set.Paths()))
}

func TestExplain(t *testing.T) {
	ev, bound := testEnv(t)
	set := predicate.NewSet()
	cond, err := set.Add(scope(), `type == "auth" && !(data.n > 10 || data.nope == 1) && data.user == last(fail).data.user && sum(fail.data.n) + 1 > count(fail)`, yamldoc.Pos{})
	require.NoError(t, err)
	var b strings.Builder
	for _, a := range cond.Explain(ev, bound) {
		fmt.Fprintf(&b, "%s: %s", a.Result, a.Text)
		for _, v := range a.Values {
			fmt.Fprintf(&b, " | %s = %v", v.Path, v.Value.Any())
		}
		b.WriteByte('\n')
	}
	assert.Equal(t, `true: type == "auth" | type = auth
false: data.n > 10 | data.n = 5
unknown: data.nope == 1 | data.nope = <nil>
true: data.user == last(fail).data.user | data.user = Bob | last(fail).data.user = Bob
true: (sum(fail.data.n) + 1) > count(fail) | sum(fail.data.n) = 5 | count(fail) = 2
`, b.String())
}

// TestBadConditions holds the exact text of every complaint.
func TestBadConditions(t *testing.T) {
	src, err := os.ReadFile("testdata/bad.txt")
	require.NoError(t, err)
	var b strings.Builder
	set := predicate.NewSet()
	for line := range strings.SplitSeq(strings.TrimSpace(string(src)), "\n") {
		_, err := set.Add(scope(), strings.ReplaceAll(line, `\n`, "\n"), yamldoc.Pos{File: "r.yaml", Line: 3, Col: 11})
		if !assert.Error(t, err, line) {
			continue
		}
		var errs yamldoc.Errors
		require.ErrorAs(t, err, &errs, line)
		fmt.Fprintf(&b, "%s\n", line)
		for _, e := range errs {
			assert.NotEmpty(t, predicate.Codes()[e.Code], "code %s of %s", e.Code, line)
			fmt.Fprintf(&b, "    %s [%s]\n", e, e.Code)
		}
	}
	golden(t, "testdata/bad.golden", b.String())
}

func TestBounds(t *testing.T) {
	set := predicate.NewSet()
	deep := func(n int) string { return strings.Repeat("(", n) + "true" + strings.Repeat(")", n) }
	for name, tt := range map[string]struct {
		src  string
		want string // "": accepted
	}{
		"long":              {`data.x + 1 == "` + strings.Repeat("a", 17<<10) + `"`, "the limit is 16384"},
		"long but plain":    {`data.x == "` + strings.Repeat("a", 17<<10) + `"`, ""},
		"nested":            {deep(65), "brackets inside brackets"},
		"nested enough":     {deep(64), ""},
		"many nots":         {strings.Repeat("!", 5000) + "true", ""},
		"many minus":        {"data.n == " + strings.Repeat("- ", 3000) + "1", ""},
		"long sum":          {"data.n == 1" + strings.Repeat("+1", 4000), "too large or too deep"},
		"long chain":        {"data" + strings.Repeat(".a", 4000) + " == 1", "too large or too deep"},
		"many alternatives": {`type == "a"` + strings.Repeat(` || type == "a"`, 900), ""},
		"ternaries":         {strings.Repeat("data.a ? true : ", 900) + "true", "too large or too deep"},
		"long pattern":      {`data.x.matches("` + strings.Repeat("a", 1025) + `")`, "longer than 1,024"},
		"huge repetition":   {`data.x.matches("((a{100}){100}){100}")`, "invalid repeat count"},
		"nested macros":     {strings.Repeat("data.l.all(x, ", 60) + "true" + strings.Repeat(")", 60), ""},
		"large list":        {"data.n in [" + strings.Repeat("1,", 8000) + "1]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			cond, err := set.Add(predicate.Scope{}, tt.src, yamldoc.Pos{Line: 1, Col: 1})
			assert.Less(t, time.Since(start), 3*time.Second)
			if tt.want == "" {
				require.NoError(t, err)
				assert.NotPanics(t, func() { cond.Eval(&predicate.Event{Ev: &event.Event{Type: "x"}}, nil) })
				return
			}
			require.ErrorContains(t, err, tt.want)
			assert.Less(t, len(err.Error()), 1000, "the message must not repeat the input")
		})
	}
}

// A loop over a large payload stops at the cost limit and is unknown.
func TestCostLimit(t *testing.T) {
	set := predicate.NewSet()
	cond, err := set.Add(predicate.Scope{}, `data.l.all(x, data.l.all(y, data.l.all(z, x + y + z >= 0)))`, yamldoc.Pos{})
	require.NoError(t, err)
	ev := &event.Event{Type: "x", Data: []byte(`{"l":[` + strings.Repeat("1,", 5000) + `1]}`)}
	start := time.Now()
	assert.Equal(t, predicate.Unknown, cond.Eval(&predicate.Event{Ev: ev}, nil))
	assert.Less(t, time.Since(start), 5*time.Second)
}

// Texts joined and joined again stop at the size of an event.
func TestTextsDoNotExplode(t *testing.T) {
	src := "data.s"
	for range 10 {
		src = "(" + src + " + " + src + ")"
	}
	set := predicate.NewSet()
	cond, err := set.Add(predicate.Scope{}, src+` == "x"`, yamldoc.Pos{})
	require.NoError(t, err)
	ev := &event.Event{Type: "x", Data: []byte(`{"s":"` + strings.Repeat("a", 500_000) + `"}`)}
	assert.Equal(t, predicate.Unknown, cond.Eval(&predicate.Event{Ev: ev}, nil))

	tmpl, err := set.CompileTemplate(predicate.Scope{}, strings.Repeat("${event.data.s} ", 10), yamldoc.Pos{Line: 1, Col: 1})
	require.NoError(t, err)
	_, err = tmpl.Eval(predicate.Vars{Event: ev})
	assert.ErrorContains(t, err, "the text grows beyond 4194304 bytes")
}

// Conditions and templates are shared by goroutines; run with -race.
func TestConcurrentUse(t *testing.T) {
	ev, bound := testEnv(t)
	set := predicate.NewSet()
	var conds []*predicate.Cond
	for _, src := range []string{`type == "auth" && data.user == last(fail).data.user`, `data.l.exists(x, x == "a")`, `lower(data.user).matches("b")`} {
		c, err := set.Add(scope(), src, yamldoc.Pos{})
		require.NoError(t, err)
		conds = append(conds, c)
	}
	tmpl, err := set.CompileTemplate(scope(), "${a.data.user} ${count(fail)}", yamldoc.Pos{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				for _, c := range conds {
					assert.Equal(t, predicate.True, c.Eval(ev, bound))
					c.Explain(ev, bound)
				}
				out, err := tmpl.Eval(predicate.Vars{Bind: map[string][]*event.Event{"a": {bound[0][0].Ev}}})
				assert.NoError(t, err)
				assert.Equal(t, "Bob 0", out)
			}
		})
	}
	wg.Wait()
}

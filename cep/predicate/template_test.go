package predicate_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

func templateVars(tb testing.TB) predicate.Vars {
	tb.Helper()
	ev, bound := testEnv(tb)
	return predicate.Vars{
		Event: ev.Ev,
		Bind: map[string][]*event.Event{
			"a":    {bound[0][0].Ev},
			"fail": {bound[1][0].Ev, bound[1][1].Ev},
			"ok":   {ev.Ev},
		},
		Steps: map[string]any{
			"decide": map[string]any{"out": map[string]any{"score": 3, "ok": true, "list": []any{int64(1), 2.5}}, "error": nil},
		},
	}
}

func templateScope() predicate.Scope {
	s := scope()
	s.Under = predicate.NoElement
	return s
}

func TestTemplate(t *testing.T) {
	tests := []struct {
		text string
		want any
	}{
		// One whole expression keeps its type.
		{"${a.data.user}", "Bob"},
		{"${a.data.n}", int64(5)},
		{"${count(fail)}", int64(2)},
		{"${ok.data.half}", 2.5},
		{"${a.data.n * 2 + 1}", int64(11)},
		{"${ok.data.flag}", true},
		{"${ok.data.nothing}", nil},
		{"${ok.data.l}", []any{int64(1), "a", map[string]any{"b": int64(2)}, []any{int64(3)}}},
		{"${ok.data.o}", map[string]any{"k": nil, "deep": map[string]any{"er": "x"}}},
		{"${fail.map(f, f.data.ip)}", []any{"10.0.0.1", "10.0.0.2"}},
		{"${event.id}", "o1"},
		{"${event.data.user == a.data.user}", true},
		{"${ok.time}", "2026-01-01T02:03:04.5Z"},
		{"${ok.time - a.time}", "7384.5s"},
		{"${steps.decide.out.score + 1}", int64(4)},
		{"${steps.decide.out.list}", []any{int64(1), 2.5}},
		{`${steps["decide"].out.ok}`, true},
		{"${sum(fail.data.n) / count(fail)}", 2.5},
		{"${first(fail).data.ip}", "10.0.0.1"},
		{"${fail[1].data.ip}", "10.0.0.2"},
		{"${count(maybe)}", int64(0)},
		{"${has(a.data.nope) ? a.data.nope : 'none'}", "none"},
		{`${ {"user": a.data.user, "n": [1, 2]} }`, map[string]any{"user": "Bob", "n": []any{int64(1), int64(2)}}},
		// Anything else is text.
		{"", ""},
		{"no expression", "no expression"},
		{"locked ${ok.data.user} after ${count(fail)} failures", "locked Bob after 2 failures"},
		{" ${a.data.n}", " 5"},
		{"${a.data.n}${a.data.n}", "55"},
		{"${ok.data.half}/${ok.data.flag}/${ok.data.nothing}/${ok.data.o}", `2.5/true/null/{"deep":{"er":"x"},"k":null}`},
		{"${'a}b'} {x} $ {y} ${\"}\"}", "a}b {x} $ {y} }"},
		{"$${a.data.n} costs $5, $$${a.data.n}", "${a.data.n} costs $5, $${a.data.n}"},
		{"line 1\nline ${a.data.n}", "line 1\nline 5"},
	}
	set := predicate.NewSet()
	for _, tt := range tests {
		tmpl, err := set.CompileTemplate(templateScope(), tt.text, yamldoc.Pos{File: "r.yaml", Line: 7, Col: 9})
		if !assert.NoError(t, err, tt.text) {
			continue
		}
		got, err := tmpl.Eval(templateVars(t))
		assert.NoError(t, err, tt.text)
		assert.Equal(t, tt.want, got, "Eval(%q)", tt.text)
		_, err = json.Marshal(got)
		assert.NoError(t, err, tt.text)
	}
}

// What is missing fails, and the message names the expression and its place.
func TestTemplateFails(t *testing.T) {
	tests := []struct{ text, want string }{
		{"${ok.data.nope}", "r.yaml:7:11: ${ok.data.nope}: nope is missing"},
		{"x\n ${maybe.data.user}", "r.yaml:8:4: ${maybe.data.user}: maybe is not bound in this match"},
		{"${ok.data.user + 1}", "r.yaml:7:11: ${ok.data.user + 1}: a value has the wrong type (no such overload)"},
		{"${steps.nope.out}", "r.yaml:7:11: ${steps.nope.out}: nope is missing"},
		{"${fail[7].id}", "r.yaml:7:11: ${fail[7].id}: index out of bounds: 7"},
		{"a ${1 / (a.data.n - 5)}", "r.yaml:7:13: ${1 / (a.data.n - 5)}: +Inf is not a number that JSON can write"},
		{"${{1: 2}}", "r.yaml:7:11: ${{1: 2}}: the key 1 of a map is not a text"},
		{"${timestamp(ok.data.user)}", "r.yaml:7:11: ${timestamp(ok.data.user)}: no value"},
	}
	set := predicate.NewSet()
	for _, tt := range tests {
		tmpl, err := set.CompileTemplate(templateScope(), tt.text, yamldoc.Pos{File: "r.yaml", Line: 7, Col: 9})
		require.NoError(t, err, tt.text)
		_, err = tmpl.Eval(templateVars(t))
		assert.EqualError(t, err, tt.want)
	}

	tmpl, err := set.CompileTemplate(templateScope(), "${event.id}", yamldoc.Pos{File: "r.yaml", Line: 7, Col: 9})
	require.NoError(t, err)
	_, err = tmpl.Eval(predicate.Vars{})
	assert.EqualError(t, err, "r.yaml:7:11: ${event.id}: there is no trigger event: the match came from the clock")
}

func TestBadTemplates(t *testing.T) {
	tests := []struct{ text, want string }{
		{"a ${b", "r.yaml:7:13: ${ is not closed; close it with }, or write $${ for the characters ${"},
		{"${'}", "r.yaml:7:11: ${ is not closed; close it with }, or write $${ for the characters ${"},
		{"${}", "r.yaml:7:11: is empty; write an expression such as ${event.data.user}"},
		{"${data.x}", "r.yaml:7:11: data alone belongs to no event here; write event.data, or name the element: ELEMENT.data"},
		{"${has(subject)}", "r.yaml:7:14: an attribute alone belongs to no event here; write has(event.subject), or name the element: has(ELEMENT.subject)"},
		{"${vars.x}", "r.yaml:7:11: vars is not supported yet; leave it out until a release that knows it"},
		{"x ${oops} y ${foo}", "r.yaml:7:13: oops is not defined here; a payload field is written data.oops; the elements are a, fail, maybe, ok, never, later\n" +
			"r.yaml:7:23: foo is not defined here; a payload field is written data.foo; the elements are a, fail, maybe, ok, never, later"},
		{"${never.id}", "r.yaml:7:11: never is a `not` element, to which no event is ever bound; refer to an element that is bound"},
		{"${int('x')}", "r.yaml:7:11: int('x') cannot be evaluated: no value; correct the constant"},
	}
	set := predicate.NewSet()
	for _, tt := range tests {
		_, err := set.CompileTemplate(templateScope(), tt.text, yamldoc.Pos{File: "r.yaml", Line: 7, Col: 9})
		assert.EqualError(t, err, tt.want)
	}
}

func TestTemplateRefs(t *testing.T) {
	set := predicate.NewSet()
	tests := []struct {
		text     string
		want     predicate.Refs
		constant bool
	}{
		{"plain", predicate.Refs{}, true},
		{"${event.id} ${a.id} ${count(fail)} ${last(fail).id} ${steps.x.out} ${steps.y.error}", predicate.Refs{
			Event: true, Elements: []string{"a", "fail"}, Steps: []string{"x", "y"},
		}, false},
		{"${size(steps)}", predicate.Refs{AllSteps: true}, false},
		{`${steps["x"].out}`, predicate.Refs{Steps: []string{"x"}}, false},
		{`${steps[a.id].out}`, predicate.Refs{Elements: []string{"a"}, AllSteps: true}, false},
		{`${has(steps.x.out)}`, predicate.Refs{Steps: []string{"x"}}, false},
	}
	for _, tt := range tests {
		tmpl, err := set.CompileTemplate(templateScope(), tt.text, yamldoc.Pos{})
		require.NoError(t, err, tt.text)
		assert.Equal(t, tt.want, tmpl.Refs(), tt.text)
		assert.Equal(t, tt.constant, tmpl.Constant(), tt.text)
	}
}

// A rule with a bare condition binds event, which is also the trigger.
func TestTemplateOfBareCondition(t *testing.T) {
	set := predicate.NewSet()
	tmpl, err := set.CompileTemplate(predicate.Scope{Elements: []predicate.Element{{Name: "event"}}}, "${event.data.n}", yamldoc.Pos{})
	require.NoError(t, err)
	ev := parse(t, `{"type":"x","data":{"n":7}}`)
	got, err := tmpl.Eval(predicate.Vars{Event: ev, Bind: map[string][]*event.Event{"event": {ev}}})
	require.NoError(t, err)
	assert.Equal(t, int64(7), got)
}

func ExampleSet_CompileTemplate() {
	set := predicate.NewSet()
	scope := predicate.Scope{Elements: []predicate.Element{{Name: "fail", Repeated: true}, {Name: "ok"}}, Under: predicate.NoElement}
	tmpl, err := set.CompileTemplate(scope, "locked ${ok.data.user} after ${count(fail)} failures", yamldoc.Pos{})
	if err != nil {
		panic(err)
	}
	login, err := event.ParseLoose([]byte(`{"type":"auth.success","data":{"user":"bob"}}`))
	if err != nil {
		panic(err)
	}
	text, err := tmpl.Eval(predicate.Vars{Bind: map[string][]*event.Event{"ok": {&login}, "fail": {&login, &login}}})
	fmt.Println(text, err)
	// Output: locked bob after 2 failures <nil>
}

package predicate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Whatever text a rule holds: no panic, no endless work, and a condition that
// compiles can be evaluated, explained and printed.
func FuzzCondition(f *testing.F) {
	for _, seed := range []string{
		`type == "auth" && data.user == last(fail).data.user`,
		`!(data.n in [1, 2.5, "x", null]) || lower(data.s).contains("ö")`,
		`data.l.exists(x, x > count(fail)) ? has(subject) : cidr(data.ip, "::/0")`,
		`time - a.time < duration("5m") && sum(fail.data.n) % 2 == 0`,
		`data["odd key"][3].x.matches("^a|b$") && timestamp(data.t).getHours("+01:00") > 2`,
		`has(a.data.x) == (fail[0].id != "" || size(data) >= -1)`,
		`[{"a": 1}][0].a == 1 // comment`,
		"'''triple\n''' == r\"raw\\\" || b'x' == data.b",
	} {
		f.Add(seed)
	}
	set := predicate.NewSet()
	ev, bound := testEnv(f)
	f.Fuzz(func(t *testing.T, src string) {
		start := time.Now()
		cond, err := set.Add(scope(), src, yamldoc.Pos{File: "f", Line: 1, Col: 1})
		if err == nil {
			result := cond.Eval(ev, bound)
			scanned := &predicate.Event{Ev: ev.Ev, Fields: event.NewPathSet(set.Paths()).Scan(ev.Ev, nil)}
			require.Equal(t, result, cond.Eval(scanned, bound), src)
			cond.Eval(&predicate.Event{Ev: &event.Event{}}, nil)
			cond.Explain(ev, bound)
			cond.Guards()
			require.NotEmpty(t, cond.String())
		} else {
			require.NotEmpty(t, err.Error())
		}
		require.Less(t, time.Since(start), 10*time.Second, src)
		if len(set.Paths()) > 1000 {
			set = predicate.NewSet()
		}
	})
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"a ${a.data.user} $${x} ${fail.map(f, f.id)}", "${{'a': [1, {}]}}", "${steps.x.out}${", "$$$${event.time - a.time}"} {
		f.Add(seed)
	}
	vars := templateVars(f)
	f.Fuzz(func(t *testing.T, text string) {
		tmpl, err := predicate.NewSet().CompileTemplate(templateScope(), text, yamldoc.Pos{File: "f", Line: 1, Col: 1})
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		out, err := tmpl.Eval(vars)
		if err == nil && tmpl.Constant() {
			require.IsType(t, "", out)
		}
	})
}

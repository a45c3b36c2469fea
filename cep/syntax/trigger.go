package syntax

import (
	"math"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// maxLet bounds the aggregates of a window.
const maxLet = 64

// window reads a window rule. The texts under `window` and `let` are for
// cep/window.
func (r *reader) window(n, when *yamldoc.Node) *Window {
	w := new(Window)
	w.Text, w.Pos = r.expression(n, "when.window", "write tumbling 1m, sliding 5m every 10s, session 30s or count 100")
	w.Where, w.WherePos = r.where(when)
	let := when.Get("let")
	switch {
	case let == nil:
		r.fail(n.Pos, "when.let", CodeRequired, `add let: {n: "count()"}`, "is missing: a window is about aggregates")
	case let.Kind != yamldoc.Map || len(let.Keys) == 0 || len(let.Keys) > maxLet:
		r.fail(let.Pos, "when.let", CodeType, `write {n: "count()"}`, "must be a map of 1 to %d aggregates", maxLet)
	default:
		for _, e := range let.Keys {
			key := join("when.let", e.Key)
			if msg, fix := badElement(e.Key); msg != "" {
				r.fail(e.Pos, key, CodeName, fix, "%s", strings.Replace(msg, "an element", "an aggregate", 1))
			}
			l := Let{Name: r.own(e.Key, e.Pos), NamePos: e.Pos}
			l.Text, l.Pos = r.expression(e.Value, key, "write an aggregate, such as count() or avg(data.ms)")
			w.Let = append(w.Let, l)
		}
	}
	if having := when.Get("having"); having != nil {
		w.Having, w.HavingPos = r.condition(having, "when.having")
	}
	return w
}

func (r *reader) where(when *yamldoc.Node) (string, yamldoc.Pos) {
	if n := when.Get("where"); n != nil {
		return r.condition(n, "when.where")
	}
	return "", yamldoc.Pos{}
}

// schedule reads a schedule rule. The text is for cep/trigger.
func (r *reader) schedule(n, when *yamldoc.Node) *Schedule {
	s := new(Schedule)
	s.Cron, s.Pos = r.expression(n, "when.schedule", `write minute, hour, day, month and weekday, such as "0 3 * * mon-fri"`)
	if zone := when.Get("timezone"); zone != nil {
		s.Timezone, s.TimezonePos = r.scalar(zone, "when.timezone"), zone.Pos
	}
	s.Missed = Missed(r.choice(when, "when", "missed", missedNames()))
	s.DST = DST(r.choice(when, "when", "dst", dstNames()))
	return s
}

// state reads a state rule, which has exactly one test.
func (r *reader) state(n, when *yamldoc.Node) *State {
	s := &State{Low: math.Inf(-1), High: math.Inf(1)}
	s.Text, s.Pos = r.expression(n, "when.state", "name a value, such as data.usage")
	s.Where, s.WherePos = r.where(when)
	var test *yamldoc.Entry
	for i, key := range stateTestNames() {
		e := entry(when, key)
		switch {
		case e == nil:
		case test == nil:
			test = e
			s.Test, s.TestPos = StateTest(i), e.Value.Pos
			r.stateTest(s, e.Value, join("when", key))
		default:
			r.fail(e.Pos, join("when", key), CodeValue, "keep one of them, or write two rules", "a state rule has one test, and there is %s", test.Key)
		}
	}
	if test == nil {
		r.fail(n.Pos, "when", CodeRequired, "add one of "+strings.Join(stateTestNames(), ", "), "does not say what the state is tested for")
	}
	if tolerance := entry(when, "tolerance"); tolerance != nil {
		s.Tolerance = r.number(tolerance.Value, "when.tolerance")
		switch {
		case s.Tolerance < 0:
			r.fail(tolerance.Value.Pos, "when.tolerance", CodeValue, "write a number of 0 or more", "%s is below zero", clip(tolerance.Value.Text))
		case s.Test != Above && s.Test != Below && s.Test != Between:
			r.fail(tolerance.Pos, "when.tolerance", CodeKey, "leave it out", "goes with above, below and between")
		}
	}
	s.For = r.span(when.Get("for"), "when.for")
	return s
}

// stateTest reads what a test compares with.
func (r *reader) stateTest(s *State, n *yamldoc.Node, key string) {
	switch s.Test {
	case Above:
		s.Low = r.number(n, key)
	case Below:
		s.High = r.number(n, key)
	case Between:
		if n.Kind != yamldoc.List || len(n.Items) != 2 {
			r.fail(n.Pos, key, CodeType, "write [LOW, HIGH]", "must be a list of two numbers")
			return
		}
		s.Low, s.High = r.number(n.Items[0], key+"[0]"), r.number(n.Items[1], key+"[1]")
		if s.Low > s.High {
			r.fail(n.Pos, key, CodeValue, "put the lower number first", "nothing is from %s to %s", clip(n.Items[0].Text), clip(n.Items[1].Text))
		}
	case Equals, Differs:
		if n.Kind == yamldoc.List || n.Kind == yamldoc.Map || n.Kind == yamldoc.Null {
			r.fail(n.Pos, key, CodeType, "write a text, a number, true or false", "must be a single value, not %s", n.Kind)
			return
		}
		s.Value = n.Any()
	case Changes:
		if n.Kind != yamldoc.Bool || !n.Bool() {
			r.fail(n.Pos, key, CodeValue, "write true, or choose another test", "must be true, not %s", spelled(n))
		}
	case Matches:
		s.Regexp, _ = r.expression(n, key, "write a regular expression (RE2)")
	}
}

package cep

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
)

// Match is one match of a rule, or a partial match that ran out of time and that
// the rule wants to hear of. Its events are copies that belong to it; it stays
// valid and must not be changed.
type Match struct {
	ID           string // "m-" and 32 characters: the same for the same match, however often the log is read
	Rule         *Rule
	At           time.Time    // lane time when it was given out; for what time triggered, the deadline
	Trigger      string       // id of the completing event, or "time"
	TriggerEvent *event.Event // nil for time
	TriggerPos   Position     // of the completing event, or of the record that moved time
	Timeout      bool         // a partial match that ran out of time
	Deadline     time.Time    // when time completed it or cut it short; otherwise zero
	Bind         []Binding    // elements with events, in the order of the pattern; none of a window
	Window       *Window      // of rules over windows; otherwise nil
	Score        *float64     // how sure the match is, from 0 to 1, if the rule says so
	Why          []Reason     // with Options.Explain; see Explain

	key   string
	place int32 // of the rule
	prog  *Program
	plan  *plan // nil for a bare rule
	pairs []engine.Pair
}

// Explain tells, for every event of the match in the order they were bound, what
// met its element's condition. It evaluates the conditions again, which takes a
// while; Why holds the same when the matcher was asked for it.
func (m *Match) Explain() []Reason {
	if m.Why != nil {
		return m.Why
	}
	if m.plan == nil {
		pl, err := m.prog.planOf(m.prog.find(m.Rule.Name))
		if err != nil { // it was compiled before
			return nil
		}
		m.plan = pl
	}
	return m.plan.why(m.pairs)
}

// Binding is an element and the events bound to it, oldest first.
type Binding struct {
	Element   string
	Events    []*event.Event
	Positions []Position
}

// MarshalJSON gives the element and the ids of its events.
func (b Binding) MarshalJSON() ([]byte, error) {
	ids := make([]string, len(b.Events))
	for i, ev := range b.Events {
		ids[i] = ev.ID
	}
	return json.Marshal(struct {
		Element string   `json:"element"`
		Events  []string `json:"events"`
	}{b.Element, ids})
}

// Bound gives the events bound to an element, oldest first; none when it is not
// bound.
func (m *Match) Bound(element string) []*event.Event {
	for i := range m.Bind {
		if m.Bind[i].Element == element {
			return m.Bind[i].Events
		}
	}
	return nil
}

// Key shows the value of the rule's `by` to people; parts are joined by a space.
// It is empty for a rule without.
func (m *Match) Key() string {
	var parts []string
	for _, v := range keyValues(m.key) {
		parts = append(parts, v.String())
	}
	return strings.Join(parts, " ")
}

// KeyValues gives the values of the rule's `by`, in its order.
func (m *Match) KeyValues() []event.Value { return keyValues(m.key) }

// Window is what a rule over windows has to say of one.
type Window struct {
	From, To time.Time // events at From belong to it; those at To only if a count closed it
	Events   int       // how many it holds
	Let      []Let     // in the order of the rule
}

// Let is an aggregate and its value, Missing where there is none.
type Let struct {
	Name  string
	Value event.Value
}

// AppendJSON appends the line that `rhost match` prints, without the line break.
func (m *Match) AppendJSON(dst []byte) []byte {
	dst = appendText(append(dst, `{"rule":`...), m.Rule.Name)
	dst = appendText(append(dst, `,"id":`...), m.ID)
	dst = appendTime(append(dst, `,"at":`...), m.At)
	if m.Timeout {
		dst = appendTime(append(dst, `,"timeout":true,"deadline":`...), m.Deadline)
	} else {
		dst = appendText(append(dst, `,"trigger":`...), m.Trigger)
	}
	if m.Window != nil {
		dst = m.Window.appendJSON(dst)
	}
	if m.Score != nil {
		dst = event.NumberValue(*m.Score).AppendJSON(append(dst, `,"score":`...))
	}
	dst = append(dst, `,"bind":{`...)
	for i, b := range m.Bind {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, b.Element), ':', '[')
		for j, ev := range b.Events {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, ev.ID)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}', '}')
}

// appendJSON appends the bounds and the values; values that are missing are left
// out.
func (w *Window) appendJSON(dst []byte) []byte {
	dst = appendTime(append(dst, `,"window":[`...), w.From)
	dst = appendTime(append(dst, ','), w.To)
	dst = append(dst, `],"let":`...)
	names, values := make([]string, len(w.Let)), make([]event.Value, len(w.Let))
	for i, l := range w.Let {
		names[i], values[i] = l.Name, l.Value
	}
	return appendValues(dst, names, values)
}

func appendText(dst []byte, s string) []byte { return event.StringValue(s).AppendJSON(dst) }

// appendTime writes RFC 3339 in UTC; the fraction has no zeros at its end.
func appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

// given turns what a turn of a rule gave out into matches.
func (m *Matcher) given(rs *ruleState, pos Position, dst []Match) []Match {
	w := &m.turn
	rs.counts.Rejected += w.Rejected
	rs.counts.Dropped += w.Dropped
	rs.counts.Overflow += w.Overflow
	rs.counts.Ignored += w.Ignored
	w.Rejected, w.Dropped, w.Overflow, w.Ignored = 0, 0, 0, 0
	for i := range w.Out {
		dst = append(dst, m.match(rs, &w.Out[i], pos))
		if !m.sure(rs, &dst[len(dst)-1]) {
			dst = dst[:len(dst)-1]
			continue
		}
		if w.Out[i].Outcome == engine.TimedOut {
			rs.counts.Timeouts++
		} else {
			rs.counts.Matches++
			rs.furthest = nil
		}
	}
	clear(w.Out) // matches have what they need of it
	w.Out = w.Out[:0]
	if cap(w.Out) > 1<<10 {
		w.Out = nil // it was an exception
	}
	if w.Err != nil {
		m.stop(rs, w.Err)
		w.Err = nil
	}
	return dst
}

func (m *Matcher) match(rs *ruleState, d *engine.Done, pos Position) Match {
	out := Match{
		Rule: rs.rule, At: d.At, Trigger: "time", TriggerPos: pos, Deadline: d.Deadline,
		Timeout: d.Outcome == engine.TimedOut, key: d.Key, place: rs.place, prog: m.prog, plan: rs.plan, pairs: d.Pairs,
	}
	kind := kindTime
	switch d.Outcome {
	case engine.Complete:
		out.Trigger, out.TriggerEvent, out.TriggerPos = d.Trigger.Event.ID, &d.Trigger.Event, d.Trigger.Pos
		kind = kindEvent
	case engine.TimedOut:
		kind = kindTimeout
	case engine.ByTime:
	}
	out.Bind = bindings(rs.plan.elems, out.pairs)
	id := m.identity(rs.rule, kind, d.Key)
	id.bound(out.Bind)
	id.time(d.Deadline)
	if d.Let != nil {
		out.Window = windowOf(rs.rule, d)
		id.time(d.From)
		id.time(d.To)
		if d.Outcome == engine.Complete { // counted windows may lie within one instant
			id.position(out.TriggerPos)
		}
	}
	out.ID = id.encode()
	if m.opt.Explain {
		out.Why = out.Explain()
	}
	return out
}

func windowOf(r *Rule, d *engine.Done) *Window {
	w := &Window{From: d.From, To: d.To, Events: d.Count}
	for i, l := range r.When.Window.Let {
		w.Let = append(w.Let, Let{l.Name, d.Let[i]})
	}
	return w
}

// single is the match of a rule whose pattern is one event.
func (m *Matcher) single(rs *ruleState, dst []Match) []Match {
	if rs.draining {
		return dst
	}
	h := m.input.Hold()
	out := Match{
		Rule: rs.rule, At: m.now, Trigger: h.Event.ID, TriggerEvent: &h.Event, TriggerPos: h.Pos,
		Bind: []Binding{{rs.rule.When.Pattern.Elems[0].Name, []*event.Event{&h.Event}, []Position{h.Pos}}},
		key:  string(rs.keyBuf), place: rs.place, prog: m.prog, plan: rs.plan, pairs: []engine.Pair{{Elem: 0, Held: h}},
	}
	id := m.identity(rs.rule, kindEvent, out.key)
	id.bound(out.Bind)
	out.ID = id.encode()
	if !m.sure(rs, &out) {
		return dst
	}
	rs.counts.Matches++
	if m.opt.Explain {
		out.Why = out.Explain()
	}
	return append(dst, out)
}

// bindings groups events by element, elements in the order of the pattern.
func bindings(elems []string, pairs []engine.Pair) []Binding {
	var list []Binding
	for e, name := range elems {
		n := 0
		for _, p := range pairs {
			if p.Elem == e {
				n++
			}
		}
		if n == 0 {
			continue
		}
		b := Binding{Element: name, Events: make([]*event.Event, 0, n), Positions: make([]Position, 0, n)}
		for _, p := range pairs {
			if p.Elem == e {
				b.Events, b.Positions = append(b.Events, &p.Held.Event), append(b.Positions, p.Held.Pos)
			}
		}
		list = append(list, b)
	}
	return list
}

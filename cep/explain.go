package cep

import (
	"encoding/json"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
)

// Reason says why one event is part of a match.
type Reason struct {
	Element   string `json:"element"`
	Event     string `json:"event"`     // id
	Condition string `json:"condition"` // of the element, as understood
	Atoms     []Atom `json:"atoms"`     // its parts, all of them evaluated
}

// Atom is one part of a condition, and what became of it.
type Atom struct {
	Text   string `json:"text"`
	Result string `json:"result"` // true, false or unknown
	Values []Seen `json:"values,omitempty"`
}

// Seen is a value that an atom read.
type Seen struct {
	Path  string          `json:"path"`            // data.user or last(fail).data.user
	Value json.RawMessage `json:"value,omitempty"` // absent when the field is missing
}

// AppendReasons appends a list of reasons as JSON, as encoding/json writes it without
// escaping for HTML.
func AppendReasons(dst []byte, list []Reason) []byte {
	dst = append(dst, '[')
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		r := &list[i]
		dst = appendText(append(dst, `{"element":`...), r.Element)
		dst = appendText(append(dst, `,"event":`...), r.Event)
		dst = appendText(append(dst, `,"condition":`...), r.Condition)
		dst = appendAtoms(append(dst, `,"atoms":`...), r.Atoms)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendAtoms(dst []byte, list []Atom) []byte {
	if list == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = list[i].appendJSON(dst)
	}
	return append(dst, ']')
}

func (a *Atom) appendJSON(dst []byte) []byte {
	dst = appendText(append(dst, `{"text":`...), a.Text)
	dst = appendText(append(dst, `,"result":`...), a.Result)
	for i, v := range a.Values {
		if i == 0 {
			dst = append(dst, `,"values":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendText(append(dst, `{"path":`...), v.Path)
		if len(v.Value) > 0 {
			dst = append(append(dst, `,"value":`...), v.Value...)
		}
		dst = append(dst, '}')
	}
	if len(a.Values) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// why tells, for every event of a match, what met its element's condition.
func (pl *plan) why(pairs []engine.Pair) []Reason {
	reasons := make([]Reason, 0, len(pairs))
	for i, p := range pairs {
		if len(pl.elem) == 0 { // what is bound met no condition of the rule's own
			reasons = append(reasons, Reason{Element: pl.elems[p.Elem], Event: p.Held.Event.ID})
			continue
		}
		atoms, _ := pl.explain(p.Elem, &p.Held.Seen, pairs[:i])
		reasons = append(reasons, Reason{
			Element: pl.elems[p.Elem], Event: p.Held.Event.ID,
			Condition: pl.cond(p.Elem).String(), Atoms: atoms,
		})
	}
	return reasons
}

// explain evaluates all parts of an element's condition, after bound was bound,
// and counts those that hold.
func (pl *plan) explain(elem int, ev *predicate.Event, bound []engine.Pair) (atoms []Atom, hold int) {
	for _, r := range pl.cond(elem).Explain(ev, pairEnv(bound)) {
		a := Atom{Text: r.Text, Result: r.Result.String()}
		for _, v := range r.Values {
			s := Seen{Path: v.Path}
			if v.Value.Kind() != 0 {
				s.Value = v.Value.AppendJSON(nil)
			}
			a.Values = append(a.Values, s)
		}
		if r.Result == predicate.True {
			hold++
		}
		atoms = append(atoms, a)
	}
	return atoms, hold
}

// pairEnv is bound events as conditions ask for them.
type pairEnv []engine.Pair

// Bound gives the events bound to an element.
func (e pairEnv) Bound(elem int) []*predicate.Event {
	var events []*predicate.Event
	for _, p := range e {
		if p.Elem == elem {
			events = append(events, &p.Held.Seen)
		}
	}
	return events
}

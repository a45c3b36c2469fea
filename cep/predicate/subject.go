package predicate

import (
	"strconv"
	"strings"

	"github.com/rhost/rhost/event"
)

// valueType is what the checker of cel-go knows of a path.
type valueType uint8

const (
	notRoot    valueType = iota // no path begins like this
	typeAny                     // of the payload, and extension attributes
	typeString                  // the attributes, and lower(…)
	typeTime
)

func typeOfRoot(name string) valueType {
	switch name {
	case "data", "ext":
		return typeAny
	case "type", "source", "subject", "id":
		return typeString
	case "time":
		return typeTime
	}
	return notRoot
}

// takes reports whether a comparison of the type with a constant passes the
// checker.
func (t valueType) takes(o Op, k event.Kind) bool {
	switch t {
	case typeString:
		return k == event.String
	case typeTime:
		return k == event.Time
	default:
		return o == OpEq || o == OpNe || k != event.Null
	}
}

// subject is what a test is of: a field, or that in lower case.
type subject struct {
	field   field
	typ     valueType
	fold    bool
	indexed bool       // ends with a bracket
	parent  event.Path // what it is a field of, within the payload; zero for attributes
	method  string     // the method that is called, its bracket not read yet
}

// path reads the path of a subject, and the name of the method behind it.
func (d *direct) path() (subject, bool) {
	start, dot := d.i, -1
	if word := d.peekWord(); word == "" || typeOfRoot(word) == notRoot {
		return subject{}, false
	} else {
		d.i += len(word)
	}
	for {
		switch c := d.at(d.i); c {
		case '.':
			dot = d.i
			d.i++
			word := d.peekWord()
			if word == "" {
				return subject{}, false
			}
			d.i += len(word)
			continue
		case '[':
			dot = -1
			if !d.bracket() {
				return subject{}, false
			}
			continue
		case '(':
			if dot < 0 {
				return subject{}, false
			}
			s, ok := d.spelled(d.src[start:dot])
			s.method = d.src[dot+1 : d.i]
			return s, ok
		}
		return d.spelled(d.src[start:d.i])
	}
}

// bracket skips ["key"] or [0].
func (d *direct) bracket() bool {
	d.i++
	if d.at(d.i)-'0' <= 9 {
		d.digits()
		return d.skip(']')
	}
	_, ok := d.str()
	return ok && d.skip(']')
}

// spelled gives the subject that a path as written stands for.
func (d *direct) spelled(text string) (subject, bool) {
	if s, ok := d.set.spelled[text]; ok {
		return s, true
	}
	text = strings.Clone(text) // or it would keep the condition
	r := direct{scanner: scanner{src: text}}
	steps, ok := r.steps()
	if !ok {
		return subject{}, false
	}
	p, ok := fieldPath(steps)
	if !ok {
		return subject{}, false
	}
	last := steps[len(steps)-1]
	s := subject{
		field:   d.set.intern(p),
		typ:     typeOfRoot(steps[0].Key),
		indexed: last.Index >= 0 || strings.HasSuffix(text, "]"),
	}
	if len(steps) > 1 && steps[0].Key == "data" {
		if s.parent, ok = fieldPath(steps[:len(steps)-1]); !ok {
			return subject{}, false
		}
	}
	d.set.spelled[text] = s
	return s, true
}

// steps reads a path in full.
func (d *direct) steps() ([]event.Step, bool) {
	var steps []event.Step
	for {
		word := d.peekWord()
		if word == "" || isReserved(word) {
			return nil, false
		}
		d.i += len(word)
		steps = append(steps, event.Step{Key: word, Index: -1})
		for d.skip('[') {
			st, ok := d.inBrackets()
			if !ok {
				return nil, false
			}
			steps = append(steps, st)
		}
		if d.i == len(d.src) {
			return steps, true
		}
		if !d.skip('.') {
			return nil, false
		}
	}
}

func (d *direct) inBrackets() (event.Step, bool) {
	start := d.i
	if n := d.digits(); n > 0 {
		index, err := strconv.Atoi(d.src[start:d.i])
		if err != nil || n > 9 || n > 1 && d.src[start] == '0' {
			return event.Step{}, false
		}
		return event.Step{Index: index}, d.skip(']')
	}
	key, ok := d.str()
	return event.Step{Key: key, Index: -1}, ok && d.skip(']')
}

package js

import (
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/rhost/rhost/sandbox/script"
)

// replace pays for what each match is replaced with, as it is put in.
func (g *guest) replace(original native, s goja.String, call goja.FunctionCall) goja.Value {
	total := int64(s.Length())
	put := func(v goja.Value) goja.String {
		t := g.toString(v)
		if total += int64(t.Length()); total > script.MaxText {
			g.newText(total)
		}
		return t
	}
	replacer := g.replacer(arg(call, 1))
	rx, ok := isRegex(arg(call, 0))
	if ok && strings.Contains(g.flagsOf(rx), "g") && !g.isLinear(rx, s) {
		return g.replaceEach(rx, s, func(args []goja.Value) goja.String { return put(replacer(args)) })
	}
	return g.timed(func() goja.Value {
		return original(goja.FunctionCall{This: s, Arguments: []goja.Value{arg(call, 0), g.vm.ToValue(func(inner goja.FunctionCall) goja.Value {
			return put(replacer(inner.Arguments))
		})}})
	})
}

// replacer is what computes replacements: a function of the script, or a text
// with references.
func (g *guest) replacer(with goja.Value) func(args []goja.Value) goja.Value {
	fn, ok := goja.AssertFunction(with)
	if !ok {
		text := g.toString(with)
		return func(args []goja.Value) goja.Value { return g.expand(text, args) }
	}
	return func(args []goja.Value) goja.Value {
		start := time.Now()
		v, err := fn(goja.Undefined(), args...)
		rethrow(err)
		g.callback += time.Since(start)
		return v
	}
}

// replaceEach replaces all matches of a global expression one by one.
func (g *guest) replaceEach(rx *goja.Object, s goja.String, put func(args []goja.Value) goja.String) goja.Value {
	var b goja.StringBuilder
	from := 0
	g.eachMatch(rx, s, func(m *goja.Object) {
		var args []goja.Value
		for i := range m.Get("length").ToInteger() {
			args = append(args, valueOr(m.Get(strconv.FormatInt(i, 10))))
		}
		start := int(m.Get("index").ToInteger())
		end := start + asString(args[0]).Length()
		args = append(args, g.vm.ToValue(start), s)
		if groups := m.Get("groups"); groups != nil && !goja.IsUndefined(groups) {
			args = append(args, groups)
		}
		b.WriteString(s.Substring(from, max(start, from)))
		b.WriteString(put(args))
		from = max(end, from)
	})
	b.WriteString(s.Substring(from, s.Length()))
	return b.String()
}

// expand makes the text that replaces a match. args are what a replacing
// function is called with: the match, its groups, its position, the string, and
// the named groups if there are any.
func (g *guest) expand(text goja.String, args []goja.Value) goja.Value {
	var named *goja.Object
	if o, ok := args[len(args)-1].(*goja.Object); ok {
		named = o
		args = args[:len(args)-1]
	}
	groups := args[:len(args)-2]
	position, s := int(args[len(args)-2].ToInteger()), asString(args[len(args)-1])
	match := asString(groups[0])
	var b goja.StringBuilder
	size := 0
	write := func(t goja.String) {
		size += t.Length()
		if size > script.MaxText {
			g.newText(int64(size))
		}
		b.WriteString(t)
	}
	g.must(g.Spend(int64(text.Length())/4 + 1))
	for i := 0; i < text.Length(); {
		c := text.CharAt(i)
		next := uint16(0)
		if c == '$' && i+1 < text.Length() {
			next = text.CharAt(i + 1)
		}
		used := 2
		switch {
		case next == '$':
			b.WriteRune('$')
		case next == '&':
			write(match)
		case next == '`':
			write(s.Substring(0, position))
		case next == '\'':
			write(s.Substring(min(position+match.Length(), s.Length()), s.Length()))
		case next >= '0' && next <= '9':
			used = g.expandGroup(text, i, groups, write)
		case next == '<' && named != nil:
			used = g.expandNamed(text, i, named, write)
		default:
			used = 0
		}
		if used == 0 {
			write(text.Substring(i, i+1))
			used = 1
		}
		i += used
	}
	return b.String()
}

// expandGroup writes $1 or $12 and gives the length of the reference; 0 when
// there is no such group.
func (g *guest) expandGroup(text goja.String, i int, groups []goja.Value, write func(goja.String)) int {
	n, used := int(text.CharAt(i+1)-'0'), 2
	if i+2 < text.Length() {
		if d := text.CharAt(i + 2); d >= '0' && d <= '9' && n*10+int(d-'0') < len(groups) {
			n, used = n*10+int(d-'0'), 3
		}
	}
	if n == 0 || n >= len(groups) {
		return 0
	}
	if s, ok := groups[n].(goja.String); ok {
		write(s)
	}
	return used
}

// expandNamed writes $<name> and gives the length of the reference; 0 when it
// has no end.
func (g *guest) expandNamed(text goja.String, i int, named *goja.Object, write func(goja.String)) int {
	for j := i + 2; j < text.Length(); j++ {
		if text.CharAt(j) != '>' {
			continue
		}
		if s, ok := named.Get(text.Substring(i+2, j).String()).(goja.String); ok {
			write(s)
		}
		return j + 1 - i
	}
	return 0
}

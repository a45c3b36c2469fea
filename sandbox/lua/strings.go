package lua

import (
	"math"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/sandbox/script"
)

func (lib *library) stringLib() {
	lib.open("string")
	lib.add("string", "byte", stringByte)
	lib.add("string", "char", stringChar)
	lib.add("string", "find", stringFind)
	lib.add("string", "format", stringFormat)
	lib.add("string", "gmatch", stringGmatch)
	lib.add("string", "gsub", stringGsub)
	lib.borrow("string", "len")
	lib.add("string", "lower", stringMapped("lower"))
	lib.add("string", "match", stringMatch)
	lib.add("string", "rep", stringRep)
	lib.add("string", "reverse", stringMapped("reverse"))
	lib.borrow("string", "sub")
	lib.add("string", "upper", stringMapped("upper"))
}

// stringMapped adapts a function of gopher-lua that makes a string as long as
// its argument. Case mapping can lengthen one: up to three times, in UTF-8.
func stringMapped(name string) native {
	f := borrowed("string", name)
	return func(g *guest, l *glua.LState) int {
		g.must(l, g.text(len(l.CheckString(1))))
		n := f(l)
		s, _ := l.Get(-1).(glua.LString)
		g.must(l, g.fits(len(s)))
		return n
	}
}

func stringByte(g *guest, l *glua.LState) int {
	s := l.CheckString(1)
	i := position(l.OptInt(2, 1), len(s))
	j := position(l.OptInt(3, i), len(s))
	i, j = max(i, 1), min(j, len(s))
	if i > j {
		return 0
	}
	g.room(l, j-i+1)
	for _, c := range []byte(s[i-1 : j]) {
		l.Push(glua.LNumber(c))
	}
	return j - i + 1
}

// position resolves an index that counts from the end when negative.
func position(i, length int) int {
	if i < 0 {
		return max(length+i+1, 0)
	}
	return i
}

func stringChar(g *guest, l *glua.LState) int {
	p := make([]byte, l.GetTop())
	g.must(l, g.text(len(p)))
	for i := range p {
		c := l.CheckInt(i + 1)
		if c < 0 || c > 255 {
			l.ArgError(i+1, "invalid value")
		}
		p[i] = byte(c)
	}
	l.Push(glua.LString(p))
	return 1
}

func stringRep(g *guest, l *glua.LState) int {
	s, n := l.CheckString(1), float64(l.CheckNumber(2))
	total := math.Max(n, 0) * float64(len(s))
	if !(total <= script.MaxText) { // also when n is not a number
		total = script.MaxText + 1
	}
	g.must(l, g.text(int(total)))
	if len(s) == 0 || n < 1 {
		l.Push(glua.LString(""))
		return 1
	}
	l.Push(glua.LString(strings.Repeat(s, int(n))))
	return 1
}

func stringFind(g *guest, l *glua.LState) int {
	s, pat := l.CheckString(1), l.CheckString(2)
	init := max(position(l.OptInt(3, 1), len(s)), 1) - 1
	if init > len(s) {
		l.Push(glua.LNil)
		return 1
	}
	if l.ToBool(4) || !strings.ContainsAny(pat, "^$*+?.([%-") {
		g.must(l, g.Spend(int64(len(s)-init)/16))
		i := strings.Index(s[init:], pat)
		if i < 0 {
			l.Push(glua.LNil)
			return 1
		}
		l.Push(glua.LNumber(init + i + 1))
		l.Push(glua.LNumber(init + i + len(pat)))
		return 2
	}
	m := g.matcher(s, pat)
	start, end := g.search(l, m, init)
	if end == noMatch {
		l.Push(glua.LNil)
		return 1
	}
	l.Push(glua.LNumber(start + 1))
	l.Push(glua.LNumber(end))
	return 2 + g.pushCaptures(l, m, start, end, false)
}

func stringMatch(g *guest, l *glua.LState) int {
	s, pat := l.CheckString(1), l.CheckString(2)
	init := max(position(l.OptInt(3, 1), len(s)), 1) - 1
	if init > len(s) {
		l.Push(glua.LNil)
		return 1
	}
	m := g.matcher(s, pat)
	start, end := g.search(l, m, init)
	if end == noMatch {
		l.Push(glua.LNil)
		return 1
	}
	return g.pushCaptures(l, m, start, end, true)
}

func (g *guest) matcher(s, pat string) *matcher {
	return &matcher{src: s, pat: pat, spend: g.Spend}
}

// search finds the first match from init on. end is noMatch when there is none.
func (g *guest) search(l *glua.LState, m *matcher, init int) (start, end int) {
	anchored := strings.HasPrefix(m.pat, "^")
	p := 0
	if anchored {
		p = 1
	}
	for s := init; s <= len(m.src); s++ {
		if end = g.try(l, m, s, p); end != noMatch || anchored {
			return s, end
		}
	}
	return 0, noMatch
}

// try matches once, and raises what went wrong.
func (g *guest) try(l *glua.LState, m *matcher, s, p int) int {
	m.level = 0
	end := m.match(s, p)
	if m.err != nil {
		g.must(l, g.Stopped() == nil)
		l.RaiseError("%s", m.err.Error())
	}
	return end
}

// pushCaptures pushes the captures, or the whole match when there are none and
// whole is set.
func (g *guest) pushCaptures(l *glua.LState, m *matcher, start, end int, whole bool) int {
	if m.level == 0 && whole {
		g.must(l, g.Alloc(textBytes))
		l.Push(glua.LString(m.src[start:end]))
		return 1
	}
	g.must(l, g.Alloc(int64(m.level)*textBytes))
	for i := range m.level {
		l.Push(g.capture(l, m, i))
	}
	return m.level
}

func (g *guest) capture(l *glua.LState, m *matcher, i int) glua.LValue {
	c := m.captures[i]
	switch c.length {
	case positionOnly:
		return glua.LNumber(c.start + 1)
	case stillOpen:
		l.RaiseError("unfinished capture")
	}
	return glua.LString(m.src[c.start : c.start+c.length])
}

func stringGmatch(g *guest, l *glua.LState) int {
	s, pat := l.CheckString(1), l.CheckString(2)
	g.must(l, g.Alloc(closureBytes+upvalueBytes))
	m, at := g.matcher(s, pat), 0
	l.Push(l.NewFunction(wrap(func(g *guest, l *glua.LState) int {
		for ; at <= len(s); at++ {
			end := g.try(l, m, at, 0)
			if end == noMatch {
				continue
			}
			start := at
			if at = end; end == start {
				at++ // an empty match, or it would be found for ever
			}
			return g.pushCaptures(l, m, start, end, true)
		}
		l.Push(glua.LNil)
		return 1
	})))
	return 1
}

func stringGsub(g *guest, l *glua.LState) int {
	s, pat := l.CheckString(1), l.CheckString(2)
	l.CheckTypes(3, glua.LTString, glua.LTNumber, glua.LTTable, glua.LTFunction)
	repl := l.Get(3)
	limit := l.OptInt(4, len(s)+1)
	m, p := g.matcher(s, pat), 0
	if strings.HasPrefix(pat, "^") {
		p = 1
	}
	var out []byte
	count, at := 0, 0
	for count < limit {
		end := g.try(l, m, at, p)
		if end != noMatch {
			count++
			out = g.substitute(l, m, at, end, repl, out)
			g.must(l, g.fits(len(out)))
		}
		switch {
		case end > at:
			at = end
		case at < len(s):
			out = append(out, s[at])
			at++
		default:
			at = len(s) + 1
		}
		if at > len(s) || p == 1 {
			break
		}
	}
	if at < len(s) {
		out = append(out, s[at:]...)
	}
	g.must(l, g.text(len(out)))
	l.Push(glua.LString(out))
	l.Push(glua.LNumber(count))
	return 2
}

// substitute appends what takes the place of one match.
func (g *guest) substitute(l *glua.LState, m *matcher, start, end int, repl glua.LValue, out []byte) []byte {
	var v glua.LValue
	switch repl := repl.(type) {
	case *glua.LTable:
		g.pushCaptures(l, m, start, end, true)
		if m.level > 1 {
			l.Pop(m.level - 1)
		}
		key := l.Get(-1)
		l.Pop(1)
		v = l.GetTable(repl, key)
	case *glua.LFunction:
		l.Push(repl)
		n := g.pushCaptures(l, m, start, end, true)
		level, captures := m.level, m.captures
		g.callBack(l, n, 1)
		m.level, m.captures = level, captures
		v = l.Get(-1)
		l.Pop(1)
	default:
		return g.expand(l, m, start, end, repl.String(), out)
	}
	if glua.LVIsFalse(v) {
		return append(out, m.src[start:end]...)
	}
	if !glua.LVCanConvToString(v) {
		l.RaiseError("invalid replacement value (a %s)", v.Type().String())
	}
	s := v.String()
	g.must(l, g.Spend(int64(len(s))/16))
	return append(out, s...)
}

// expand appends a replacement string, in which %0 to %9 stand for captures.
func (g *guest) expand(l *glua.LState, m *matcher, start, end int, repl string, out []byte) []byte {
	g.must(l, g.Spend(int64(len(repl))/8))
	for i := 0; i < len(repl); i++ {
		c := repl[i]
		if c != '%' || i+1 == len(repl) {
			out = append(out, c)
			continue
		}
		i++
		c = repl[i]
		switch {
		case !isDigit(c):
			out = append(out, c)
		case c == '0' || c == '1' && m.level == 0:
			out = append(out, m.src[start:end]...)
		case int(c-'1') >= m.level:
			l.RaiseError("invalid capture index")
		default:
			out = append(out, g.capture(l, m, int(c-'1')).String()...)
		}
		g.must(l, g.fits(len(out)))
	}
	return out
}

package lua

import (
	"sort"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

func (lib *library) tableLib() {
	lib.open("table")
	lib.add("table", "concat", tableConcat)
	lib.add("table", "getn", tableGetn)
	lib.add("table", "insert", tableInsert)
	lib.add("table", "maxn", tableMaxn)
	lib.add("table", "remove", tableRemove)
	lib.add("table", "sort", tableSort)
}

func tableConcat(g *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	sep := l.OptString(2, "")
	i := l.OptInt(3, 1)
	j := l.OptInt(4, g.length(l, tb))
	var parts []string
	total := 0
	for n := i; n <= j; n++ {
		g.must(l, g.Spend(1) && g.Alloc(16))
		v := tb.RawGet(glua.LNumber(n))
		if !glua.LVCanConvToString(v) {
			l.RaiseError("invalid value (%s) at index %d in table for concat", v.Type().String(), n)
		}
		s := v.String()
		total += len(s) + len(sep)
		g.must(l, g.fits(total-len(sep)))
		parts = append(parts, s)
	}
	g.must(l, g.text(max(total-len(sep), 0)))
	l.Push(glua.LString(strings.Join(parts, sep)))
	return 1
}

// length is #t, charged.
func (g *guest) length(l *glua.LState, tb *glua.LTable) int {
	g.must(l, g.chargeLen(tb))
	return tb.Len()
}

func tableGetn(g *guest, l *glua.LState) int {
	l.Push(glua.LNumber(g.length(l, l.CheckTable(1))))
	return 1
}

func tableMaxn(g *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	g.must(l, g.chargeLen(tb))
	l.Push(glua.LNumber(tb.MaxN()))
	return 1
}

func tableInsert(g *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	switch l.GetTop() {
	case 2:
		n := g.length(l, tb)
		g.must(l, g.chargeSet(tb, glua.LNumber(n+1), l.Get(2)))
		tb.Append(l.Get(2))
	case 3:
		pos, have := l.CheckInt(2), len(viewTable(tb).array)
		g.must(l, g.chargeSet(tb, glua.LNumber(max(pos, have+1)), glua.LTrue) && g.Spend(int64(max(have-pos, 0))/8))
		tb.Insert(pos, l.Get(3))
	default:
		l.RaiseError("wrong number of arguments to 'insert'")
	}
	return 0
}

func tableRemove(g *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	n := g.length(l, tb)
	pos := l.OptInt(2, n)
	if pos < 1 || pos > n {
		l.Push(glua.LNil)
		return 1
	}
	g.must(l, g.Spend(int64(len(viewTable(tb).array)-pos)/8))
	l.Push(tb.Remove(pos))
	return 1
}

// tableSort sorts a copy and writes it back, so that a comparison that changes
// the table cannot confuse the sorter.
func tableSort(g *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	s := &sorter{g: g, l: l}
	if l.GetTop() > 1 {
		s.less = l.CheckFunction(2)
	}
	n := g.length(l, tb)
	g.must(l, g.Spend(int64(n)) && g.Alloc(16*int64(n)))
	s.values = make([]glua.LValue, n)
	for i := range n {
		s.values[i] = tb.RawGetInt(i + 1)
	}
	sort.Sort(s)
	for i, v := range s.values {
		tb.RawSetInt(i+1, v)
	}
	return 0
}

type sorter struct {
	g      *guest
	l      *glua.LState
	less   *glua.LFunction // nil: the operator
	values []glua.LValue
}

func (s *sorter) Len() int      { return len(s.values) }
func (s *sorter) Swap(i, j int) { s.values[i], s.values[j] = s.values[j], s.values[i] }

func (s *sorter) Less(i, j int) bool {
	x, y := s.values[i], s.values[j]
	s.g.must(s.l, s.g.Spend(nativeFuel) && s.g.chargeCompare(x, y))
	if s.less == nil {
		return s.l.LessThan(x, y)
	}
	s.l.Push(s.less)
	s.l.Push(x)
	s.l.Push(y)
	s.g.callBack(s.l, 2, 1)
	less := glua.LVAsBool(s.l.Get(-1))
	s.l.Pop(1)
	return less
}

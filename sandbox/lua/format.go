package lua

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// stringFormat is C's printf as Lua has it: flags, a width and a precision of at
// most two digits, and the verbs c d i u o x X e E f g G q s %.
func stringFormat(g *guest, l *glua.LState) int {
	format := l.CheckString(1)
	var out []byte
	arg := 1
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' {
			out = append(out, c)
			continue
		}
		if i++; i < len(format) && format[i] == '%' {
			out = append(out, '%')
			continue
		}
		spec, verb, next, err := parseSpec(format, i)
		if err != nil {
			l.RaiseError("%s", err.Error())
		}
		i = next
		arg++
		out = g.appendVerb(l, out, spec, verb, arg)
		g.must(l, g.Spend(2) && g.fits(len(out)))
	}
	g.must(l, g.text(len(out)))
	l.Push(glua.LString(out))
	return 1
}

// parseSpec reads what stands between % and the verb. next is the index of the
// verb.
func parseSpec(format string, i int) (spec string, verb byte, next int, err error) {
	j := i
	for j < len(format) && strings.IndexByte("-+ #0", format[j]) >= 0 {
		j++
	}
	flags := j
	for j < len(format) && isDigit(format[j]) {
		j++
	}
	width := j - flags
	precision := 0
	if j < len(format) && format[j] == '.' {
		j++
		start := j
		for j < len(format) && isDigit(format[j]) {
			j++
		}
		precision = j - start
	}
	if j >= len(format) {
		return "", 0, 0, fmt.Errorf("invalid format: it ends in the middle of '%%%s'", format[i:])
	}
	if width > 2 || precision > 2 || flags-i > 5 {
		return "", 0, 0, fmt.Errorf("invalid format: the width or precision of '%%%s' is too long", format[i:j+1])
	}
	return format[i:j], format[j], j, nil
}

// appendVerb appends argument n as the verb says.
func (g *guest) appendVerb(l *glua.LState, out []byte, spec string, verb byte, n int) []byte {
	switch verb {
	case 'c':
		return fmt.Appendf(out, "%"+strings.ReplaceAll(spec, "0", "")+"s", string([]byte{byte(l.CheckInt(n))}))
	case 'd', 'i':
		return fmt.Appendf(out, "%"+spec+"d", integer(l, n))
	case 'u':
		return fmt.Appendf(out, "%"+spec+"d", uint64(integer(l, n))) //nolint:gosec // C's conversion is meant
	case 'o', 'x', 'X':
		return fmt.Appendf(out, "%"+spec+string(verb), uint64(integer(l, n))) //nolint:gosec // as above
	case 'e', 'E', 'f':
		return appendFloat(out, spec, verb, float64(l.CheckNumber(n)))
	case 'g', 'G':
		if !strings.Contains(spec, ".") {
			spec += ".6" // C's default; Go's is the shortest text
		}
		return appendFloat(out, spec, verb, float64(l.CheckNumber(n)))
	case 'q':
		return g.appendQuoted(l, out, l.CheckString(n))
	case 's':
		l.CheckAny(n)
		s := g.tostring(l, l.Get(n))
		g.must(l, g.fits(len(out)+len(s)))
		return fmt.Appendf(out, "%"+strings.ReplaceAll(spec, "0", zeroless(spec))+"s", s)
	}
	l.RaiseError("invalid option '%%%c' to 'format'", rune(verb))
	return nil
}

// zeroless keeps zeros that are part of a number and not a flag.
func zeroless(spec string) string {
	if strings.HasPrefix(strings.TrimLeft(spec, "-+ #"), "0") {
		return ""
	}
	return "0"
}

// integer is a number argument cut to an integer, as C does.
func integer(l *glua.LState, n int) int64 {
	f := math.Trunc(float64(l.CheckNumber(n)))
	switch {
	case math.IsNaN(f):
		return math.MinInt64
	case f >= 1<<63:
		return math.MaxInt64
	case f < -1<<63:
		return math.MinInt64
	}
	return int64(f)
}

func appendFloat(out []byte, spec string, verb byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		s := strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")
		width, _, _ := strings.Cut(strings.TrimLeft(spec, "+ #0"), ".")
		return fmt.Appendf(out, "%"+width+"s", s)
	}
	return fmt.Appendf(out, "%"+spec+string(verb), f)
}

// appendQuoted writes s as a Lua string that reads back as s.
func (g *guest) appendQuoted(l *glua.LState, out []byte, s string) []byte {
	g.must(l, g.fits(len(out)+4*len(s)))
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			out = append(out, '\\', c)
		case '\r':
			out = append(out, `\r`...)
		case 0:
			out = append(out, `\000`...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

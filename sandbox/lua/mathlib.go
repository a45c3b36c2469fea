package lua

import (
	"math"
	"math/rand/v2"

	glua "github.com/yuin/gopher-lua"
)

// mathLib are gopher-lua's functions except the random numbers, which are the
// process's own there.
func (lib *library) mathLib() {
	lib.open("math")
	for _, name := range []string{
		"abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod",
		"frexp", "ldexp", "log", "log10", "max", "min", "modf", "pow", "rad", "sin", "sinh", "sqrt", "tan", "tanh",
	} {
		lib.borrow("math", name)
	}
	lib.add("math", "random", mathRandom)
	lib.add("math", "randomseed", mathRandomseed)
}

func setConstants(tb *glua.LTable) {
	tb.RawSetString("pi", glua.LNumber(math.Pi))
	tb.RawSetString("huge", glua.LNumber(math.Inf(1)))
}

type rng = rand.Rand

// random is the guest's own generator, started on first use.
func (g *guest) random() *rng {
	if g.rng == nil {
		g.rng = rand.New(rand.NewPCG(g.Seed()))
	}
	return g.rng
}

func mathRandom(g *guest, l *glua.LState) int {
	r := g.random().Float64()
	low, high := 1.0, 0.0
	switch l.GetTop() {
	case 0:
		l.Push(glua.LNumber(r))
		return 1
	case 1:
		high = float64(l.CheckInt(1))
	case 2:
		low, high = float64(l.CheckInt(1)), float64(l.CheckInt(2))
	default:
		l.RaiseError("wrong number of arguments")
	}
	if low > high {
		l.ArgError(l.GetTop(), "interval is empty")
	}
	l.Push(glua.LNumber(math.Floor(r*(high-low+1)) + low))
	return 1
}

func mathRandomseed(g *guest, l *glua.LState) int {
	g.rng = rand.New(rand.NewPCG(math.Float64bits(float64(l.CheckNumber(1))), 0))
	return 0
}

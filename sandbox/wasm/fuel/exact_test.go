package fuel_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"pgregory.net/rapid"
)

// node is a statement or expression of a random program: it can be assembled
// and it can be run by walk, which counts what it executes by itself.
type node struct {
	kind  kind
	value int32   // of a constant; local, label or function
	label []int32 // labels of a branch table
	kids  []*node
}

type kind int

const (
	kConst   kind = iota // value
	kGet                 // local
	kSum                 // kids 0 + 1
	kLess                // kids 0 < 1
	kCall                // function value of kids, yields its result
	kSet                 // local value = kid 0
	kBlock               // kids
	kLoop                // kids
	kIf                  // if kid 0 then kid 1 else kid 2, if there is one
	kSeq                 // kids
	kBr                  // label
	kBrIf                // label, when kid 0
	kBrTable             // labels, by kid 0
	kReturn              // kid 0
	kIfValue             // like kIf with a value in both arms
)

const (
	randomParams = 2
	randomLocals = 6 // parameters and locals
	maxRounds    = 60
)

// assemble writes the node's code. The function at hand has index self among
// funcs.
func (n *node) assemble() []byte {
	kids := func() []byte {
		var b []byte
		for _, k := range n.kids {
			b = append(b, k.assemble()...)
		}
		return b
	}
	switch n.kind {
	case kConst:
		return i32c(n.value)
	case kGet:
		return get(uint32(n.value))
	case kSum:
		return seq(kids(), add())
	case kLess:
		return seq(kids(), op(0x48))
	case kCall:
		return seq(kids(), call(uint32(n.value)))
	case kSet:
		return seq(kids(), set(uint32(n.value)))
	case kBlock:
		return block(void, kids())
	case kLoop:
		// Every round counts down a global, so that all programs end.
		guard := seq(gget(0), i32c(1), op(0x6b), gset(0), gget(0), i32c(0), op(0x48), when(void, seq(i32c(-1), ret())))
		return loop(void, guard, kids())
	case kSeq:
		return kids()
	case kIf, kIfValue:
		t := byte(void)
		if n.kind == kIfValue {
			t = byte(i32)
		}
		if len(n.kids) == 2 {
			return seq(n.kids[0].assemble(), when(t, n.kids[1].assemble()))
		}
		return seq(n.kids[0].assemble(), when(t, n.kids[1].assemble(), n.kids[2].assemble()))
	case kBr:
		return br(uint32(n.value))
	case kBrIf:
		return seq(kids(), brIf(uint32(n.value)))
	case kBrTable:
		labels := make([]uint32, len(n.label))
		for i, l := range n.label {
			labels[i] = uint32(l)
		}
		return seq(kids(), brTable(labels...))
	default:
		return seq(kids(), ret())
	}
}

// walker runs functions and counts their cost by the price list, written out
// here a second time.
type walker struct {
	funcs  []*node
	rounds int32
	cost   int64
}

// Where control goes after a statement: on, to a label further out, or back to
// the caller.
const (
	onward    = -1
	returning = 1 << 20
)

type activation struct {
	locals [randomLocals]int32
	result int32
}

func (w *walker) call(fn int32, args ...int32) int32 {
	w.cost += 1 + (randomLocals-randomParams)/4
	a := new(activation)
	copy(a.locals[:], args)
	if w.run(a, w.funcs[fn]) != returning {
		w.cost++ // the constant behind the body
		a.result = 0
	}
	return a.result
}

func (w *walker) eval(a *activation, n *node) int32 {
	switch n.kind {
	case kConst:
		w.cost++
		return n.value
	case kGet:
		w.cost++
		return a.locals[n.value]
	case kIfValue:
		w.cost++
		if w.eval(a, n.kids[0]) != 0 {
			return w.eval(a, n.kids[1])
		}
		return w.eval(a, n.kids[2])
	default: // of two operands
	}
	x, y := w.eval(a, n.kids[0]), w.eval(a, n.kids[1])
	w.cost++
	switch {
	case n.kind == kSum:
		return x + y
	case n.kind == kLess && x < y:
		return 1
	case n.kind == kCall:
		w.cost += 4
		return w.call(n.value, x, y)
	}
	return 0
}

func (w *walker) run(a *activation, n *node) int {
	switch n.kind {
	case kSet:
		a.locals[n.value] = w.eval(a, n.kids[0])
		w.cost++
	case kSeq:
		return w.all(a, n.kids)
	case kBlock:
		return outOf(w.all(a, n.kids))
	case kLoop:
		return w.loop(a, n)
	case kIf:
		w.cost++
		switch {
		case w.eval(a, n.kids[0]) != 0:
			return outOf(w.run(a, n.kids[1]))
		case len(n.kids) == 3:
			return outOf(w.run(a, n.kids[2]))
		}
	case kBr:
		w.cost++
		return int(n.value)
	case kBrIf:
		w.cost++
		if w.eval(a, n.kids[0]) != 0 {
			return int(n.value)
		}
	case kBrTable:
		w.cost++
		i := min(uint32(w.eval(a, n.kids[0])), uint32(len(n.label)-1))
		return int(n.label[i])
	case kReturn:
		a.result = w.eval(a, n.kids[0])
		return returning
	default: // a value is no statement
	}
	return onward
}

func (w *walker) loop(a *activation, n *node) int {
	for {
		w.cost += 1 + 8 // the round; the guard, see assemble
		w.rounds--
		if w.rounds < 0 {
			w.cost++ // the constant returned
			a.result = -1
			return returning
		}
		if to := w.all(a, n.kids); to != 0 {
			return outOf(to)
		}
	}
}

func (w *walker) all(a *activation, list []*node) int {
	for _, n := range list {
		if to := w.run(a, n); to != onward {
			return to
		}
	}
	return onward
}

// outOf is where control goes behind a block that was left towards a label.
func outOf(to int) int {
	switch to {
	case onward, 0:
		return onward
	case returning:
		return returning
	}
	return to - 1
}

// grow draws a random statement inside depth blocks, in function self.
func grow(t *rapid.T, size, depth, self int) *node {
	if size <= 0 {
		return &node{kind: kSet, value: drawLocal(t), kids: []*node{growValue(t, 1, self)}}
	}
	label := func() int32 { return int32(rapid.IntRange(0, depth-1).Draw(t, "label")) }
	inner := func(depth int) *node {
		list := make([]*node, rapid.IntRange(1, 3).Draw(t, "statements"))
		for i := range list {
			list[i] = grow(t, size/2-i, depth, self)
		}
		return &node{kind: kSeq, kids: list}
	}
	k := rapid.SampledFrom([]kind{kSet, kBlock, kBlock, kLoop, kIf, kIf, kSeq, kBr, kBrIf, kBrIf, kBrTable, kReturn}).Draw(t, "kind")
	if depth == 0 && (k == kBr || k == kBrIf || k == kBrTable) {
		k = kBlock
	}
	n := &node{kind: k}
	switch k {
	case kSet:
		n.value, n.kids = drawLocal(t), []*node{growValue(t, 3, self)}
	case kBlock, kLoop:
		n.kids = []*node{inner(depth + 1)}
	case kSeq:
		n.kids = []*node{inner(depth)}
	case kIf:
		n.kids = []*node{growValue(t, 2, self), inner(depth + 1)}
		if rapid.Bool().Draw(t, "else") {
			n.kids = append(n.kids, inner(depth+1))
		}
	case kBr:
		n.value = label()
	case kBrIf:
		n.value, n.kids = label(), []*node{growValue(t, 2, self)}
	case kBrTable:
		n.kids = []*node{growValue(t, 1, self)}
		for range rapid.IntRange(1, 4).Draw(t, "labels") {
			n.label = append(n.label, label())
		}
	case kReturn:
		n.kids = []*node{growValue(t, 2, self)}
	default: // a value is no statement
	}
	return n
}

func drawLocal(t *rapid.T) int32 { return int32(rapid.IntRange(0, randomLocals-1).Draw(t, "local")) }

func growValue(t *rapid.T, size, self int) *node {
	if size <= 0 {
		if rapid.Bool().Draw(t, "get") {
			return &node{kind: kGet, value: drawLocal(t)}
		}
		return &node{kind: kConst, value: int32(rapid.IntRange(-3, 5).Draw(t, "const"))}
	}
	k := rapid.SampledFrom([]kind{kSum, kLess, kCall, kIfValue, kGet}).Draw(t, "value")
	if k == kCall && self == 0 {
		k = kSum
	}
	value := func() *node { return growValue(t, size-1, self) }
	switch k {
	case kGet:
		return growValue(t, 0, self)
	case kCall:
		return &node{kind: kCall, value: int32(rapid.IntRange(0, self-1).Draw(t, "callee")), kids: []*node{value(), value()}}
	case kIfValue:
		return &node{kind: kIfValue, kids: []*node{value(), value(), value()}}
	default:
		return &node{kind: k, kids: []*node{value(), value()}}
	}
}

// TestEarlyReturnPaysNothingBehindIt: a function that returns early is not
// charged for the thousands of instructions behind the return.
func TestEarlyReturnPaysNothingBehindIt(t *testing.T) {
	p := new(program)
	p.fn("f", types(i32), types(i32), nil,
		get(0), when(void, seq(get(0), ret())), repeat(5000, seq(get(0), set(0), op(1))), get(0))
	g := newMachine(t, wazero.NewRuntimeConfigCompiler()).load(t, p.bytes(), everything)
	_, used := g.uses(t, "f", 1)
	assert.Equal(t, int64(1+2+1), used)
	_, used = g.uses(t, "f", 0)
	assert.Equal(t, int64(1+2+5000*2+1), used)
}

// TestDebtIsBounded: code without loops asks the host now and then, and so does
// a deep recursion on its way back.
func TestDebtIsBounded(t *testing.T) {
	long := new(program)
	step := seq(get(0), when(void, repeat(40, seq(get(0), set(0)))))
	long.fn("f", types(i32), nil, nil, repeat(1000, step))
	recursion := new(program)
	recursion.fn("f", types(i32), nil, nil, get(0), when(void, seq(
		get(0), i32c(1), op(0x6b), call(0), get(0), when(void, repeat(100, seq(get(0), set(0)))))))
	for name, p := range map[string]*program{"long": long, "recursion": recursion} {
		g := newMachine(t, wazero.NewRuntimeConfigCompiler()).load(t, p.bytes(), everything)
		_, used := g.uses(t, "f", 1000)
		for budget := used / 10; budget < used; budget += used / 10 {
			_, spent, err := g.call("f", budget, 0, 1000)
			require.ErrorIs(t, err, errFuel, name)
			assert.Less(t, spent-budget, int64(11_000), "%s with %d of %d", name, budget, used)
		}
	}
}

// TestChargeIsWhatWasExecuted: for random programs the fuel used is, to the
// unit, the sum of the prices of the instructions executed.
func TestChargeIsWhatWasExecuted(t *testing.T) {
	engines := []*machine{
		newMachine(t, wazero.NewRuntimeConfigInterpreter()),
		newMachine(t, wazero.NewRuntimeConfigCompiler()),
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := &walker{rounds: maxRounds}
		p := new(program)
		p.global(i32, true, i32c(maxRounds))
		for self := range 3 {
			body := grow(rt, 8, 0, self)
			w.funcs = append(w.funcs, body)
			name := ""
			if self == 2 {
				name = "run"
			}
			p.fn(name, types(i32, i32), types(i32), bytesOf(randomLocals-randomParams, i32), body.assemble(), i32c(0))
		}
		x, y := int32(rapid.IntRange(-2, 9).Draw(rt, "x")), int32(rapid.IntRange(-2, 9).Draw(rt, "y"))
		want := w.call(2, x, y)
		engine := engines[rapid.IntRange(0, 1).Draw(rt, "engine")]
		slice := rapid.SampledFrom([]int64{0, 1, 10, 1000}).Draw(rt, "slice")
		g := engine.loadOnce(rt, p.bytes(), everything, "")
		defer g.mod.Close(g.ctx) //nolint:errcheck // the runtime is closed as well
		res, used, err := g.call("run", w.cost, slice, uint64(uint32(x)), uint64(uint32(y)))
		require.NoError(rt, err, "with the fuel that it takes")
		require.Equal(rt, uint64(uint32(want)), res[0])
		require.Equal(rt, w.cost, used)

		g.global(g.res.Globals[0].Name).Set(maxRounds)
		_, _, err = g.call("run", w.cost-1, slice, uint64(uint32(x)), uint64(uint32(y)))
		require.ErrorIs(rt, err, errFuel, "with one less")
	})
}

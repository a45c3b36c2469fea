package fuel

// work estimates what a function costs the compiler behind this package, whose
// time and memory grow with products of sizes that are harmless one by one. It
// follows the control flow of the instrumented function in basic blocks, every
// question to the host being two of them.
//
// wazero's compiler walks from each block up its chain of dominators, and keeps
// for each block the list of addresses known to lie in memory. Both are summed
// here, from above: where paths meet, the chain and the list are no longer than
// on any of them.
type work struct {
	blocks int
	chains int // lengths of all chains of dominators
	lists  int // lengths of all lists of addresses

	now    path
	frames []workFrame
}

// path is what holds at one place in the code.
type path struct {
	chain, list int
	dead        bool
}

type workFrame struct {
	op    opcode
	start path // at the condition of an if
	out   path // where branches to the end meet; dead before the first
}

// measure walks through f, whose charges are planned.
func (w *work) measure(f *function) {
	w.blocks, w.chains, w.lists = 0, 0, 0
	w.now = path{}
	w.frames = append(w.frames[:0], workFrame{op: opBlock, out: path{dead: true}})
	points := f.plan.points
	for i := range f.instrs {
		for len(points) > 0 && points[0].at == i {
			if points[0].asks {
				w.block()
				w.block()
			}
			points = points[1:]
		}
		w.add(f, &f.instrs[i])
	}
}

// block begins a basic block below the one at hand.
func (w *work) block() {
	w.now.chain++
	w.blocks++
	w.chains += w.now.chain
	w.lists += w.now.list
}

func (w *work) top() *workFrame { return &w.frames[len(w.frames)-1] }

func (w *work) add(f *function, in *instr) {
	switch in.op {
	case opBlock, opLoop, opIf:
		w.frames = append(w.frames, workFrame{op: in.op, start: w.now, out: path{dead: true}})
		if in.op != opBlock {
			w.block()
		}
	case opElse:
		fr := w.top()
		fr.op, fr.out = opElse, meet(fr.out, w.now)
		w.now = fr.start
		w.block()
	case opEnd:
		w.end()
	case opBr, opBrIf:
		w.branch(in.arg)
		w.now.dead = w.now.dead || in.op == opBr
		w.block()
	case opBrTable:
		start := w.now
		for _, label := range f.labels[in.arg : in.arg+in.n] {
			w.block()
			w.branch(label)
			w.now = start
		}
		w.now.dead = true
	case opReturn, opReturnCall, opReturnCallIndirect, opUnreachable:
		w.now.dead = true
	default:
		if imm := ops[in.op].imm; imm == immMem || imm == immMemLane {
			w.now.list++
		}
	}
}

// end closes a block: its end is reached from inside, by branches and, for an
// if without else, past it.
func (w *work) end() {
	fr := *w.top()
	w.frames = w.frames[:len(w.frames)-1]
	after := meet(w.now, fr.out)
	switch fr.op {
	case opIf:
		after = meet(after, fr.start)
	case opElse:
		if !after.dead {
			after.chain = min(after.chain, fr.start.chain+1)
		}
	default: // as it fell through
	}
	w.now = after
	w.block()
}

func (w *work) branch(label uint32) {
	fr := &w.frames[len(w.frames)-1-int(label)]
	if fr.op != opLoop {
		fr.out = meet(fr.out, w.now)
	}
}

// meet is where two paths come together.
func meet(a, b path) path {
	switch {
	case a.dead:
		return b
	case b.dead:
		return a
	}
	return path{chain: min(a.chain, b.chain), list: min(a.list, b.list)}
}

package fuel

// Every charge is taken off the fuel at once, but the host is asked only where
// it matters. What was taken since it was last asked is debt: work that a call
// may do although its fuel is used up. The host is asked
//
//   - when a function is entered, unless it is quiet,
//   - in every round of a loop,
//   - before functions of the host are called, and in long operations,
//   - before more than maxDebt is charged on a path without asking,
//   - before a function returns that may owe more than returnDebt: a deep
//     recursion returns without entering anything,
//   - when an exported function returns to the host.
//
// Asking everywhere instead splits the code into blocks, which costs a compiled
// guest far more than the subtraction.
const (
	maxDebt    = 10_000
	returnDebt = 32
	quietCost  = 64 // what a quiet function may charge at most outside loops
)

// leafWidth is the most stack, in slots, that a function takes without taking
// it off the depth. Such a function calls no other, so that there is at most
// one of them on the stack, and the slots are kept free for it once.
const leafWidth = 1024

// facts is what is known of the functions that a module defines once all have
// been read.
type facts struct {
	imported int
	// leaf functions call none and fit in leafWidth: their stack is not guarded.
	leaf []bool
	// quiet functions are leaf functions that charge little outside loops: they
	// ask when their loops do, and leave the rest to who called them.
	quiet []bool
	// wide functions are exported and take or return so many values that passing
	// them on in a helper would make much code of little: they ask themselves
	// before they return to the host.
	wide map[uint32]bool
	// escape is whether an indirect call may reach a function of the host.
	escape bool
}

// add notes the next function.
func (k *facts) add(f *function) {
	leaf := !f.callsOut() && f.width() <= leafWidth
	var cost uint64
	for _, p := range f.plan.points {
		if !p.loop {
			cost += p.cost
		}
	}
	k.leaf = append(k.leaf, leaf)
	k.quiet = append(k.quiet, leaf && cost <= quietCost)
}

func (k *facts) isLeaf(fn int) bool  { return k != nil && k.leaf[fn-k.imported] }
func (k *facts) isQuiet(fn int) bool { return k != nil && k.quiet[fn-k.imported] }

// maxPassed is how many values the helper of an exported function passes on.
const maxPassed = 16

// complete adds what only the whole module shows.
func (k *facts) complete(m *module) {
	k.escape = m.hostMayBeCalled()
	k.wide = make(map[uint32]bool)
	for _, e := range m.exports {
		if e.Kind != KindFunc || int(e.Index) < k.imported {
			continue
		}
		if t := m.typeOf(e.Index); len(t.Params)+len(t.Results) > maxPassed {
			k.wide[e.Index] = true
			k.quiet[int(e.Index)-k.imported] = false
		}
	}
}

func (k *facts) asksItself(fn int) bool { return k != nil && k.wide[uint32(fn)] }

// hostMayBeCalled reports whether functions of the host may stand in tables.
func (m *module) hostMayBeCalled() bool {
	if m.importedTables > 0 || m.uses.Has(UsesTableMutation) {
		return true
	}
	for _, id := range []sectionID{secElement, secGlobal} {
		for _, ref := range m.sections[id].refs {
			if int(ref.index) < m.importedFuncs {
				return true
			}
		}
	}
	return false
}

// debts follows what may be owed at each instruction.
type debts struct {
	now    int64 // owed at most, or unreached
	frames []debtFrame
}

type debtFrame struct {
	op    opcode
	start int64 // owed at the condition of an if
	out   int64 // owed where branches to the end meet
}

// unreached is less than any debt, so that the greater of two debts is what may
// be owed where their paths meet.
const unreached = -1

// ask marks the points at which the host is asked, and adds some.
func (p *plan) ask(f *function, known *facts) {
	d := &p.debts
	quiet := known.isQuiet(f.index)
	p.points[0].asks = !quiet
	d.now = 0
	if quiet {
		d.now = int64(p.points[0].cost)
	}
	d.frames = append(d.frames[:0], debtFrame{op: opBlock, out: unreached})
	charges := p.points[1:]
	p.asked = append(p.asked[:0], p.points[0])
	for i := range f.instrs {
		if len(charges) > 0 && charges[0].at == i {
			p.asked = append(p.asked, d.charge(charges[0]))
			charges = charges[1:]
		}
		in := &f.instrs[i]
		if d.mustAsk(in, known) {
			p.asked = append(p.asked, point{at: i, asks: true})
			d.now = 0
		}
		d.add(f, in, known)
	}
	p.askAtEnd = !quiet && d.now > returnDebt || known.asksItself(f.index)
	p.points, p.asked = p.asked, p.points
}

func (d *debts) charge(at point) point {
	if at.loop {
		at.asks = true
	} else if d.now != unreached {
		d.now += int64(at.cost)
		at.asks = d.now > maxDebt
	}
	if at.asks {
		d.now = 0
	}
	return at
}

// mustAsk reports whether the host is asked before the instruction.
func (d *debts) mustAsk(in *instr, known *facts) bool {
	switch in.op {
	case opCall:
		return d.now > 0 && known != nil && int(in.arg) < known.imported || d.now > maxDebt
	case opCallIndirect:
		return d.now > 0 && (known == nil || known.escape) || d.now > maxDebt
	case opReturnCall, opReturnCallIndirect:
		return d.now > 0
	default:
		return false
	}
}

func (d *debts) add(f *function, in *instr, known *facts) {
	switch in.op {
	case opBlock, opLoop, opIf:
		d.frames = append(d.frames, debtFrame{op: in.op, start: d.now, out: unreached})
	case opElse:
		fr := &d.frames[len(d.frames)-1]
		fr.op, fr.out = opElse, max(fr.out, d.now)
		d.now = fr.start
	case opEnd:
		fr := d.frames[len(d.frames)-1]
		d.frames = d.frames[:len(d.frames)-1]
		d.now = max(d.now, fr.out)
		if fr.op == opIf {
			d.now = max(d.now, fr.start)
		}
	case opBr, opBrIf:
		d.branch(in.arg)
		if in.op == opBr {
			d.now = unreached
		}
	case opBrTable:
		for _, label := range f.labels[in.arg : in.arg+in.n] {
			d.branch(label)
		}
		d.now = unreached
	case opReturn:
		d.branch(uint32(len(d.frames) - 1))
		d.now = unreached
	case opReturnCall, opReturnCallIndirect, opUnreachable:
		d.now = unreached
	case opCall:
		d.call(known != nil && int(in.arg) >= known.imported && !known.isQuiet(int(in.arg)))
	case opCallIndirect:
		d.call(false)
	default:
		if needsHelper(in.op) && d.now != unreached {
			d.now = 0
		}
	}
}

// call is a call of a function that asks, or of one that may not.
func (d *debts) call(asks bool) {
	switch {
	case d.now == unreached:
	case asks:
		d.now = 0
	default:
		d.now += quietCost
	}
}

func (d *debts) branch(label uint32) {
	fr := &d.frames[len(d.frames)-1-int(label)]
	if fr.op != opLoop {
		fr.out = max(fr.out, d.now)
	}
}

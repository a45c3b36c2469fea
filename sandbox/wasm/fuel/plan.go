package fuel

// plan says where a function is charged and how much.
//
// A region is a set of instructions that are executed together or not at all:
// whoever executes its first instruction goes on to its last, traps or never
// ends. It is charged once, at a point before its first instruction. Code after
// the end of a block belongs to the region in which the block began, unless a
// branch inside leaves further out than that end. A loop's body begins a region
// of its own, charged for each iteration. Where the host is asked is decided
// afterwards, see debt.go.
type plan struct {
	points   []point // by position; the first is the function's entry
	askAtEnd bool    // the function may return in debt

	asked  []point // reused for what becomes points
	frames []planFrame
	dead   bool // the instruction at hand is never reached
	debts  debts
}

// point is one place where fuel is taken.
type point struct {
	at   int // index of the instruction before which it stands
	cost uint64
	asks bool // the host is asked when the fuel is used up
	loop bool // the head of a loop
}

// planFrame is one block that surrounds the instruction at hand.
type planFrame struct {
	current int  // point of the instructions that follow in this block
	out     int  // outermost frame that a branch inside leaves to
	dead    bool // the block itself is never reached
}

// build plans the charges of f. What is known of other functions may be nil.
func (p *plan) build(f *function, known *facts) {
	p.points, p.frames, p.dead = p.points[:0], p.frames[:0], false
	p.points = append(p.points, point{cost: uint64(entryCost(f.locals()))})
	p.frames = append(p.frames, planFrame{})
	for i := range f.instrs {
		p.add(f, i)
	}
	p.prune()
	p.ask(f, known)
}

// prune takes out the points that cost nothing.
func (p *plan) prune() {
	kept := p.points[:0]
	for _, at := range p.points {
		if at.cost > 0 {
			kept = append(kept, at)
		}
	}
	p.points = kept
}

func (p *plan) add(f *function, i int) {
	in := &f.instrs[i]
	switch in.op {
	case opBlock:
		p.charge(in)
		p.open(p.top().current)
	case opLoop:
		p.open(p.begin(i + 1))
		p.points[p.top().current].loop = true
		p.charge(in) // for each iteration
	case opIf:
		p.charge(in)
		p.open(p.begin(i + 1))
	case opElse:
		p.dead = p.top().dead
		p.top().current = p.begin(i + 1)
	case opEnd:
		p.end(in, i)
	case opBr, opBrIf:
		p.charge(in)
		p.leave(in.arg)
		p.breakAfter(i, in.op == opBr)
	case opBrTable:
		p.charge(in)
		for _, label := range f.labels[in.arg : in.arg+in.n] {
			p.leave(label)
		}
		p.breakAfter(i, true)
	case opReturn, opReturnCall, opReturnCallIndirect:
		p.charge(in)
		p.leave(uint32(len(p.frames) - 1))
		p.breakAfter(i, true)
	case opUnreachable:
		p.charge(in)
		p.dead = true
	default:
		p.charge(in)
	}
}

func (p *plan) top() *planFrame { return &p.frames[len(p.frames)-1] }

// begin starts a region before the instruction of that index.
func (p *plan) begin(at int) int {
	p.points = append(p.points, point{at: at})
	return len(p.points) - 1
}

// charge adds the instruction to the region at hand.
func (p *plan) charge(in *instr) {
	if !p.dead {
		p.points[p.top().current].cost += uint64(in.cost)
	}
}

func (p *plan) open(current int) {
	p.frames = append(p.frames, planFrame{current: current, out: len(p.frames), dead: p.dead})
}

// leave notes a branch to a label.
func (p *plan) leave(label uint32) {
	target := len(p.frames) - 1 - int(label)
	p.top().out = min(p.top().out, target)
}

// breakAfter begins a region after a branch, for the rest of the block is
// executed only when the branch is not taken, if at all.
func (p *plan) breakAfter(i int, always bool) {
	p.top().current = p.begin(i + 1)
	p.dead = p.dead || always
}

// end closes a block. Its price belongs to what follows, because branches to
// the end pay it too.
func (p *plan) end(in *instr, i int) {
	f := *p.top()
	depth := len(p.frames) - 1
	p.frames = p.frames[:depth]
	p.dead = f.dead
	if depth == 0 {
		return
	}
	t := p.top()
	t.out = min(t.out, f.out)
	if f.out < depth {
		t.current = p.begin(i + 1)
	}
	p.charge(in)
}

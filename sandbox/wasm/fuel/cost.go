package fuel

// Prices of CostModel 1.
const (
	costDefault   = 1
	costCall      = 5
	costIndirect  = 8
	costDiv32     = 8
	costDiv64     = 12
	costDivFloat  = 6 // and square root
	costSIMD      = 2
	costBulk      = 50  // plus one for each 8 bytes, which is bulkShift
	costGrow      = 500 // plus costPage for each page
	costPage      = 4096
	costEntry     = 1 // plus one for each localsPerFuel locals
	localsPerFuel = 4
	bulkShift     = 3

	// Passing values to a label or a function is free up to freeMoves, which no
	// compiler's output exceeds, and costs one for each movesPerFuel beyond:
	// a thousand values through a label is a thousand moves.
	freeMoves    = 64
	movesPerFuel = 8
)

// prices holds the cost of each instruction.
var prices = makePrices() //nolint:gochecknoglobals // a constant table

func makePrices() (p [opLimit]uint32) {
	for op := range p {
		p[op] = costDefault
		if opcode(op) >= opSIMD {
			p[op] = costSIMD
		}
	}
	set := func(cost uint32, codes ...opcode) {
		for _, op := range codes {
			p[op] = cost
		}
	}
	set(0, opUnreachable, opNop, opBlock, opElse, opEnd, opReturn, opDrop)
	set(costCall, opCall, opReturnCall)
	set(costIndirect, opCallIndirect, opReturnCallIndirect)
	set(costDiv32, opI32DivS, opI32DivU, opI32RemS, opI32RemU)
	set(costDiv64, opI64DivS, opI64DivU, opI64RemS, opI64RemU)
	set(costDivFloat, opF32Div, opF32Sqrt, opF64Div, opF64Sqrt)
	set(costBulk, opMemoryInit, opMemoryCopy, opMemoryFill, opTableInit, opTableCopy, opTableFill)
	set(costGrow, opMemoryGrow, opTableGrow)
	return p
}

// moves is the cost of passing n values on.
func moves(n int) uint32 {
	if n <= freeMoves {
		return 0
	}
	return uint32((n - freeMoves) / movesPerFuel)
}

// entryCost is what calling a function with that many locals costs.
func entryCost(locals int) uint32 { return costEntry + uint32(locals/localsPerFuel) }

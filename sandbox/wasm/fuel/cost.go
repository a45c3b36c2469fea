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
	costBulk      = 50  // plus one for each 8 bytes
	costGrow      = 500 // plus costPage for each page
	costPage      = 4096
	costEntry     = 1 // plus one for each localsPerFuel locals
	localsPerFuel = 4
	bytesPerFuel  = 8

	// Passing values to a label or a function is free up to freeMoves, which no
	// compiler's output exceeds, and costs one for each movesPerFuel beyond:
	// a thousand values through a label is a thousand moves.
	freeMoves    = 64
	movesPerFuel = 8
)

// prices holds the cost of each instruction.
var prices = makePrices()

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
	set(costDiv32, 0x6d, 0x6e, 0x6f, 0x70)
	set(costDiv64, 0x7f, 0x80, 0x81, 0x82)
	set(costDivFloat, 0x91, 0x95, 0x9f, 0xa3)
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

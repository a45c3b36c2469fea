package fuel

// immediate reads what follows the opcode of an instruction whose operands its
// signature tells.
func (c *checker) immediate(in *instr, info *opInfo) {
	r := &c.r
	switch info.imm {
	case immNone:
		if in.op >= opI32Extend8S && in.op <= opI64Extend32S {
			c.m.uses |= UsesSignExtension
		} else if in.op >= opMisc && in.op < opMemoryInit {
			c.m.uses |= UsesSaturatingTruncation
		}
	case immI32:
		r.signed(32)
	case immI64:
		r.signed(64)
	case immF32:
		r.skip(4)
	case immF64:
		r.skip(8)
	case immV128:
		r.skip(16)
	case immMem:
		c.memoryAccess(info)
	case immMemLane:
		c.memoryAccess(info)
		c.lane(info.lanes)
	case immLane:
		c.lane(info.lanes)
	case immShuffle:
		for range 16 {
			c.lane(32)
		}
	default:
		c.segmentOrSpace(in, info)
	}
}

// segmentOrSpace reads the immediates of memory.size and memory.grow and of
// the bulk operations.
func (c *checker) segmentOrSpace(in *instr, info *opInfo) {
	r, m := &c.r, c.m
	if in.op >= opMisc {
		m.uses |= UsesBulkMemory
	}
	switch info.imm {
	case immZero:
		c.memoryIndex()
	case immZeroZero:
		c.memoryIndex()
		c.memoryIndex()
	case immDataMem, immData:
		m.uses |= UsesSegments
		if m.dataCount < 0 {
			r.fail(r.pos, "the module has no data count section")
			return
		}
		in.arg = r.index("data segment", m.dataCount)
		if info.imm == immDataMem {
			c.memoryIndex()
		}
	case immElem:
		m.uses |= UsesSegments
		in.arg = r.index("element segment", len(m.elems))
	case immElemTable:
		m.uses |= UsesSegments | UsesTableMutation
		in.arg = r.index("element segment", len(m.elems))
		in.n = r.index("table", len(m.tables))
		if r.err == nil && m.elems[in.arg].kind != m.tables[in.n].Type {
			r.fail(r.pos, "elements are %s, the table holds %s", m.elems[in.arg].kind, m.tables[in.n].Type)
		}
	case immTableTable:
		m.uses |= UsesTableMutation
		in.arg = r.index("table", len(m.tables))
		in.n = r.index("table", len(m.tables))
		if r.err == nil && m.tables[in.arg].Type != m.tables[in.n].Type {
			r.fail(r.pos, "one table holds %s, the other %s", m.tables[in.arg].Type, m.tables[in.n].Type)
		}
	case immTable: // table.size
		m.uses |= UsesReferenceTypes
		in.arg = r.index("table", len(m.tables))
	default: // read by those who come before
	}
	if in.op == opMemoryGrow {
		m.uses |= UsesMemoryGrow
		c.f.calls++
	}
}

func (c *checker) memoryIndex() {
	at := c.r.pos
	switch i := c.r.u8(); {
	case c.r.err != nil:
	case i != 0:
		c.r.fail(at, "memory %d is named; more than one memory is not admitted", i)
	case c.m.memory == nil:
		c.r.fail(at, "the module has no memory")
	}
}

func (c *checker) memoryAccess(info *opInfo) {
	at := c.r.pos
	align := c.r.u32()
	switch {
	case c.r.err != nil:
		return
	case align&0x40 != 0:
		c.r.fail(at, "more than one memory is not admitted")
	case align > uint32(info.align):
		c.r.fail(at, "alignment 2^%d is larger than natural", align)
	case c.m.memory == nil:
		c.r.fail(at, "the module has no memory")
	}
	c.r.u32() // offset
}

func (c *checker) lane(lanes uint8) {
	at := c.r.pos
	if i := c.r.u8(); c.r.err == nil && i >= lanes {
		c.r.fail(at, "lane %d does not exist; there are %d", i, lanes)
	}
}

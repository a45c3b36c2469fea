package fuel

// code is bytes of a module under construction: a section, a function body.
type code []byte

func (c *code) op(b ...byte) { *c = append(*c, b...) }

func (c *code) u32(v uint32) {
	for v >= 0x80 {
		*c = append(*c, byte(v)|0x80)
		v >>= 7
	}
	*c = append(*c, byte(v))
}

func (c *code) signed(v int64) {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			*c = append(*c, b)
			return
		}
		*c = append(*c, b|0x80)
	}
}

func (c *code) name(s string) {
	c.u32(uint32(len(s)))
	*c = append(*c, s...)
}

// sized appends b after its length.
func (c *code) sized(b []byte) {
	c.u32(uint32(len(b)))
	*c = append(*c, b...)
}

func (c *code) section(id sectionID, body []byte) {
	c.op(byte(id))
	c.sized(body)
}

// with appends an instruction that has one index.
func (c *code) with(op opcode, index uint32) {
	c.opcode(op)
	c.u32(index)
}

func (c *code) opcode(op opcode) {
	switch {
	case op >= opSIMD:
		c.op(simdPrefix)
		c.u32(uint32(op - opSIMD))
	case op >= opMisc:
		c.op(miscPrefix)
		c.u32(uint32(op - opMisc))
	default:
		c.op(byte(op))
	}
}

func (c *code) i32(v int32) {
	c.opcode(opI32Const)
	c.signed(int64(v))
}

func (c *code) i64(v int64) {
	c.opcode(opI64Const)
	c.signed(v)
}

const emptyBlock byte = 0x40

// open begins a block without parameters or results.
func (c *code) open(op opcode) { c.op(byte(op), emptyBlock) }

func (c *code) ops(list ...opcode) {
	for _, op := range list {
		c.opcode(op)
	}
}

package fuel

func (c *checker) selectAny() {
	c.want(I32)
	a, b := c.pop(), c.pop()
	if a.reference() || b.reference() {
		c.r.fail(c.r.pos, "references need a select with a type")
		return
	}
	if a != b && a != anyType && b != anyType {
		c.r.fail(c.r.pos, "the operands are %s and %s", b, a)
	}
	if a == anyType {
		a = b
	}
	c.push(a)
}

func (c *checker) selectTyped() {
	r := &c.r
	c.m.uses |= UsesReferenceTypes
	if n := r.count("types", 1, 1); r.err == nil && n != 1 {
		r.fail(r.pos, "a select has one type, not %d", n)
	}
	t := r.valueType()
	c.m.usesType(t)
	c.want(I32)
	c.want(t)
	c.want(t)
	c.push(t)
}

func (c *checker) local(in *instr) {
	in.arg = c.r.index("local", len(c.f.types))
	if c.r.err != nil {
		return
	}
	t := c.f.types[in.arg]
	if in.op != opLocalGet {
		c.want(t)
		c.top().sets += t.slots()
	}
	if in.op != opLocalSet {
		c.push(t)
	}
}

func (c *checker) global(in *instr) {
	in.arg = c.r.index("global", len(c.m.globals))
	if c.r.err != nil {
		return
	}
	g := c.m.globals[in.arg]
	if in.op == opGlobalGet {
		c.push(g.Type)
		return
	}
	if !g.Mutable {
		c.r.fail(c.r.pos, "global %d is not mutable", in.arg)
	}
	c.want(g.Type)
}

func (c *checker) table(in *instr) {
	in.arg = c.r.index("table", len(c.m.tables))
	if c.r.err != nil {
		return
	}
	t := c.m.tables[in.arg].Type
	c.m.uses |= UsesReferenceTypes
	switch in.op {
	case opTableGet:
		c.want(I32)
		c.push(t)
		return
	case opTableSet:
		c.want(t)
		c.want(I32)
	case opTableGrow:
		c.want(I32)
		c.want(t)
		c.push(I32)
		c.f.calls++
	case opTableFill:
		c.want(I32)
		c.want(t)
		c.want(I32)
	default: // there is no other
	}
	c.m.uses |= UsesTableMutation
}

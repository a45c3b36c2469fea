package fuel

func (w *moduleWriter) imports(c *code) {
	add := func(name string, t FuncType) {
		c.name(ImportModule)
		c.name(name)
		c.op(byte(KindFunc))
		c.u32(w.l.types.index(t))
	}
	add(RefuelName, FuncType{})
	add(OverflowName, FuncType{})
	if w.c.Profile {
		add(EnterName, enterType)
		add(LeaveName, FuncType{})
	}
}

func (w *moduleWriter) helperTypes(c *code) {
	for _, k := range w.l.helpers.list {
		c.u32(w.l.types.index(helperType(w.m, k)))
	}
}

func (w *moduleWriter) tables() code {
	defined := w.m.tables[w.m.importedTables:]
	if len(defined) == 0 {
		return nil
	}
	var c code
	c.u32(uint32(len(defined)))
	for _, t := range defined {
		t = clampTable(t, w.c)
		c.op(byte(t.Type), 1)
		c.u32(t.Min)
		c.u32(t.Max)
	}
	return c
}

func (w *moduleWriter) memory() code {
	if w.m.memory == nil || w.m.memory.Imported {
		return nil
	}
	mem := clampMemory(*w.m.memory, w.c)
	c := code{1, 1}
	c.u32(mem.Min)
	if w.c.SparePage && mem.Max < maxPages {
		mem.Max++
	}
	c.u32(mem.Max)
	return c
}

// meters appends the two globals. Nothing is granted until the host says so.
func meters(c *code) {
	c.op(byte(I64), 1)
	c.i64(0)
	c.opcode(opEnd)
	c.op(byte(I32), 1)
	c.i32(0)
	c.opcode(opEnd)
}

func (w *moduleWriter) exports() code {
	type export struct {
		name  string
		kind  Kind
		index uint32
	}
	list := []export{{FuelGlobal, KindGlobal, w.l.fuel}, {DepthGlobal, KindGlobal, w.l.depth}}
	if w.m.start >= 0 {
		list = append(list, export{StartName, KindFunc, w.exported(uint32(w.m.start))})
	}
	for _, g := range w.m.info().Mutable {
		list = append(list, export{globalName(g.Index), KindGlobal, g.Index})
	}
	return w.extended(secExport, len(list), func(c *code) {
		for _, e := range list {
			c.name(e.name)
			c.op(byte(e.kind))
			c.u32(e.index)
		}
	})
}

func (w *moduleWriter) bodySection() code {
	n := len(w.m.bodies) + len(w.l.helpers.list)
	if n == 0 {
		return nil
	}
	c := make(code, 0, len(w.code)+1024)
	c.u32(uint32(n))
	c.op(w.code...)
	for _, k := range w.l.helpers.list {
		c.sized(helperBody(w.m, w.l, w.c, k))
	}
	return c
}

// names writes the name section with function indices shifted and the helpers
// named, for stack traces.
func (w *moduleWriter) names(out *code) {
	names := w.m.names()
	var c code
	c.name(nameSection)
	if names.module != nil {
		c.op(namesModule)
		c.sized(names.module)
	}
	var funcs code
	if w.c.Profile {
		names.funcs = named(w.m.allNames())
	}
	funcs.u32(uint32(len(names.funcs) + len(w.l.helpers.list)))
	for _, f := range names.funcs {
		funcs.u32(w.l.shift(f.index))
		funcs.name(f.name)
	}
	for i, k := range w.l.helpers.list {
		funcs.u32(uint32(len(w.m.funcs)+i) + w.l.injected)
		funcs.name(helperName(k))
	}
	c.op(namesFunctions)
	c.sized(funcs)
	out.section(secCustom, c)
}

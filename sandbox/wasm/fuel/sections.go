package fuel

const (
	pageBytes  = 65_536
	maxPages   = 65_536 // of a memory
	noTableMax = 1<<32 - 1
)

func (m *module) readType(i int, r *reader) {
	start := r.pos
	if form := r.u8(); r.err == nil && form != 0x60 {
		r.fail(start, "type %d is not a function type (form 0x%02x, garbage collection)", i, form)
		return
	}
	t := FuncType{Params: m.readTypes(r, "parameters"), Results: m.readTypes(r, "results")}
	if len(t.Results) > 1 {
		m.uses |= UsesMultiValue
	}
	m.types = append(m.types, t)
}

func (m *module) readTypes(r *reader, what string) []ValueType {
	n := r.count(what, 1, m.bounds.Params)
	if n == 0 {
		return nil
	}
	types := make([]ValueType, n)
	for i := range types {
		types[i] = r.valueType()
		m.usesType(types[i])
	}
	return types
}

func (m *module) usesType(t ValueType) {
	switch t {
	case V128:
		m.uses |= UsesSIMD
	case FuncRef, ExternRef:
		m.uses |= UsesReferenceTypes
	default: // there from the beginning
	}
}

func (m *module) readImport(_ int, r *reader) {
	imp := Import{Module: r.name(), Name: r.name()}
	start := r.pos
	imp.Kind = Kind(r.u8())
	if r.err != nil {
		return
	}
	if imp.Module == ImportModule {
		r.fail(start, "the import module %q is the host's own", ImportModule)
		return
	}
	switch imp.Kind {
	case KindFunc:
		t := r.index("type", len(m.types))
		if r.err != nil {
			return
		}
		imp.Func = m.types[t]
		m.funcs = append(m.funcs, t)
		m.importedFuncs++
	case KindTable:
		imp.Table = m.tableType(r)
		imp.Table.Imported = true
		m.tables = append(m.tables, imp.Table)
		m.importedTables++
	case KindMemory:
		imp.Memory = m.memoryType(r)
		imp.Memory.Imported = true
		m.memory = &imp.Memory
	case KindGlobal:
		imp.Global = m.globalType(r)
		if imp.Global.Mutable {
			m.uses |= UsesMutableGlobals
		}
		m.globals = append(m.globals, imp.Global)
		m.importedGlobals++
	default:
		r.fail(start, "import %q.%q has the unknown kind %d%s", imp.Module, imp.Name, imp.Kind, tagHint(imp.Kind))
	}
	m.imports = append(m.imports, imp)
}

func tagHint(k Kind) string {
	if k == 4 {
		return " (exception handling)"
	}
	return ""
}

func (m *module) readFunction(_ int, r *reader) {
	m.funcs = append(m.funcs, r.index("type", len(m.types)))
}

func (m *module) readTable(_ int, r *reader) {
	if r.left() > 0 && r.src[r.pos] == 0x40 {
		r.fail(r.pos, "a table with an initializer is not admitted (typed function references)")
		return
	}
	m.tables = append(m.tables, m.tableType(r))
	if len(m.tables) > m.bounds.Tables {
		r.fail(r.pos, "more than %d tables", m.bounds.Tables)
	}
	if len(m.tables) > 1 {
		m.uses |= UsesReferenceTypes
	}
}

func (m *module) tableType(r *reader) Table {
	t := Table{Type: r.refType()}
	if t.Type == ExternRef {
		m.uses |= UsesReferenceTypes
	}
	t.Min, t.Max = limits(r, "table", noTableMax)
	return t
}

func (m *module) readMemory(_ int, r *reader) {
	if m.memory != nil {
		r.fail(r.pos, "more than one memory is not admitted")
		return
	}
	mem := m.memoryType(r)
	m.memory = &mem
}

func (m *module) memoryType(r *reader) Memory {
	start := r.pos
	if m.memory != nil {
		r.fail(start, "more than one memory is not admitted")
		return Memory{}
	}
	low, high := limits(r, "memory", maxPages)
	if r.err == nil && (low > maxPages || high > maxPages) {
		r.fail(start, "a memory has at most %d pages", maxPages)
	}
	return Memory{Min: low, Max: high}
}

// limits reads a size and, where it is given, a maximum.
func limits(r *reader, what string, unlimited uint32) (low, high uint32) {
	start := r.pos
	flags := r.u8()
	switch {
	case r.err != nil:
		return 0, 0
	case flags&0x08 != 0:
		r.fail(start, "a %s with a page size of its own is not admitted", what)
	case flags&0x04 != 0:
		r.fail(start, "a 64-bit %s is not admitted (memory64)", what)
	case flags&0x02 != 0:
		r.fail(start, "a shared %s is not admitted (threads)", what)
	case flags > 1:
		r.fail(start, "%s limits have the unknown flags 0x%02x", what, flags)
	}
	low, high = r.u32(), unlimited
	if flags&1 != 0 {
		high = r.u32()
	}
	if r.err == nil && low > high {
		r.fail(start, "the %s begins with %d and may have %d at most", what, low, high)
	}
	return low, high
}

func (m *module) globalType(r *reader) GlobalType {
	t := GlobalType{Type: r.valueType()}
	m.usesType(t.Type)
	start := r.pos
	switch mut := r.u8(); mut {
	case 0:
	case 1:
		t.Mutable = true
	default:
		r.fail(start, "mutability of a global is 0x%02x, neither 0 nor 1", mut)
	}
	return t
}

func (m *module) readGlobal(_ int, r *reader) {
	t := m.globalType(r)
	m.constExpr(r, t.Type, &m.sections[secGlobal])
	m.globals = append(m.globals, t)
}

func (m *module) readExport(_ int, r *reader) {
	start := r.pos
	e := Export{Name: r.name(), Kind: Kind(r.u8())}
	if reserved(e.Name) {
		r.fail(start, "the export name %q is the host's own", e.Name)
	}
	at := r.pos
	switch e.Kind {
	case KindFunc:
		e.Index = r.index("function", len(m.funcs))
		m.sections[secExport].refs = append(m.sections[secExport].refs, reference{span{at, r.pos}, e.Index})
		if r.err == nil {
			e.Func = m.typeOf(e.Index)
		}
	case KindTable:
		e.Index = r.index("table", len(m.tables))
	case KindMemory:
		e.Index = r.index("memory", m.memories())
	case KindGlobal:
		e.Index = r.index("global", len(m.globals))
		if r.err == nil {
			e.Type = m.globals[e.Index]
			if e.Type.Mutable {
				m.uses |= UsesMutableGlobals
			}
		}
	default:
		r.fail(start, "export %q has the unknown kind %d%s", e.Name, e.Kind, tagHint(e.Kind))
	}
	if m.exportNames == nil {
		m.exportNames = make(map[string]bool)
	}
	if m.exportNames[e.Name] {
		r.fail(start, "export %q is there twice", e.Name)
	}
	m.exportNames[e.Name] = true
	m.exports = append(m.exports, e)
}

func (m *module) memories() int {
	if m.memory == nil {
		return 0
	}
	return 1
}

func (m *module) readStart(r *reader) {
	start := r.pos
	fn := r.index("function", len(m.funcs))
	if r.err != nil {
		return
	}
	if t := m.typeOf(fn); len(t.Params)+len(t.Results) > 0 {
		r.fail(start, "the start function has the type %s; it takes and returns nothing", t)
		return
	}
	m.start = int(fn)
}

func (m *module) readBody(i int, r *reader) {
	start := r.pos
	size := r.count("bytes of code", 1, m.bounds.Body)
	if r.err != nil {
		r.err = m.inFunction(i, r.err)
		return
	}
	if i >= m.declared {
		r.fail(start, "%d functions are declared, more bodies are there", m.declared)
		return
	}
	m.bodies = append(m.bodies, span{r.pos, r.pos + size})
	r.pos += size
}

func (m *module) readData(_ int, r *reader) {
	start := r.pos
	switch flags := r.u32(); flags {
	case 0, 2:
		at := r.pos
		if flags == 2 && r.u32() != 0 || m.memory == nil {
			r.fail(at, "a data segment names a memory that does not exist")
			return
		}
		m.constExpr(r, I32, &m.sections[secData])
	case 1:
		m.uses |= UsesBulkMemory
	default:
		r.fail(start, "a data segment has the unknown flags %d", flags)
	}
	size := r.count("bytes of data", 1, m.bounds.Module)
	m.data = append(m.data, dataSegment{size})
	r.skip(size)
}

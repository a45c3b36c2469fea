package fuel

// The bits of an element segment's flags.
const (
	elemPassive  = 1 // passive or declarative, instead of active
	elemExplicit = 2 // names its table, or is declarative
	elemExprs    = 4 // items are expressions, instead of function indices
	elemFlags    = 7
)

func (m *module) readElement(_ int, r *reader) {
	start := r.pos
	flags := r.u32()
	if r.err == nil && flags > elemFlags {
		r.fail(start, "an element segment has the unknown flags %d", flags)
		return
	}
	if flags != 0 {
		m.uses |= UsesBulkMemory
	}
	sec := &m.sections[secElement]
	table := uint32(0)
	if flags&elemPassive == 0 {
		at := r.pos
		if flags&elemExplicit != 0 {
			table = r.u32()
		}
		if r.err == nil && int64(table) >= int64(len(m.tables)) {
			r.fail(at, "table %d does not exist; there are %d", table, len(m.tables))
			return
		}
		m.constExpr(r, I32, sec)
	}
	seg := elemSegment{kind: elemKind(r, flags)}
	if r.err == nil && flags&elemPassive == 0 && m.tables[table].Type != seg.kind {
		r.fail(start, "an element segment of %s is for a table of %s", seg.kind, m.tables[table].Type)
		return
	}
	seg.items = r.count("elements", 1, m.bounds.Elements-m.elements)
	m.elements += seg.items
	for i := 0; i < seg.items && r.err == nil; i++ {
		if flags&elemExprs != 0 {
			m.constExpr(r, seg.kind, sec)
			continue
		}
		at := r.pos
		fn := r.index("function", len(m.funcs))
		sec.refs = append(sec.refs, reference{span{at, r.pos}, fn})
	}
	m.elems = append(m.elems, seg)
}

// elemKind reads the type of a segment's items, which the oldest form leaves
// out.
func elemKind(r *reader, flags uint32) ValueType {
	if flags&(elemPassive|elemExplicit) == 0 {
		return FuncRef
	}
	if flags&elemExprs != 0 {
		return r.refType()
	}
	at := r.pos
	if kind := r.u8(); kind != 0 {
		r.fail(at, "an element segment has the unknown kind 0x%02x", kind)
	}
	return FuncRef
}

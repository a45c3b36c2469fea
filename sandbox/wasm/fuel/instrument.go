package fuel

import "fmt"

// Instrument scans wasm and returns it with charges, stack guards and exported
// meters. The error is an *Error.
func Instrument(wasm []byte, c Config) (*Result, error) {
	m, err := parse(wasm, c.Bounds.withDefaults())
	if err != nil {
		return nil, err
	}
	m.canonicalNaN, m.noise = c.CanonicalNaN, c.noise
	w := &moduleWriter{m: m, c: c.withDefaults(), l: newLayout(m, c)}
	if err := w.bodies(); err != nil {
		return nil, err
	}
	if err := w.admit(); err != nil {
		return nil, err
	}
	out := w.module()
	res := &Result{Wasm: out, Info: m.info(), Stats: w.stats, Globals: m.info().Mutable}
	for i := range res.Globals {
		res.Globals[i].Name = globalName(res.Globals[i].Index)
	}
	if m.start >= 0 {
		res.Start = StartName
	}
	if c.Profile {
		res.Names = m.allNames()
	}
	res.Stats.InBytes, res.Stats.OutBytes = len(wasm), len(out)
	return res, nil
}

func globalName(index uint32) string { return fmt.Sprintf("%s%d", GlobalPrefix, index) }

// defaultMaxTable bounds tables when the host does not: 8 MiB of engine memory.
const defaultMaxTable = 1_000_000

func (c Config) withDefaults() Config {
	if c.MaxTable == 0 {
		c.MaxTable = defaultMaxTable
	}
	if c.MaxPages == 0 {
		c.MaxPages = maxPages
	}
	return c
}

// moduleWriter writes the new module.
type moduleWriter struct {
	m     *module
	c     Config
	l     *layout
	known *facts
	code  code // code section without its count
	stats Stats
}

// bodies rewrites every function. Which types and helpers the other sections
// hold is known only after it.
func (w *moduleWriter) bodies() *Error {
	known := &facts{imported: w.m.importedFuncs}
	if err := w.m.checkBodies(nil, known.add); err != nil {
		return err
	}
	known.complete(w.m)
	w.known = known
	b := &bodyWriter{m: w.m, l: w.l, known: known, stats: &w.stats, profile: w.c.Profile}
	w.code = make(code, 0, 2*len(w.m.src))
	err := w.m.checkBodies(known, func(f *function) {
		b.function(f)
		w.code.sized(b.code)
	})
	w.wrapExports()
	for _, k := range w.l.helpers.list {
		w.l.types.index(helperType(w.m, k))
	}
	return err
}

// wrapExports makes a helper for every function that the host may call.
func (w *moduleWriter) wrapExports() {
	for _, e := range w.m.exports {
		if e.Kind == KindFunc {
			w.exported(e.Index)
		}
	}
	if w.m.start >= 0 {
		w.exported(uint32(w.m.start))
	}
}

// exported is what the host calls in place of a function of the guest's: a
// helper that calls it and asks for what it still owes.
func (w *moduleWriter) exported(fn uint32) uint32 {
	if fn < w.l.imported || w.known.asksItself(int(fn)) {
		return w.l.shift(fn)
	}
	return w.l.helpers.index(helperKey{op: opExported, a: fn})
}

// function is where a function stands that a section of the guest's names.
func (w *moduleWriter) function(id sectionID, fn uint32) uint32 {
	if id == secExport {
		return w.exported(fn)
	}
	return w.l.shift(fn)
}

// admit refuses what this host does not want although the scanner knows it.
func (w *moduleWriter) admit() *Error {
	if w.m.uses.Has(UsesTailCalls) && !w.c.TailCalls {
		return errorf(-1, "tail calls are not admitted by this host").withFix("build without tail calls, or set wasm.tail_calls: true in rhost.yaml")
	}
	if w.m.uses.Has(UsesExtendedConst) && !w.c.ExtendedConst {
		return errorf(-1, "extended constant expressions are not admitted by this host").withFix("build without extended-const, or set wasm.extended_const: true in rhost.yaml")
	}
	if mem := w.m.memory; mem != nil && mem.Min > w.c.MaxPages {
		return errorf(-1, "the memory begins with %d pages; at most %d are granted", mem.Min, w.c.MaxPages).
			withFix("raise limits.memory to %d bytes, or build with less", int64(mem.Min)*pageBytes)
	}
	for i, t := range w.m.tables {
		if t.Min > w.c.MaxTable {
			return errorf(-1, "table %d begins with %d elements; at most %d are granted", i, t.Min, w.c.MaxTable)
		}
	}
	return nil
}

// clampMemory is a memory as the new module declares it. What an imported one
// may grow to is the host's business.
func clampMemory(mem Memory, c Config) Memory {
	if !mem.Imported {
		mem.Max = min(mem.Max, c.MaxPages)
	}
	return mem
}

func clampTable(t Table, c Config) Table {
	if !t.Imported {
		t.Max = min(t.Max, c.MaxTable)
	}
	return t
}

// module writes all sections in order.
func (w *moduleWriter) module() []byte {
	out := make(code, 0, len(w.code)+len(w.m.src))
	out.op(w.m.src[:8]...)
	for _, id := range sections {
		var body code
		switch id {
		case secType:
			body = w.extended(id, len(w.l.types.list), w.l.types.append)
		case secImport:
			body = w.extended(id, int(w.l.injected), w.imports)
		case secFunction:
			body = w.extended(id, len(w.l.helpers.list), w.helperTypes)
		case secTable:
			body = w.tables()
		case secMemory:
			body = w.memory()
		case secGlobal:
			body = w.extended(id, 2, meters)
		case secExport:
			body = w.exports()
		case secStart: // called by the host
		case secCode:
			body = w.bodySection()
		case secDataCount:
			if w.m.dataCount >= 0 {
				body.u32(uint32(w.m.dataCount))
			}
		default:
			body = w.extended(id, 0, nil)
		}
		if len(body) > 0 {
			out.section(id, body)
		}
	}
	w.names(&out)
	return out
}

// extended copies a section with function indices shifted and n items appended.
// The result is empty when there is nothing in it.
func (w *moduleWriter) extended(id sectionID, n int, more func(*code)) code {
	s := &w.m.sections[id]
	if s.count+n == 0 {
		return nil
	}
	var c code
	c.u32(uint32(s.count + n))
	at := s.items.pos
	for _, ref := range s.refs {
		c.op(w.m.src[at:ref.at.pos]...)
		c.u32(w.function(id, ref.index))
		at = ref.at.end
	}
	c.op(w.m.src[at:s.items.end]...)
	if more != nil {
		more(&c)
	}
	return c
}

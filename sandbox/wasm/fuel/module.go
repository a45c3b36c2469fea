package fuel

// sectionID is the number of a section in the binary format.
type sectionID byte

const (
	secCustom    sectionID = 0
	secType      sectionID = 1
	secImport    sectionID = 2
	secFunction  sectionID = 3
	secTable     sectionID = 4
	secMemory    sectionID = 5
	secGlobal    sectionID = 6
	secExport    sectionID = 7
	secStart     sectionID = 8
	secElement   sectionID = 9
	secCode      sectionID = 10
	secData      sectionID = 11
	secDataCount sectionID = 12
	secTag       sectionID = 13
)

// sections lists the sections in the order in which a module has them.
var sections = []sectionID{ //nolint:gochecknoglobals // a constant table
	secType, secImport, secFunction, secTable, secMemory, secGlobal,
	secExport, secStart, secElement, secDataCount, secCode, secData,
}

func (s sectionID) String() string {
	names := []string{
		"custom", "type", "import", "function", "table", "memory", "global",
		"export", "start", "element", "code", "data", "data count", "tag",
	}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// module is what parse finds outside function bodies. Everything in it has been
// checked: indices exist, types fit, vectors are complete.
type module struct {
	src    []byte
	bounds Bounds

	sections [secTag]section // by id
	customs  []Custom

	types   []FuncType
	imports []Import
	funcs   []uint32 // type of each function, imports first
	tables  []Table
	memory  *Memory
	globals []GlobalType // imports first
	exports []Export
	start   int // function, or -1
	elems   []elemSegment
	bodies  []span // one for each function defined
	data    []dataSegment

	importedFuncs   int
	importedTables  int
	importedGlobals int

	dataCount   int // -1 when there is no such section
	declared    int // functions declared by the function section
	elements    int // items of all element segments
	instrs      int
	uses        Features
	exportNames map[string]bool

	canonicalNaN bool   // see Config
	noise        uint64 // see Config
}

// section is one section of the module. References are the places in it where
// a function index stands, in order.
type section struct {
	count int
	items span // after the count
	refs  []reference
}

// span is a stretch of the module's bytes.
type span struct{ pos, end int }

// reference is a function index in the module's bytes.
type reference struct {
	at    span
	index uint32
}

type elemSegment struct {
	kind  ValueType
	items int
}

type dataSegment struct{ bytes int }

// parse reads everything but function bodies.
func parse(src []byte, b Bounds) (*module, *Error) {
	if err := foreign(src); err != nil {
		return nil, err
	}
	if len(src) > b.Module {
		return nil, errorf(-1, "module of %d bytes; at most %d are admitted", len(src), b.Module).
			withFix("strip debug information (Go: -ldflags='-s -w', Rust: strip = true)")
	}
	m := &module{src: src, bounds: b, start: -1, dataCount: -1}
	r := &reader{src: src, pos: 8, end: len(src)}
	last := -1
	for !r.done() {
		start := r.pos
		id := sectionID(r.u8())
		size := int(r.u32())
		if r.err != nil {
			return nil, r.err
		}
		if size > r.left() {
			return nil, errorf(start, "the %s section declares %d bytes, %d are left", id, size, r.left())
		}
		body := &reader{src: src, pos: r.pos, end: r.pos + size}
		r.pos += size
		if id == secCustom {
			m.custom(body)
		} else if rank := rankOf(id); rank < 0 {
			body.err = unknownSection(start, id)
		} else if rank <= last {
			body.err = errorf(start, "the %s section stands in the wrong place or twice", id)
		} else {
			last = rank
			m.section(id, body)
		}
		if body.err != nil {
			return nil, body.err
		}
		if !body.done() {
			return nil, errorf(body.pos, "%d bytes are left over at the end of the %s section", body.left(), id)
		}
	}
	return m, m.complete()
}

func rankOf(id sectionID) int {
	for i, s := range sections {
		if s == id {
			return i
		}
	}
	return -1
}

func unknownSection(offset int, id sectionID) *Error {
	if id == secTag {
		return errorf(offset, "exception handling is not admitted (tag section)").
			withFix("build without exceptions (C++: -fno-exceptions)")
	}
	return errorf(offset, "section %d is unknown", id)
}

// section reads one section and keeps where its items are.
func (m *module) section(id sectionID, r *reader) {
	s := &m.sections[id]
	switch id {
	case secStart:
		m.readStart(r)
		return
	case secDataCount:
		m.dataCount = int(r.u32())
		return
	default: // a list
	}
	kind := m.vector(id)
	s.count = r.count(kind.what, kind.size, kind.limit)
	s.items = span{r.pos, r.end}
	if r.err == nil && id == secFunction {
		m.declared = s.count
	}
	for i := 0; i < s.count && r.err == nil; i++ {
		kind.read(i, r)
	}
}

// vector says how the items of a section are read.
type vector struct {
	what  string
	size  int // bytes that an item takes at least
	limit int
	read  func(i int, r *reader)
}

func (m *module) vector(id sectionID) vector {
	b := m.bounds
	switch id {
	case secType:
		return vector{"types", 3, b.Types, m.readType}
	case secImport:
		return vector{"imports", 4, b.Imports, m.readImport}
	case secFunction:
		return vector{"functions", 1, b.Funcs, m.readFunction}
	case secTable:
		return vector{"tables", 3, b.Tables, m.readTable}
	case secMemory:
		return vector{"memories", 2, 1, m.readMemory}
	case secGlobal:
		return vector{"globals", 4, b.Globals, m.readGlobal}
	case secExport:
		return vector{"exports", 3, b.Exports, m.readExport}
	case secElement:
		return vector{"element segments", 3, b.Segments, m.readElement}
	case secCode:
		return vector{"function bodies", 3, b.Funcs, m.readBody}
	default:
		return vector{"data segments", 2, b.Segments, m.readData}
	}
}

// complete checks what only the whole module shows.
func (m *module) complete() *Error {
	if m.declared != len(m.bodies) {
		return errorf(-1, "%d functions are declared, %d bodies are there", m.declared, len(m.bodies))
	}
	if m.dataCount >= 0 && m.dataCount != len(m.data) {
		return errorf(-1, "%d data segments are declared, %d are there", m.dataCount, len(m.data))
	}
	return nil
}

func (m *module) info() *Info {
	info := &Info{
		Size: len(m.src), Imports: m.imports, Exports: m.exports, Memory: m.memory,
		Tables: m.tables, Start: m.start >= 0, Customs: m.customs, Uses: m.uses,
		Counts: Counts{
			Types: len(m.types), Imports: len(m.imports), Funcs: len(m.bodies),
			Tables: len(m.tables) - m.importedTables, Globals: len(m.globals) - m.importedGlobals,
			Exports: len(m.exports), Elements: len(m.elems), Data: len(m.data), Instrs: m.instrs,
		},
	}
	for i, g := range m.globals[m.importedGlobals:] {
		if g.Mutable {
			info.Mutable = append(info.Mutable, Global{Index: uint32(m.importedGlobals + i), Type: g.Type})
		}
	}
	return info
}

// typeOf is the type of a function that exists.
func (m *module) typeOf(fn uint32) FuncType { return m.types[m.funcs[fn]] }

// mutableGlobals counts the globals that a call may change, the meters among
// them.
func (m *module) mutableGlobals() int {
	n := 2
	for _, g := range m.globals {
		if g.Mutable {
			n++
		}
	}
	return n
}

package fuel

import "strings"

// Info describes a module as it was uploaded. It shares the custom sections'
// bytes with the input and is not changed once returned.
type Info struct {
	Size    int
	Imports []Import
	Exports []Export
	Memory  *Memory // nil when the module has none
	Tables  []Table
	Mutable []Global // mutable globals the module defines; Name is empty here
	Start   bool     // has a start function
	Customs []Custom // DWARF and everything else, in file order
	Counts  Counts
	Uses    Features
}

// Import is one thing the module needs from its host.
type Import struct {
	Module, Name string
	Kind         Kind
	Func         FuncType   // of a function
	Memory       Memory     // of a memory
	Table        Table      // of a table
	Global       GlobalType // of a global
}

// Export is one thing the module offers.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32     // in the index space of its kind, imports counted first
	Func  FuncType   // of a function
	Type  GlobalType // of a global
}

// Custom is one custom section.
type Custom struct {
	Name string
	Data []byte
}

// Counts are how many of each thing the module has. Imports are not counted
// among what it defines.
type Counts struct {
	Types, Imports, Funcs, Tables, Globals, Exports, Elements, Data, Instrs int
}

// Custom returns the contents of the first custom section of that name.
func (i *Info) Custom(name string) ([]byte, bool) {
	for _, c := range i.Customs {
		if c.Name == name {
			return c.Data, true
		}
	}
	return nil, false
}

// Export returns the export of that name.
func (i *Info) Export(name string) (Export, bool) {
	for _, e := range i.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// Features is a set of language features and of things a module does that
// decide how an instance of it may be kept.
type Features uint32

// The features that Info.Uses reports.
const (
	UsesMutableGlobals Features = 1 << iota // imports or exports a mutable global
	UsesMultiValue
	UsesSignExtension
	UsesSaturatingTruncation
	UsesBulkMemory
	UsesReferenceTypes
	UsesSIMD
	UsesTailCalls
	UsesExtendedConst
	UsesMemoryGrow
	UsesSegments      // memory.init, data.drop, table.init, elem.drop: segments are read or dropped at run time
	UsesTableMutation // table.set, fill, copy, init, grow: tables change at run time
)

var featureNames = []string{ //nolint:gochecknoglobals // a constant table
	"mutable-globals", "multi-value", "sign-extension", "saturating-truncation", "bulk-memory",
	"reference-types", "simd", "tail-calls", "extended-const", "memory-grow", "segments", "table-mutation",
}

// Has reports whether all features of g are in f.
func (f Features) Has(g Features) bool { return f&g == g }

// String lists the features: "bulk-memory, simd".
func (f Features) String() string {
	var names []string
	for i, name := range featureNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

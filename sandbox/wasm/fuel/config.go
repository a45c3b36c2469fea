package fuel

// CostModel is the version of the price list that Instrument builds into a
// module. It is recorded with every result, because fuel counted under one
// version says nothing about fuel counted under another.
const CostModel = 1

// Names that Instrument adds to a module. A guest that uses one of them for
// something of its own is refused.
const (
	// ImportModule holds the two functions that the host provides.
	ImportModule = "rhost.meter"
	// RefuelName is the import of type ()→() that is called when FuelGlobal has
	// gone below zero. It returns once FuelGlobal is zero or more, or panics to
	// end the call.
	RefuelName = "refuel"
	// OverflowName is the import of type ()→() that is called when DepthGlobal
	// has gone below zero. It panics to end the call; should it return, the
	// guest traps.
	OverflowName = "overflow"
	// FuelGlobal is the exported i64 of fuel that may be used before the next
	// refuel. What a call consumed is what was granted less what is left here,
	// also after a trap; below zero it is the debt of the charge that failed.
	FuelGlobal = "rhost.fuel"
	// DepthGlobal is the exported i32 of stack slots left. The host sets it
	// before each call; a call that returns has put back what it took, a call
	// that traps has not.
	DepthGlobal = "rhost.depth"
	// EnterName and LeaveName are imports of a profile build alone, of types
	// (i32)→() and ()→(). Every function of the guest's calls the one before it
	// charges anything, with its index in the original module, and the other
	// when it has charged everything. A trap leaves functions without a word.
	EnterName = "enter"
	LeaveName = "leave"
	// StartName is the export of the function that the module would have run by
	// itself when instantiated.
	StartName = "rhost.start"
	// GlobalPrefix begins the export names of mutable globals; the rest is the
	// global's index in the original module.
	GlobalPrefix = "rhost.global."
)

// SlotBytes is the most native stack that one slot of DepthGlobal stands for
// in wazero's compiled code. A host that grants no more than MaxDepth never
// meets wazero's own stack limit.
const SlotBytes = 64

// MaxDepth is the most that a host grants in DepthGlobal: wazero's stack may
// take 50,000,000 bytes before it is in danger of its own limit, and a function
// that calls no other takes its part without asking.
const MaxDepth = 50_000_000/SlotBytes - leafWidth

// Config says what Instrument does to a module. The zero value clamps nothing
// and takes the default bounds.
type Config struct {
	MaxPages uint32 // the memory's maximum is lowered to this many 64 KiB pages; 0 leaves it
	// SparePage declares the memory one page larger than it is. The host sees to it
	// that the guest does not get that page.
	SparePage     bool
	MaxTable      uint32 // every table's maximum is lowered to this many elements; 0 takes the default of 1,000,000
	Bounds        Bounds // what is admitted; zero fields take their defaults
	TailCalls     bool   // admit return_call and return_call_indirect
	ExtendedConst bool   // admit arithmetic in constant expressions
	// CanonicalNaN replaces every NaN that arithmetic makes by the canonical one, so
	// that a guest which looks at its bits does the same on every machine. It costs no
	// fuel.
	CanonicalNaN bool
	// noise is for tests: bits that are set in every NaN that arithmetic makes, before
	// anything else is done to it, as on a processor that makes others. 0: none.
	noise uint64
	// Profile makes a build that tells the host which function runs. It is slow
	// and uses the same fuel.
	Profile bool
}

// Result is an instrumented module.
type Result struct {
	Wasm    []byte   // the module to compile; shares no memory with the input
	Start   string   // StartName when the module had a start function, else ""
	Info    *Info    // the module as it was uploaded
	Globals []Global // every mutable global the module defines, in index order
	Stats   Stats
	// Names are the functions of a profile build by their index in the original
	// module, imports first: by the name section, else an export, else "function
	// 12"; imports that have no name are "module.name". Nil in other builds.
	Names []string
}

// Global is one mutable global of the module, exported so that the host can
// put it back to its first value between calls.
type Global struct {
	Name  string    // export name
	Index uint32    // in the original module
	Type  ValueType // reference and v128 globals cannot be set from outside
}

// Stats counts what Instrument did.
type Stats struct {
	Funcs    int // functions rewritten
	Instrs   int // instructions read
	Points   int // charges inserted
	MaxWidth int // widest stack frame, in slots
	InBytes  int
	OutBytes int
}

package fuel

// Bounds are the sizes up to which a module is admitted. They keep both this
// package and the compiler behind it to bounded time and memory; none of them
// is met by what compilers make of real programs. A zero field takes its
// default.
//
// wazero's compiler takes time and memory that grow with products of sizes that
// are harmless one by one. Bounds marked * are on such products, for one
// function; all functions together may have moduleFactor times as much.
type Bounds struct {
	Module   int // bytes of the module
	Body     int // bytes of one function body
	Locals   int // locals of one function, parameters not counted
	Params   int // parameters, or results, of one type
	Nesting  int // blocks around an instruction
	Blocks   int // blocks of one function
	Targets  int // labels of one br_table
	Labels   int // labels of all br_table instructions of one function
	Operands int // values on the operand stack at once

	Values      int // * values that code pushes and passes to labels
	LocalBlocks int // * (locals + parameters + operands) × (blocks + charges)
	Joins       int // * locals that differ at the ends of blocks and the heads of loops
	Phis        int // * (locals + parameters)² × loops, each counted with those around it
	Chains      int // * basic blocks and the dominators of each
	Lists       int // * basic blocks and the memory accesses on the way to each
	Reloads     int // * (calls + charges) × mutable globals
	Lookups     int // * calls × imports

	Types    int // function types
	Imports  int // imports of all kinds
	Funcs    int // functions defined
	Tables   int // tables
	Globals  int // globals defined
	Exports  int // exports
	Segments int // element segments, and data segments
	Elements int // items of all element segments together
	Customs  int // custom sections
}

// moduleFactor is how many of the costliest functions a module may have.
const moduleFactor = 20

// DefaultBounds are the bounds of a host whose operator set none.
func DefaultBounds() Bounds {
	return Bounds{
		Module:   32 << 20,
		Body:     512 << 10,
		Locals:   5_000,
		Params:   1_000,
		Nesting:  10_000,
		Blocks:   20_000,
		Targets:  25_000,
		Labels:   25_000,
		Operands: 10_000,

		Values:      1_000_000,
		LocalBlocks: 4_000_000,
		Joins:       400_000,
		Phis:        2_000_000_000,
		Chains:      50_000_000,
		Lists:       20_000_000,
		Reloads:     4_000_000,
		Lookups:     32_000_000,

		Types:    20_000,
		Imports:  1_000,
		Funcs:    200_000,
		Tables:   100,
		Globals:  50_000,
		Exports:  100_000,
		Segments: 100_000,
		Elements: 1_000_000,
		Customs:  1_000,
	}
}

// withDefaults fills the zero fields of b.
func (b Bounds) withDefaults() Bounds {
	d := DefaultBounds()
	for _, f := range []struct{ field, value *int }{
		{&b.Module, &d.Module},
		{&b.Body, &d.Body},
		{&b.Locals, &d.Locals},
		{&b.Params, &d.Params},
		{&b.Nesting, &d.Nesting},
		{&b.Blocks, &d.Blocks},
		{&b.Targets, &d.Targets},
		{&b.Labels, &d.Labels},
		{&b.Operands, &d.Operands},
		{&b.Values, &d.Values},
		{&b.LocalBlocks, &d.LocalBlocks},
		{&b.Joins, &d.Joins},
		{&b.Phis, &d.Phis},
		{&b.Chains, &d.Chains},
		{&b.Lists, &d.Lists},
		{&b.Reloads, &d.Reloads},
		{&b.Lookups, &d.Lookups},
		{&b.Types, &d.Types},
		{&b.Imports, &d.Imports},
		{&b.Funcs, &d.Funcs},
		{&b.Tables, &d.Tables},
		{&b.Globals, &d.Globals},
		{&b.Exports, &d.Exports},
		{&b.Segments, &d.Segments},
		{&b.Elements, &d.Elements},
		{&b.Customs, &d.Customs},
	} {
		if *f.field == 0 {
			*f.field = *f.value
		}
	}
	return b
}

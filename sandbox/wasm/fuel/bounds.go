package fuel

// Bounds are the sizes up to which a module is admitted. They keep both this
// package and the compiler behind it to bounded time and memory; none of them
// is met by what compilers make of real programs. A zero field takes its
// default.
type Bounds struct {
	Module      int // bytes of the module
	Body        int // bytes of one function body
	Locals      int // locals of one function, parameters not counted
	Params      int // parameters, or results, of one type
	Nesting     int // blocks around an instruction
	Blocks      int // blocks of one function
	LocalBlocks int // (locals + parameters + operands) × (blocks + charges) of one function
	Targets     int // labels of one br_table
	Operands    int // values on the operand stack at once
	Values      int // values that one function's code pushes and passes to labels
	AccessPaths int // memory accesses × (blocks + charges) of one function
	Reloads     int // (calls + charges) × mutable globals of one function

	AllValues int // Values of all functions together

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

// DefaultBounds are the bounds of a host whose operator set none.
func DefaultBounds() Bounds {
	return Bounds{
		Module:      32 << 20,
		Body:        512 << 10,
		Locals:      5_000,
		Params:      1_000,
		Nesting:     1_000,
		Blocks:      20_000,
		LocalBlocks: 1_000_000,
		Targets:     4_096,
		Operands:    10_000,
		Values:      1_000_000,
		AccessPaths: 64_000_000,
		Reloads:     4_000_000,

		AllValues: 64_000_000,

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
		{&b.LocalBlocks, &d.LocalBlocks},
		{&b.Targets, &d.Targets},
		{&b.Operands, &d.Operands},
		{&b.Values, &d.Values},
		{&b.AccessPaths, &d.AccessPaths},
		{&b.Reloads, &d.Reloads},
		{&b.AllValues, &d.AllValues},
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

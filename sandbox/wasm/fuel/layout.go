package fuel

// layout says where the injected things stand in the new module. Types,
// globals and functions are appended to their index spaces, so that only
// functions behind the imports move.
type layout struct {
	imported uint32 // functions imported by the guest
	refuel   uint32 // function
	overflow uint32 // function
	enter    uint32 // function of a profile build
	leave    uint32 // function of a profile build
	injected uint32 // functions imported after the guest's own
	fuel     uint32 // global
	depth    uint32 // global
	types    typeTable
	helpers  helperTable
}

func newLayout(m *module, c Config) *layout {
	l := &layout{
		imported: uint32(m.importedFuncs),
		refuel:   uint32(m.importedFuncs),
		overflow: uint32(m.importedFuncs) + 1,
		enter:    uint32(m.importedFuncs) + 2,
		leave:    uint32(m.importedFuncs) + 3,
		injected: 2,
		fuel:     uint32(len(m.globals)),
		depth:    uint32(len(m.globals)) + 1,
		types:    typeTable{next: uint32(len(m.types)), byKey: make(map[string]uint32)},
	}
	l.types.index(FuncType{})
	if c.Profile {
		l.injected += 2
		l.types.index(enterType)
	}
	l.helpers = helperTable{
		next:  uint32(len(m.funcs)) + l.injected,
		byKey: make(map[helperKey]uint32),
	}
	return l
}

// shift is where a function of the guest's stands now.
func (l *layout) shift(fn uint32) uint32 {
	if fn < l.imported {
		return fn
	}
	return fn + l.injected
}

// typeTable collects the types that injected code needs.
type typeTable struct {
	next  uint32
	list  []FuncType
	byKey map[string]uint32
}

// index returns the index of t among the appended types, adding it when it is
// new.
func (t *typeTable) index(ft FuncType) uint32 {
	key := ft.String()
	if i, ok := t.byKey[key]; ok {
		return i
	}
	i := t.next
	t.next++
	t.list = append(t.list, ft)
	t.byKey[key] = i
	return i
}

func (t *typeTable) append(c *code) {
	for _, ft := range t.list {
		c.op(0x60)
		for _, list := range [][]ValueType{ft.Params, ft.Results} {
			c.u32(uint32(len(list)))
			for _, v := range list {
				c.op(byte(v))
			}
		}
	}
}

package lua

import (
	glua "github.com/yuin/gopher-lua"
)

// library is the list of functions that every guest finds in its globals. It is
// made once: a native function holds no state, so all guests share them.
type library struct {
	entries []entry
	tables  []string // names of the tables, in the order they are made
}

type entry struct {
	table, name string // table "" are the globals
	fn          *glua.LFunction
}

func newLibrary() *library {
	lib := &library{}
	lib.baseLib()
	lib.stringLib()
	lib.tableLib()
	lib.mathLib()
	lib.coroutineLib()
	lib.hostLib()
	lib.reachLib()
	return lib
}

func (lib *library) open(name string) { lib.tables = append(lib.tables, name) }

func (lib *library) add(table, name string, f native) {
	lib.entries = append(lib.entries, entry{table, name, &glua.LFunction{IsG: true, GFunction: wrap(f)}})
}

// borrow adds a function of gopher-lua whose cost does not depend on its
// arguments.
func (lib *library) borrow(table, name string) {
	lib.add(table, name, plain(borrowed(table, name)))
}

// borrowed finds a function in gopher-lua's own libraries.
func borrowed(table, name string) glua.LGFunction {
	l := glua.NewState(glua.Options{SkipOpenLibs: true})
	defer l.Close()
	for _, open := range []glua.LGFunction{glua.OpenBase, glua.OpenString, glua.OpenTable, glua.OpenMath, glua.OpenCoroutine} {
		l.Push(l.NewFunction(open))
		l.Call(0, 0)
	}
	from := l.G.Global
	if table != "" {
		from = l.GetGlobal(table).(*glua.LTable) //nolint:errcheck,forcetypeassert // opened above
	}
	return from.RawGetString(name).(*glua.LFunction).GFunction //nolint:errcheck,forcetypeassert // a wrong name is our own mistake
}

// install makes the globals of a fresh state, but for the tables to omit.
func (lib *library) install(l *glua.LState, omit map[string]bool) {
	globals := l.G.Global
	globals.RawSetString("_G", globals)
	globals.RawSetString("_VERSION", glua.LString(glua.LuaVersion))
	tables := make(map[string]*glua.LTable, len(lib.tables)+1)
	tables[""] = globals
	for _, name := range lib.tables {
		if !omit[name] {
			tables[name] = l.CreateTable(0, 16)
		}
	}
	for _, e := range lib.entries {
		if tb := tables[e.table]; tb != nil {
			tb.RawSetString(e.name, e.fn)
		}
	}
	for _, name := range lib.tables {
		if omit[name] {
			continue
		}
		if parent, child, ok := cutName(name); ok {
			tables[parent].RawSetString(child, tables[name])
		} else {
			globals.RawSetString(name, tables[name])
		}
	}
	str := l.CreateTable(0, 2)
	str.RawSetString("__index", tables["string"])
	str.RawSetString("__metatable", glua.LFalse)
	l.SetMetatable(glua.LString(""), str)
	if math := tables["math"]; math != nil {
		setConstants(math)
	}
}

// unused finds the library tables that a script cannot reach, because neither
// their name nor that of the table of all globals stands in it. Making them is
// the larger part of a small call. The tables that strings and the host stand
// behind are always made.
func unused(proto *glua.FunctionProto) map[string]bool {
	omit := map[string]bool{"coroutine": true, "math": true, "table": true}
	var look func(p *glua.FunctionProto)
	look = func(p *glua.FunctionProto) {
		for _, c := range p.Constants {
			name, ok := c.(glua.LString)
			if ok && name == "_G" {
				clear(omit)
			}
			delete(omit, string(name))
		}
		for _, inner := range p.FunctionPrototypes {
			look(inner)
		}
	}
	look(proto)
	return omit
}

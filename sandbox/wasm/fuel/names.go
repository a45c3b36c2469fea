package fuel

import (
	"fmt"
	"slices"
)

// The parts of the name section that are kept. Names of locals are dropped:
// engines look them up one by one, which takes quadratic time on a section made
// for it.
const (
	nameSection    = "name"
	namesModule    = 0
	namesFunctions = 1
)

// nameMap is the function names of a module, by rising index.
type nameMap struct {
	module []byte // contents of the subsection with the module's name, or nil
	funcs  []funcName
}

type funcName struct {
	index uint32
	name  string
}

// names reads the name section. A section that is broken, or that names
// functions out of order, has no names: it is a help for readers and nothing
// else. It may be called before the module is read to its end.
func (m *module) names() nameMap {
	data := m.findNames()
	r := &reader{src: data, end: len(data)}
	var names nameMap
	for !r.done() {
		id := r.u8()
		size := int(r.u32())
		if r.err != nil || size > r.left() {
			return nameMap{}
		}
		part := &reader{src: data, pos: r.pos, end: r.pos + size}
		r.pos += size
		switch id {
		case namesModule:
			names.module = part.src[part.pos:part.end]
			part.name()
		case namesFunctions:
			names.funcs = m.funcNames(part)
		default:
			continue
		}
		if part.err != nil || !part.done() {
			return nameMap{}
		}
	}
	return names
}

func (m *module) funcNames(r *reader) []funcName {
	n := r.count("names", 2, r.left())
	var names []funcName
	for range n {
		fn := funcName{r.index("function", len(m.funcs)), r.name()}
		if len(names) > 0 && fn.index <= names[len(names)-1].index {
			r.fail(r.pos, "names are out of order")
		}
		if r.err != nil {
			return nil
		}
		names = append(names, fn)
	}
	return names
}

// allNames names every function, imports first.
func (m *module) allNames() []string {
	list := make([]string, len(m.funcs))
	i := 0
	for _, imp := range m.imports {
		if imp.Kind == KindFunc {
			list[i] = imp.Module + "." + imp.Name
			i++
		}
	}
	for i := m.importedFuncs; i < len(list); i++ {
		list[i] = fmt.Sprintf("function %d", i)
	}
	for _, e := range slices.Backward(m.exports) { // of several, the first
		if e.Kind == KindFunc && int(e.Index) >= m.importedFuncs {
			list[e.Index] = e.Name
		}
	}
	for _, f := range m.names().funcs {
		list[f.index] = f.name
	}
	return list
}

// named numbers names.
func named(list []string) []funcName {
	names := make([]funcName, len(list))
	for i, name := range list {
		names[i] = funcName{uint32(i), name}
	}
	return names
}

// findNames returns the contents of the name section, which lies behind the
// code, or nil.
func (m *module) findNames() []byte {
	r := &reader{src: m.src, pos: 8, end: len(m.src)}
	for !r.done() {
		id := sectionID(r.u8())
		size := int(r.u32())
		if r.err != nil || size > r.left() {
			return nil
		}
		body := &reader{src: m.src, pos: r.pos, end: r.pos + size}
		r.pos += size
		if id == secCustom && body.name() == nameSection && body.err == nil {
			return m.src[body.pos:body.end]
		}
	}
	return nil
}

// funcName is the name of a function by the name section, else by its first
// export, else "".
func (m *module) funcName(fn uint32) string {
	for _, f := range m.names().funcs {
		if f.index == fn {
			return f.name
		}
	}
	for _, e := range m.exports {
		if e.Kind == KindFunc && e.Index == fn {
			return e.Name
		}
	}
	return ""
}

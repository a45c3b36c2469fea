package fuel

import "strings"

// custom keeps a custom section for Info. The name section is read where it is
// needed; a broken one is no reason to refuse a module.
func (m *module) custom(r *reader) {
	if len(m.customs) >= m.bounds.Customs {
		r.fail(r.pos, "more than %d custom sections", m.bounds.Customs)
		return
	}
	name := r.name()
	m.customs = append(m.customs, Custom{Name: name, Data: r.src[r.pos:r.end:r.end]})
	r.pos = r.end
}

// reserved reports whether an export name is one that Instrument adds.
func reserved(name string) bool {
	switch name {
	case FuelGlobal, DepthGlobal, StartName:
		return true
	}
	return strings.HasPrefix(name, GlobalPrefix)
}

// inFunction says in which function an error lies. The function is counted
// among those that the module defines.
func (m *module) inFunction(defined int, err *Error) *Error {
	err.Func = m.importedFuncs + defined
	err.Name = m.funcName(uint32(err.Func))
	return err
}

package dfa

import "github.com/rhost/rhost/cep/engine"

// Tighten leaves an engine no room for sets of several atoms, nor for tables.
func Tighten(e engine.Engine) {
	m, _ := e.(*machine)
	m.sets.room, m.sets.tables = 0, 0
}

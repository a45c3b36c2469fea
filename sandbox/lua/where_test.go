package lua_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// TestWhere checks what the author of a script reads when it is stopped.
func TestWhere(t *testing.T) {
	e := newEngine(t)
	for _, tt := range []struct{ name, src, want string }{
		{"an error", "function invoke()\n  error('boom')\nend", "call p: trap fault at invoke (p.lua:2): boom"},
		{"an error in a function", "local function check()\n  error('boom')\nend\nfunction invoke()\n  check()\nend", "call p: trap fault at check (p.lua:2): boom"},
		{"an error in a method", "t = {}\nfunction t.run()\n  local x = nil\n  return x.y\nend\nfunction invoke()\n  t.run()\nend", "trap fault at run (p.lua:4): attempt to index a non-table object(nil) with key 'y'"},
		{"an error outside", "local x = 1\nx()\nfunction invoke() end", "trap fault at p.lua:2: attempt to call a non-function object"},
		{"an error value", "function invoke()\n  error({message = 'no', code = 7})\nend", "trap fault at invoke (p.lua:2): no"},
		{"an error value without a text", "function invoke()\n  error({})\nend", "an error value of type table"},
		{"an argument", "function invoke()\n  return ('x'):rep()\nend", "trap fault at invoke (p.lua:2): bad argument #2 to rep (number expected, got nil)"},
		{"fuel", "local function spin()\n  while true do end\nend\nfunction invoke()\n  return spin() + 1\nend", "call p: fuel fault at spin (p.lua:2): used up 10000 units of fuel; raise limits.fuel of the plugin if the work is wanted"},
		{"the last host call", "function invoke()\n  rhost.now()\n  error('boom')\nend", "boom (last host call: now)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", File: "plugins/p.lua", Bytes: []byte(tt.src)})
			require.NoError(t, err)
			inst, err := m.New(t.Context(), sandbox.Limits{})
			require.NoError(t, err)
			s := sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), sandbox.Limits{Fuel: 10_000})
			_, _, err = inst.Invoke(t.Context(), &abi.Call{}, s)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

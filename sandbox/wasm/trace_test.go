package wasm

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseTrace(t *testing.T) {
	n := names{imports: 3, funcs: 20, exports: map[int]string{7: "rhost_invoke"}}
	for _, tt := range []struct {
		name, text, what, where string
		frames                  []string
	}{
		{
			"names", "wasm error: unreachable\nwasm stack trace:\n\t.rhost.enter(i32)\n\t.runtime.throw(i32) i32\n\t.main.(*server).run(i32,i64) i32\n\t.go.main.F[go.shape.int]()",
			"unreachable", "main.(*server).run",
			[]string{"runtime.throw", "main.(*server).run", "go.main.F[go.shape.int]"},
		},
		{
			"numbers, shifted by what the pass adds", "wasm error: integer overflow\nwasm stack trace:\n\t.$22(i32)\n\t.$9(i32) i32\n\t.$8()",
			"integer overflow", "rhost_invoke",
			[]string{"rhost_invoke", "function 6"},
		},
		{
			"several results", "x (recovered by wazero)\nwasm stack trace:\n\t.pair(i32,i32) (i64,i64)\n\t... maybe followed by omitted frames",
			"x", "pair",
			[]string{"pair"},
		},
		{"runtime only", "boom\nwasm stack trace:\n\t.runtime.exit()", "boom", "runtime.exit", []string{"runtime.exit"}},
		{"none", "stack overflow", "stack overflow", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			trap := n.parse(tt.text)
			assert.Equal(t, tt.what, trap.Text)
			assert.Equal(t, tt.frames, trap.Frames)
			assert.Equal(t, tt.where, trap.where())
		})
	}
}

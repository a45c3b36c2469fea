package fuel_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFib(t *testing.T) {
	for name, m := range machines(t) {
		t.Run(name, func(t *testing.T) {
			g := m.load(t, fib(), everything)
			res, used := g.uses(t, "fib", 15)
			assert.Equal(t, []uint64{610}, res)
			t.Log(used)
		})
	}
}

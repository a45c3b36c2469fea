package lua_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// FuzzRun holds calls to end within their limits, whatever they run, and equal
// calls to use equal fuel.
func FuzzRun(f *testing.F) {
	for _, g := range guests() {
		f.Add(string(g.Bytes))
	}
	for _, w := range work {
		f.Add(string(source(w.body).Bytes))
	}
	e := newEngine(f)
	lim := sandbox.Limits{Fuel: 50_000, Memory: 1 << 20, Deadline: 10 * time.Second}
	f.Fuzz(func(t *testing.T, src string) {
		m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: []byte(src)})
		if err != nil {
			return
		}
		var fuel [2]int64
		for i := range fuel {
			inst, err := m.New(t.Context(), lim)
			require.NoError(t, err)
			_, usage, err := inst.Invoke(t.Context(), &abi.Call{}, sandbox.NewSession(sandbox.Services{
				Now:    func() time.Time { return time.Unix(0, 0) },
				Random: func(p []byte) { clear(p) },
			}, abi.Capabilities(), lim))
			if sandbox.KindOf(err) != sandbox.FaultDeadline {
				require.Less(t, usage.Wall, 9*time.Second)
			}
			fuel[i] = usage.Fuel
		}
		require.Equal(t, fuel[0], fuel[1])
	})
}

package wasm_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox/wasm"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// profiled is a guest whose rhost_invoke calls a costly function and a cheap
// one, and whose cheap one calls the host.
func profiled() []byte {
	m := New()
	now := m.Service(v1.FuncNow)
	costly := m.Func("costly", nil, nil, i32s(1), Repeat(0, 1000))
	cheap := m.Func("cheap", nil, nil, nil, ask(now, Seq(I32(0), I32(0))))
	m.Invoke(nil, Call(costly), Call(cheap), Call(costly), I32(0))
	return m.Bytes()
}

func newProfilingEngine(t *testing.T) (*wasm.Engine, *wasm.Profile) {
	t.Helper()
	profile := wasm.NewProfile()
	e, err := wasm.New(wasm.Options{Profile: profile})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close(t.Context())) })
	return e, profile
}

// TestProfile: a call uses the same fuel in a profile build, and pprof reads
// where it went.
func TestProfile(t *testing.T) {
	_, want, err := once(t, compile(t, newEngine(t), "p", profiled()), newWorld(), callWith(""))
	require.NoError(t, err)
	e, profile := newProfilingEngine(t)
	m := compile(t, e, "p", profiled())
	i := instance(t, m, patient())
	profile.Reset()
	for range 3 {
		_, got, err := i.Invoke(t.Context(), callWith(""), newWorld().session())
		require.NoError(t, err)
		assert.Equal(t, want.Fuel, got.Fuel)
	}
	file := t.TempDir() + "/out.pb.gz"
	writeProfile(t, profile, file)
	out := pprofTop(t, file)
	total := 3 * want.Fuel
	assert.Contains(t, out, "Type: fuel")
	assert.Contains(t, out, "of "+fmt.Sprint(total)+"units total", "no fuel is left out")
	lines := strings.Split(out, "\n")
	assert.Contains(t, lines[len(lines)-4], "costly")
	assert.Contains(t, out, fmt.Sprint(total)+"units   100%  rhost_invoke")
}

// TestProfileOfATrap: what a call used before it was stopped is there.
func TestProfileOfATrap(t *testing.T) {
	e, profile := newProfilingEngine(t)
	for name, src := range map[string][]byte{"loop": infiniteLoop(), "recursion": stackBomb(), "trap": crash()} {
		profile.Reset()
		_, usage, err := once(t, compile(t, e, name, src), newWorld(), callWith(""))
		require.Error(t, err)
		file := t.TempDir() + "/out.pb.gz"
		writeProfile(t, profile, file)
		assert.Contains(t, pprofTop(t, file), "of "+fmt.Sprint(usage.Fuel)+"units total", name)
	}
}

func writeProfile(t *testing.T, p *wasm.Profile, file string) {
	t.Helper()
	var b bytes.Buffer
	n, err := p.WriteTo(&b)
	require.NoError(t, err)
	require.Equal(t, int64(b.Len()), n)
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
}

func pprofTop(t *testing.T, file string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the go command takes a second")
	}
	out, err := exec.Command("go", "tool", "pprof", "-top", "-nodefraction=0", "-unit=units", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

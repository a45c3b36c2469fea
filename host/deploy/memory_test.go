package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
)

// purse counts reservations.
type purse struct {
	mu   sync.Mutex
	held map[string]int // guarded by mu; by plugin and digest
	most int            // versions that may be held together
}

func (p *purse) reserve(name string, m sandbox.Module) (func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, held := range p.held {
		n += held
	}
	if n >= p.most {
		return nil, fmt.Errorf("no room for %s", name)
	}
	key := name + " " + m.Info().Digest
	p.held[key]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.held[key]--; p.held[key] == 0 {
			delete(p.held, key)
		}
	}, nil
}

func (p *purse) holds() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]int)
	maps.Copy(out, p.held)
	return out
}

func TestMemoryIsReservedAndReleased(t *testing.T) {
	a := newApp(t)
	a.purse = &purse{held: make(map[string]int), most: 2}
	a.plan.Back.For = 50 * time.Millisecond
	file := scriptAt(write(t, a.dir, "p.lua", string(answer("1"))))
	p, stop := a.start(t)
	one, two, three := "p "+sandbox.Digest(answer("1")), "p "+sandbox.Digest(answer("2")), "p "+sandbox.Digest(answer("3"))
	assert.Equal(t, map[string]int{one: 1}, a.purse.holds())

	write(t, a.dir, "p.lua", string(answer("2")))
	_, err := p.Reload(t.Context(), file)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{one: 1, two: 1}, a.purse.holds(), "the old version stands by")
	write(t, a.dir, "p.lua", string(answer("3")))
	_, err = p.Reload(t.Context(), file)
	require.ErrorContains(t, err, "no room for p")
	assert.Equal(t, "2", call(t, p, "p"), "the version before goes on")
	require.Eventually(t, func() bool { return len(a.purse.holds()) == 1 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, map[string]int{two: 1}, a.purse.holds(), "and gives its memory back when it leaves")

	_, err = p.Reload(t.Context(), file)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{two: 1, three: 1}, a.purse.holds())

	a.mu.Lock()
	a.fails = errors.New("it does not start")
	a.mu.Unlock()
	require.Eventually(t, func() bool { return len(a.purse.holds()) == 1 }, 10*time.Second, time.Millisecond)
	write(t, a.dir, "p.lua", string(answer("4")))
	_, err = p.Reload(t.Context(), file)
	require.ErrorIs(t, err, a.fails)
	assert.Equal(t, map[string]int{three: 1}, a.purse.holds(), "what is refused holds nothing")
	stop()
	assert.Empty(t, a.purse.holds())
}

func TestTrialsReserveTogether(t *testing.T) {
	a := newApp(t)
	a.purse = &purse{held: make(map[string]int), most: 2}
	p, _ := a.start(t)
	trial := p.Trial()
	check := func(name string) error {
		_, err := trial.Check(t.Context(), deploy.Found{Name: name, Kind: deploy.Lua}, deploy.Upload{Kind: deploy.Lua, Source: answer("1")})
		return err
	}
	require.NoError(t, check("p"))
	require.NoError(t, check("q"))
	require.ErrorContains(t, check("r"), "no room for r")
	trial.End()
	trial.End()
	assert.Empty(t, a.purse.holds())
	require.NoError(t, check("r"))
	trial.End()
}

func TestUnusedPluginsAreUnloaded(t *testing.T) {
	a := newApp(t)
	a.purse = &purse{held: make(map[string]int), most: 2}
	write(t, a.dir, "p.lua", string(answer("1")))
	p, stop := a.start(t)
	assert.Equal(t, "1", call(t, p, "p"))
	cooled, err := p.Cool(t.Context(), time.Hour)
	require.NoError(t, err)
	assert.Empty(t, cooled)
	cooled, err = p.Cool(t.Context(), -time.Second)
	require.NoError(t, err)
	assert.Equal(t, []string{"p"}, cooled)
	s, err := p.Describe("p")
	require.NoError(t, err)
	assert.False(t, s.Memory.Warm)
	assert.Zero(t, s.Memory.Instances)
	assert.Len(t, a.purse.holds(), 1, "its place is kept for it")

	assert.Equal(t, "1", call(t, p, "p"))
	s, err = p.Describe("p")
	require.NoError(t, err)
	assert.True(t, s.Memory.Warm)
	assert.Equal(t, 1, s.Memory.Reloads)

	_, err = p.Cool(t.Context(), -time.Second)
	require.NoError(t, err)
	for digest := range a.kept {
		a.kept[digest] = answer("2") // the store is broken
	}
	slot, _ := p.Slot("p")
	_, _, err = slot.Call(context.Background(), &abi.Call{}, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}))
	require.ErrorIs(t, err, sandbox.ErrCold)
	require.ErrorContains(t, err, "in its place")
	stop()
	assert.Empty(t, a.purse.holds())
}

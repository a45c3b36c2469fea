package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/signature"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/lua"
)

// app is an app folder, and what outlives a host: the ledger and the versions
// that were kept.
type app struct {
	dir, ledger string
	kept        map[string][]byte
	plan        sandbox.Plan
	resume      bool
	test        func(context.Context, string, sandbox.Module) error
	rolled      chan sandbox.Verdict
	policy      signature.Policy
	purse       *purse // nil: there is room for everything
	mu          sync.Mutex
	fails       error    // guarded by mu; of the tests of versions that come
	noted       []string // plugins of which an operator was told something
}

func newApp(t *testing.T) *app {
	t.Helper()
	return &app{
		dir: t.TempDir(), ledger: filepath.Join(t.TempDir(), "plugins.json"), kept: make(map[string][]byte),
		rolled: make(chan sandbox.Verdict, 16),
	}
}

// start loads the plugins as a host that starts does; stop closes them.
func (a *app) start(t *testing.T) (p *deploy.Plugins, stop func()) {
	t.Helper()
	p, err := a.open(t)
	require.NoError(t, err)
	_, err = p.Load(t.Context())
	require.NoError(t, err)
	return p, func() { require.NoError(t, p.Close(context.Background())) }
}

// open is start without the loading.
func (a *app) open(t *testing.T) (*deploy.Plugins, error) {
	t.Helper()
	engine, err := lua.New(lua.Options{})
	require.NoError(t, err)
	o := deploy.Options{
		Engines: map[deploy.Kind]sandbox.Engine{deploy.Lua: engine}, Spares: 1, Ledger: deploy.FileBook(a.ledger), Test: a.test, Resume: a.resume,
		Keep: func(_ context.Context, digest string, src []byte) error {
			a.kept[digest] = src
			return nil
		},
		Fetch: func(_ context.Context, digest string) ([]byte, error) {
			if src, ok := a.kept[digest]; ok {
				return src, nil
			}
			return nil, errors.New("not kept")
		},
		Plan:   func(string) sandbox.Plan { return a.plan },
		Policy: a.policy, Note: func(name, _ string) { a.noted = append(a.noted, name) },
		Rolled: func(_, _ string, v sandbox.Verdict) { a.rolled <- v },
	}
	if a.purse != nil {
		o.Reserve = a.purse.reserve
	}
	if o.Test == nil {
		o.Test = func(context.Context, string, sandbox.Module) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.fails
		}
	}
	p, err := deploy.NewPlugins(a.dir, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, p.Close(context.Background()))
		require.NoError(t, engine.Close(context.Background()))
	})
	return p, err
}

func answer(n string) []byte { return []byte("function invoke() return " + n + " end") }

func reload(t *testing.T, p *deploy.Plugins, file string) deploy.Change {
	t.Helper()
	found, err := p.Changed([]string{file})
	require.NoError(t, err)
	require.Len(t, found, 1)
	change, err := p.Reload(t.Context(), found[0])
	require.NoError(t, err)
	return change
}

// What an operator sends stays in force until the folder says something newer.
func TestPut(t *testing.T) {
	a := newApp(t)
	file := write(t, a.dir, "p.lua", string(answer("1")))
	p, stop := a.start(t)
	change, err := p.Put(t.Context(), "p", deploy.Upload{Kind: deploy.Lua, Source: answer("2")})
	require.NoError(t, err)
	assert.Equal(t, "2", call(t, p, "p"))
	s, err := p.Describe("p")
	require.NoError(t, err)
	assert.True(t, s.Pinned)
	assert.Equal(t, "operator", s.From)
	assert.Equal(t, change.New, s.Digest)
	require.Len(t, s.Versions, 2)
	assert.Equal(t, deploy.Rolling, s.Versions[0].State)
	assert.Equal(t, deploy.Active, s.Versions[1].State)
	require.NotNil(t, s.Rollout)
	assert.Equal(t, change.Old, s.Rollout.Old.Module)
	same := reload(t, p, file)
	assert.Equal(t, same.Old, same.New, "the folder holds what it held")
	stop()

	p, stop = a.start(t)
	assert.Equal(t, "2", call(t, p, "p"), "after a restart too")
	write(t, a.dir, "p.lua", string(answer("3")))
	reload(t, p, file)
	assert.Equal(t, "3", call(t, p, "p"), "the folder holds something newer")
	s, err = p.Describe("p")
	require.NoError(t, err)
	assert.False(t, s.Pinned)
	stop()
	p, _ = a.start(t)
	assert.Equal(t, "3", call(t, p, "p"))
}

// A plugin that no file stands for is there after a restart.
func TestPutWithoutAFile(t *testing.T) {
	a := newApp(t)
	p, stop := a.start(t)
	_, err := p.Put(t.Context(), "q", deploy.Upload{Kind: deploy.Lua, Source: answer("1")})
	require.NoError(t, err)
	_, err = p.Put(t.Context(), "q", deploy.Upload{Kind: deploy.Lua, Source: answer("2")})
	require.NoError(t, err)
	stop()
	p, _ = a.start(t)
	assert.Equal(t, "2", call(t, p, "q"))
	for _, name := range []string{"", ".q", "_q", "../q", "a/b", "a b", string(make([]byte, 200))} {
		_, err := p.Put(t.Context(), name, deploy.Upload{Kind: deploy.Lua, Source: answer("1")})
		assert.ErrorContains(t, err, "cannot have this name")
	}
	_, err = p.Put(t.Context(), "q", deploy.Upload{Kind: deploy.Lua, Source: []byte("function invoke(")})
	assert.ErrorContains(t, err, "q")
	assert.Equal(t, "2", call(t, p, "q"), "what does not compile changes nothing")
}

func TestActivateAndRollback(t *testing.T) {
	a := newApp(t)
	a.plan.Back.For = time.Millisecond
	file := write(t, a.dir, "p.lua", string(answer("1")))
	p, stop := a.start(t)
	require.True(t, (<-a.rolled).Promoted)
	_, err := p.Rollback(t.Context(), "p")
	assert.ErrorIs(t, err, deploy.ErrUnknown)
	assert.ErrorContains(t, err, "a version before this one is not known")
	for _, n := range []string{"2", "3"} {
		write(t, a.dir, "p.lua", string(answer(n)))
		reload(t, p, file)
		require.True(t, (<-a.rolled).Promoted)
	}
	change, err := p.Rollback(t.Context(), "p")
	require.NoError(t, err)
	require.True(t, (<-a.rolled).Promoted)
	assert.NotEqual(t, change.Old, change.New)
	assert.Equal(t, "2", call(t, p, "p"))
	stop()
	p, _ = a.start(t)
	<-a.rolled
	assert.Equal(t, "2", call(t, p, "p"), "it stays rolled back, though the folder holds the later one")

	s, err := p.Describe("p")
	require.NoError(t, err)
	states := map[string]deploy.State{}
	for _, v := range s.Versions {
		states[string(a.kept[v.Digest])] = v.State
	}
	assert.Equal(t, map[string]deploy.State{
		string(answer("1")): deploy.Replaced, string(answer("2")): deploy.Active, string(answer("3")): deploy.RolledBack,
	}, states)

	first := sandbox.Digest(answer("1"))
	_, err = p.Activate(t.Context(), "p", first[:len("sha256:")+12])
	require.NoError(t, err)
	require.True(t, (<-a.rolled).Promoted)
	assert.Equal(t, "1", call(t, p, "p"), "the beginning of a digest is enough")
	_, err = p.Activate(t.Context(), "p", "sha256:0000000000")
	assert.ErrorIs(t, err, deploy.ErrUnknown)
	_, err = p.Rollback(t.Context(), "none")
	assert.ErrorIs(t, err, deploy.ErrUnknown)
}

// A version that was rolled back by itself stays out of force after a restart, as
// long as the folder holds nothing newer.
func TestRollsBackByItself(t *testing.T) {
	a := newApp(t)
	file := write(t, a.dir, "p.lua", string(answer("1")))
	p, stop := a.start(t)
	require.True(t, (<-a.rolled).Promoted)
	call(t, p, "p")
	write(t, a.dir, "p.lua", "function invoke() error('no') end")
	change := reload(t, p, file)
	for range 3 {
		assert.Equal(t, "1", call(t, p, "p"), "no call fails")
	}
	v := <-a.rolled
	assert.False(t, v.Promoted)
	assert.Contains(t, v.Reason, "3 of 3 calls faulted")
	s, err := p.Describe("p")
	require.NoError(t, err)
	assert.Equal(t, deploy.RolledBack, s.Versions[0].State)
	assert.Equal(t, change.New, s.Versions[0].Digest)
	assert.Contains(t, s.Versions[0].Reason, "faulted")
	stop()
	p, _ = a.start(t)
	assert.Equal(t, "1", call(t, p, "p"))
	assert.Equal(t, "1", call(t, p, "p"))
	write(t, a.dir, "p.lua", string(answer("4")))
	reload(t, p, file)
	assert.Equal(t, "4", call(t, p, "p"))
}

// An operator may end a rollout.
func TestRollbackOfARollout(t *testing.T) {
	a := newApp(t)
	file := write(t, a.dir, "p.lua", string(answer("1")))
	p, _ := a.start(t)
	<-a.rolled
	write(t, a.dir, "p.lua", string(answer("2")))
	reload(t, p, file)
	assert.Equal(t, "2", call(t, p, "p"))
	change, err := p.Rollback(t.Context(), "p")
	require.NoError(t, err)
	assert.Equal(t, sandbox.Digest(answer("1")), change.New)
	assert.Equal(t, "1", call(t, p, "p"))
	same := reload(t, p, file)
	assert.Equal(t, same.Old, same.New, "the file that was rolled back is not loaded again")
}

// A version that fails its test never takes a call.
func TestSelfTestKeepsOut(t *testing.T) {
	a := newApp(t)
	a.test = func(ctx context.Context, _ string, m sandbox.Module) error {
		_, err := sandbox.SelfTest(ctx, m, &abi.Call{}, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}))
		return err
	}
	write(t, a.dir, "p.lua", string(answer("1")))
	p, _ := a.start(t)
	_, err := p.Put(t.Context(), "p", deploy.Upload{Kind: deploy.Lua, Source: []byte("function invoke() error('no') end")})
	assert.ErrorContains(t, err, "self-test of p")
	assert.Equal(t, "1", call(t, p, "p"))
	assert.Len(t, a.kept, 1)
}

func TestLedgerThatCannotBeRead(t *testing.T) {
	a := newApp(t)
	for _, text := range []string{`{"p":`, ""} {
		require.NoError(t, os.WriteFile(a.ledger, []byte(text), 0o600))
		_, err := deploy.NewPlugins(a.dir, deploy.Options{Ledger: deploy.FileBook(a.ledger)})
		assert.ErrorContains(t, err, a.ledger)
		assert.ErrorContains(t, err, "move the file away")
	}
	require.NoError(t, os.WriteFile(a.ledger, []byte(`{"p":null}`), 0o600))
	_, err := deploy.NewPlugins(a.dir, deploy.Options{Ledger: deploy.FileBook(a.ledger)})
	assert.NoError(t, err)
}

// With Resume, a rollout that a stop cut short begins again beside the version before
// it; without, what the folder holds takes all calls.
func TestResume(t *testing.T) {
	for _, resume := range []bool{false, true} {
		for name, cut := range map[string]func(*app, *deploy.Plugins){
			"file": func(a *app, p *deploy.Plugins) { reload(t, p, write(t, a.dir, "p.lua", string(answer("2")))) },
			"sent": func(_ *app, p *deploy.Plugins) {
				_, err := p.Put(t.Context(), "p", deploy.Upload{Kind: deploy.Lua, Source: answer("2")})
				require.NoError(t, err)
			},
			"without a file": func(a *app, p *deploy.Plugins) {
				for _, n := range []string{"1", "2"} {
					_, err := p.Put(t.Context(), "sent", deploy.Upload{Kind: deploy.Lua, Source: answer(n)})
					require.NoError(t, err)
				}
			},
		} {
			t.Run(fmt.Sprint(name, " ", resume), func(t *testing.T) {
				a := newApp(t)
				a.resume, a.plan.Shadow = resume, true
				write(t, a.dir, "p.lua", string(answer("1")))
				p, stop := a.start(t)
				cut(a, p)
				plugin := "p"
				if name == "without a file" {
					plugin = "sent"
				}
				require.Equal(t, "1", call(t, p, plugin), "the new one is in the shadow")
				stop()
				p, _ = a.start(t)
				want := "2"
				if resume {
					want = "1"
				}
				assert.Equal(t, want, call(t, p, plugin))
				s, err := p.Describe(plugin)
				require.NoError(t, err)
				assert.Equal(t, resume, s.Rollout != nil)
				_, err = p.Rollback(t.Context(), plugin)
				require.NoError(t, err)
				assert.Equal(t, "1", call(t, p, plugin))
			})
		}
	}
}

package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// guest is a module whose calls do what a function says.
type guest struct {
	name   string
	fuel   int64
	wall   time.Duration
	do     func(call *abi.Call, s *sandbox.Session) (abi.Reply, error)
	ran    atomic.Int64
	open   atomic.Int64
	closed atomic.Int64
}

func (g *guest) Info() sandbox.Info { return sandbox.Info{Name: g.name, Digest: "sha256:" + g.name} }

func (g *guest) New(context.Context, sandbox.Limits) (sandbox.Instance, error) {
	g.open.Add(1)
	return &guestInstance{g}, nil
}

func (g *guest) Close(context.Context) error {
	if g.open.Load() > 0 {
		return errors.New("closed while an instance was open")
	}
	g.closed.Add(1)
	return nil
}

type guestInstance struct{ *guest }

func (g *guestInstance) Invoke(_ context.Context, call *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	g.ran.Add(1)
	reply := abi.Reply{Output: json.RawMessage(`"` + g.name + `"`)}
	var err error
	if g.do != nil {
		reply, err = g.do(call, s)
	}
	return reply, sandbox.Usage{Fuel: max(g.fuel, 1), Wall: max(g.wall, time.Microsecond)}, err
}

func (g *guestInstance) Reusable() bool { return true }

func (g *guestInstance) Close(context.Context) error {
	g.open.Add(-1)
	return nil
}

func traps(*abi.Call, *sandbox.Session) (abi.Reply, error) {
	return abi.Reply{}, &sandbox.Fault{Kind: sandbox.FaultTrap, Module: "new"}
}

// rolled is a slot with an old version that has answered calls enough, and a
// rollout of a new one begun.
type rolled struct {
	*sandbox.Slot
	old, next *guest
	verdicts  chan sandbox.Verdict
	calls     int
}

func roll(t *testing.T, next *guest, plan sandbox.Plan) *rolled {
	t.Helper()
	r := &rolled{Slot: sandbox.NewSlot(), old: &guest{name: "old", fuel: 100}, next: next, verdicts: make(chan sandbox.Verdict, 4)}
	require.NoError(t, r.Swap(t.Context(), r.old, 1))
	r.answered(t, 300)
	plan.Done = func(v sandbox.Verdict) { r.verdicts <- v }
	require.NoError(t, r.Roll(t.Context(), next, plan))
	return r
}

// call runs one call and gives its output.
func (r *rolled) call(t *testing.T) string {
	t.Helper()
	r.calls++
	c := &abi.Call{Match: abi.Match{ID: fmt.Sprint("m-", r.calls)}}
	reply, _, err := r.Call(t.Context(), c, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}))
	require.NoError(t, err)
	return string(reply.Output)
}

// answered counts the outputs of n calls.
func (r *rolled) answered(t *testing.T, n int) map[string]int {
	t.Helper()
	by := make(map[string]int)
	for range n {
		by[r.call(t)]++
	}
	return by
}

func (r *rolled) end(t *testing.T) {
	t.Helper()
	require.NoError(t, r.Close(t.Context()))
	assert.EqualValues(t, 1, r.old.closed.Load(), "the old version is closed once")
	assert.EqualValues(t, 1, r.next.closed.Load(), "the new version is closed once")
}

func TestRolloutPromotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := roll(t, &guest{name: "new", fuel: 120}, sandbox.Plan{})
		assert.Equal(t, map[string]int{`"new"`: 500}, r.answered(t, 500), "new calls go to the new version at once")
		p, ok := r.Progress()
		require.True(t, ok)
		assert.Equal(t, sandbox.PhaseFull, p.Phase)
		assert.EqualValues(t, 500, p.New.Calls)
		assert.Zero(t, r.old.closed.Load(), "the old version stands by")

		time.Sleep(61 * time.Second)
		synctest.Wait()
		v := <-r.verdicts
		assert.True(t, v.Promoted)
		assert.InDelta(t, 120, v.New.Fuel, 0.1)
		assert.InDelta(t, 100, v.Old.Fuel, 0.1)
		assert.EqualValues(t, 1, r.old.closed.Load())
		_, ok = r.Progress()
		assert.False(t, ok)
		assert.Equal(t, `"new"`, r.call(t))
		r.end(t)
	})
}

func TestRolloutIntoAnEmptySlot(t *testing.T) {
	s, g := sandbox.NewSlot(), &guest{name: "first"}
	told := 0
	require.NoError(t, s.Roll(t.Context(), g, sandbox.Plan{Shadow: true, Canary: 0.1, Done: func(v sandbox.Verdict) {
		told++
		assert.True(t, v.Promoted)
	}}))
	assert.Equal(t, 1, told)
	info, ok := s.Info()
	assert.True(t, ok)
	assert.Equal(t, "first", info.Name)
	require.NoError(t, s.Close(t.Context()))
	require.ErrorIs(t, s.Roll(t.Context(), g, sandbox.Plan{}), sandbox.ErrClosed)
}

// A version that faults fails no call: the old one answers, and soon for good.
func TestRolloutRollsBackFaults(t *testing.T) {
	for name, plan := range map[string]sandbox.Plan{
		"all calls": {}, "a share": {Canary: 0.2}, "shadow": {Shadow: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := roll(t, &guest{name: "new", do: traps}, plan)
				for r.next.ran.Load() < 3 {
					assert.Equal(t, `"old"`, r.call(t))
					synctest.Wait()
				}
				v := <-r.verdicts
				assert.False(t, v.Promoted)
				assert.Equal(t, "3 of 3 calls faulted; of the old version 0 %", v.Reason)
				assert.Equal(t, map[string]int{`"old"`: 100}, r.answered(t, 100))
				assert.EqualValues(t, 3, r.next.ran.Load(), "it takes no more calls")
				assert.EqualValues(t, 1, r.next.closed.Load())
				r.end(t)
			})
		})
	}
}

func TestRolloutRollsBackCosts(t *testing.T) {
	tests := map[string]struct {
		next   *guest
		plan   sandbox.Plan
		calls  int
		reason string
	}{
		"three times the fuel": {
			&guest{name: "new", fuel: 300}, sandbox.Plan{}, 200, "a call uses 300 fuel, 3.0 times the 100 of the old version",
		},
		"slow in two looks": {
			&guest{name: "new", fuel: 100, wall: 8 * time.Millisecond}, sandbox.Plan{}, 400, "the 99th percentile is",
		},
		"fuel beside the old one": {
			&guest{name: "new", fuel: 300}, sandbox.Plan{Shadow: true}, 200, "3.0 times the 100",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := roll(t, tc.next, tc.plan)
				for range tc.calls {
					r.call(t)
					synctest.Wait()
				}
				v := <-r.verdicts
				assert.False(t, v.Promoted)
				assert.Contains(t, v.Reason, tc.reason)
				assert.Equal(t, `"old"`, r.call(t))
				r.end(t)
			})
		})
	}
}

// What would be noise is no reason: a little more fuel, a few microseconds, and
// limits that the operator has switched off.
func TestRolloutStandsNoise(t *testing.T) {
	tests := map[string]struct {
		next *guest
		back sandbox.RollbackIf
	}{
		"little more fuel":  {&guest{name: "new", fuel: 140}, sandbox.RollbackIf{}},
		"microseconds":      {&guest{name: "new", fuel: 100, wall: 500 * time.Microsecond}, sandbox.RollbackIf{}},
		"fuel switched off": {&guest{name: "new", fuel: 900}, sandbox.RollbackIf{Fuel: -1}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := roll(t, tc.next, sandbox.Plan{Back: tc.back})
				r.answered(t, 1000)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				assert.True(t, (<-r.verdicts).Promoted)
				r.end(t)
			})
		})
	}
}

func TestRolloutComparesFewCallsAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := roll(t, &guest{name: "new", fuel: 300}, sandbox.Plan{})
		r.answered(t, 50)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		v := <-r.verdicts
		assert.False(t, v.Promoted)
		assert.Contains(t, v.Reason, "fuel")
		r.end(t)
	})
}

func TestRolloutCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := roll(t, &guest{name: "new", fuel: 100}, sandbox.Plan{Canary: 0.05})
		by := r.answered(t, 4000)
		assert.InDelta(t, 200, by[`"new"`], 60, "one in twenty goes to the new version")
		first := r.call(t)
		for range 20 {
			r.calls--
			assert.Equal(t, first, r.call(t), "all calls of a match go the same way")
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		p, _ := r.Progress()
		assert.Equal(t, sandbox.PhaseFull, p.Phase)
		assert.Equal(t, map[string]int{`"new"`: 100}, r.answered(t, 100))
		time.Sleep(61 * time.Second)
		synctest.Wait()
		assert.True(t, (<-r.verdicts).Promoted)
		r.end(t)
	})
}

// Beside the old version the new one is asked as well, and what it says is
// compared and thrown away.
func TestRolloutShadow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		sv := sandbox.Services{State: func(string) (json.RawMessage, uint64, bool) {
			reads++
			return json.RawMessage(fmt.Sprint(reads)), 1, true
		}}
		read := func(_ *abi.Call, s *sandbox.Session) (abi.Reply, error) {
			v, _, _ := s.StateGet("k")
			return abi.Reply{Output: json.RawMessage(v)}, nil
		}
		r := roll(t, &guest{name: "new", fuel: 100, do: read}, sandbox.Plan{Shadow: true})
		r.old.do = read
		for i := range 10 {
			reply, _, err := r.Call(t.Context(), &abi.Call{}, sandbox.NewSession(sv, abi.Grant{abi.CapState}, sandbox.Limits{}))
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprint(i+1), string(reply.Output), "the old version answers, and reads alone")
			synctest.Wait()
		}
		r.old.do = nil
		r.call(t)
		synctest.Wait()
		p, _ := r.Progress()
		assert.EqualValues(t, 11, p.Shadowed.Compared)
		assert.EqualValues(t, 1, p.Shadowed.Differ)
		require.Len(t, p.Shadowed.Examples, 1)
		assert.Equal(t, `match m-301: output nothing instead of "old"`, p.Shadowed.Examples[0])
		require.NoError(t, r.Swap(t.Context(), nil, 0))
		v := <-r.verdicts
		assert.False(t, v.Promoted)
		r.end(t)
	})
}

func TestRolloutsFollowOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := roll(t, &guest{name: "second"}, sandbox.Plan{})
		r.answered(t, 10)
		third := &guest{name: "third"}
		require.NoError(t, r.Roll(t.Context(), third, sandbox.Plan{}))
		v := <-r.verdicts
		assert.False(t, v.Promoted, "it had answered too few calls to be fallen back to")
		assert.EqualValues(t, 1, r.next.closed.Load())
		assert.Zero(t, r.old.closed.Load())
		r.answered(t, 300)
		fourth := &guest{name: "fourth", do: traps}
		require.NoError(t, r.Roll(t.Context(), fourth, sandbox.Plan{}))
		assert.EqualValues(t, 1, r.old.closed.Load(), "what has answered enough is the old version now")
		assert.Equal(t, `"third"`, r.call(t))
		require.NoError(t, r.Close(t.Context()))
		for _, g := range []*guest{r.old, r.next, third, fourth} {
			assert.EqualValues(t, 1, g.closed.Load(), g.name)
		}
	})
}

// A hundred versions, a third of them broken, one after another under load: every
// call is answered once.
func TestRolloutUnderLoad(t *testing.T) {
	s := sandbox.NewSlot()
	first := &guest{name: "v0"}
	require.NoError(t, s.Swap(t.Context(), first, 4))
	all := []*guest{first}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var answered atomic.Int64
	for worker := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprint(worker, "-", n)
				reply, _, err := s.Call(t.Context(), &abi.Call{Match: abi.Match{ID: id}}, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}))
				if !assert.NoError(t, err) {
					return
				}
				assert.NotEmpty(t, reply.Output)
				answered.Add(1)
			}
		})
	}
	for n := range 100 {
		g := &guest{name: fmt.Sprint("v", n+1)}
		if n%3 == 0 {
			g.do = traps
		}
		all = append(all, g)
		require.NoError(t, s.Roll(t.Context(), g, sandbox.Plan{
			Spares: 4, Shadow: n%5 == 0, Canary: float64(n%4) / 10, Back: sandbox.RollbackIf{For: 5 * time.Millisecond},
		}))
		time.Sleep(time.Duration(n%4) * 5 * time.Millisecond)
	}
	cancel()
	wg.Wait()
	require.NoError(t, s.Close(t.Context()))
	for _, g := range all {
		assert.EqualValues(t, 1, g.closed.Load(), g.name)
		assert.Zero(t, g.open.Load(), g.name)
	}
	assert.Positive(t, answered.Load())
}

// A panic in the shadow is a fault of the new version, and no more.
func TestRolloutShadowPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := roll(t, &guest{name: "new", do: func(*abi.Call, *sandbox.Session) (abi.Reply, error) { panic("a bug") }}, sandbox.Plan{Shadow: true})
		for range 3 {
			r.call(t)
			synctest.Wait()
		}
		assert.Contains(t, (<-r.verdicts).Reason, "3 of 3 calls faulted")
		assert.Equal(t, `"old"`, r.call(t))
		require.NoError(t, r.Close(t.Context())) // the instances that panicked are left alone: nobody knows what they hold
	})
}

func TestRolloutAbort(t *testing.T) {
	r := roll(t, &guest{name: "new"}, sandbox.Plan{})
	assert.True(t, r.Abort("the operator says so"))
	v := <-r.verdicts
	assert.Equal(t, "the operator says so", v.Reason)
	assert.False(t, v.Promoted || v.Canceled)
	assert.Equal(t, `"old"`, r.call(t))
	assert.False(t, r.Abort("again"))
	r.end(t)
}

// A call that has reached outside is not run again: what it did there stands.
func TestRolloutDoesNotRepeatRequests(t *testing.T) {
	asked := 0
	sv := sandbox.Services{HTTP: func(context.Context, *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
		asked++
		return abi.HTTPResponse{Status: 204}, abi.StatusOK
	}}
	r := roll(t, &guest{name: "new", do: func(c *abi.Call, s *sandbox.Session) (abi.Reply, error) {
		s.HTTP(t.Context(), &abi.HTTPRequest{Method: "POST", URL: "https://example.com"})
		return traps(c, s)
	}}, sandbox.Plan{})
	_, _, err := r.Call(t.Context(), &abi.Call{}, sandbox.NewSession(sv, abi.Grant{abi.CapHTTP}, sandbox.Limits{}))
	assert.Equal(t, sandbox.FaultTrap, sandbox.KindOf(err))
	assert.Equal(t, 1, asked)
	_, _, err = r.Call(t.Context(), &abi.Call{}, sandbox.NewSession(sv, nil, sandbox.Limits{}))
	require.NoError(t, err, "a request that was denied reached nothing")
	r.end(t)
}

func TestSelfTest(t *testing.T) {
	session := func() *sandbox.Session { return sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}) }
	_, err := sandbox.SelfTest(t.Context(), &guest{name: "good"}, &abi.Call{}, session())
	require.NoError(t, err)
	_, err = sandbox.SelfTest(t.Context(), &guest{name: "bad", do: traps}, &abi.Call{}, session())
	assert.ErrorContains(t, err, "self-test of bad: call new: trap fault")
	says := func(*abi.Call, *sandbox.Session) (abi.Reply, error) {
		return abi.Reply{Result: abi.ResultFail, Message: "no"}, nil
	}
	_, err = sandbox.SelfTest(t.Context(), &guest{name: "sad", do: says}, &abi.Call{}, session())
	assert.EqualError(t, err, "self-test of sad: the sample call ends as fail: no")
}

package dispatch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/tenants"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func tenant(tb testing.TB, name string) tenants.Name {
	tb.Helper()
	n, err := tenants.ParseName(name)
	require.NoError(tb, err)
	return n
}

// start runs d until the test's end or the returned function.
func start(t *testing.T, d *dispatch.Dispatcher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

func TestConfigValidate(t *testing.T) {
	require.NoError(t, dispatch.Config{Workers: 1, QueuePerTenant: 1}.Validate())
	assert.EqualError(t, dispatch.Config{PerTenant: -1}.Validate(),
		"workers: 0 is below 1\nqueue_per_tenant: 0 is below 1\nper_tenant: -1 is below 0")
}

func TestOrderWithinATenant(t *testing.T) {
	d := dispatch.New(dispatch.Config{Workers: 1, QueuePerTenant: 5000})
	var got []int
	for i := range 5000 {
		require.NoError(t, d.TrySubmit(dispatch.Task{Tenant: tenants.Default(), Do: func(context.Context) { got = append(got, i) }}))
	}
	start(t, d)
	require.NoError(t, d.Drain(t.Context()))
	require.Len(t, got, 5000)
	for i, v := range got {
		require.Equal(t, i, v)
	}
}

func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{Workers: 1, QueuePerTenant: 2})
		a, b := tenant(t, "a"), tenant(t, "b")
		var ran atomic.Int32
		task := func(n tenants.Name) dispatch.Task {
			return dispatch.Task{Tenant: n, Key: "k", Do: func(context.Context) { time.Sleep(time.Second); ran.Add(1) }}
		}
		require.NoError(t, d.TrySubmit(task(a)))
		require.NoError(t, d.TrySubmit(task(a)))
		require.ErrorIs(t, d.TrySubmit(task(a)), dispatch.ErrFull)
		require.NoError(t, d.TrySubmit(task(b)), "another tenant has its own queue")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := d.Submit(ctx, task(a))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "submit k: context deadline exceeded")

		waited := make(chan error, 3)
		for range cap(waited) {
			go func() { waited <- d.Submit(t.Context(), task(a)) }()
		}
		synctest.Wait()
		assert.Empty(t, waited)
		stop := start(t, d)
		for range cap(waited) {
			require.NoError(t, <-waited)
		}
		require.NoError(t, d.Drain(t.Context()))
		assert.EqualValues(t, 6, ran.Load())
		stop()
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{Workers: 2, QueuePerTenant: 10})
		stop := start(t, d)
		var ran atomic.Int32
		task := dispatch.Task{Tenant: tenants.Default(), Do: func(context.Context) { time.Sleep(time.Second); ran.Add(1) }}
		for range 10 {
			require.NoError(t, d.TrySubmit(task))
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		require.EqualError(t, d.Drain(ctx), "drain actions: 6 wait and 2 run: context deadline exceeded")
		require.ErrorIs(t, d.TrySubmit(task), dispatch.ErrClosed)
		require.ErrorIs(t, d.Submit(t.Context(), task), dispatch.ErrClosed)
		require.NoError(t, d.Drain(t.Context()))
		assert.EqualValues(t, 10, ran.Load())
		assert.Equal(t, dispatch.Stats{
			Ended:   10,
			Tenants: map[tenants.Name]dispatch.TenantStats{tenants.Default(): {Ended: 10, Spent: 10 * time.Second}},
		}, d.Stats())
		stop()
	})
}

// A dispatcher that stops ends the context of what runs, starts nothing more
// and lets those go who wait for room.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{Workers: 1, QueuePerTenant: 1})
		stop := start(t, d)
		var ran atomic.Int32
		task := dispatch.Task{Tenant: tenants.Default(), Do: func(ctx context.Context) { ran.Add(1); <-ctx.Done() }}
		require.NoError(t, d.TrySubmit(task))
		synctest.Wait()
		require.NoError(t, d.TrySubmit(task))
		waited := make(chan error)
		go func() { waited <- d.Submit(t.Context(), task) }()
		synctest.Wait()
		stop()
		require.ErrorIs(t, <-waited, dispatch.ErrClosed)
		assert.EqualValues(t, 1, ran.Load())
		assert.Equal(t, 1, d.Stats().Waiting, "what had not begun stays where it is")
	})
}

func TestPanic(t *testing.T) {
	var log bytes.Buffer
	d := dispatch.New(dispatch.Config{Workers: 1, QueuePerTenant: 10, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	stop := start(t, d)
	told := make(chan error, 1)
	require.NoError(t, d.TrySubmit(dispatch.Task{
		Tenant: tenants.Default(), Key: "x-1/a",
		Do:       func(context.Context) { panic("boom") },
		Panicked: func(err error) { told <- err },
	}))
	require.EqualError(t, <-told, "internal error: boom")
	next := make(chan struct{})
	require.NoError(t, d.TrySubmit(dispatch.Task{Tenant: tenants.Default(), Do: func(context.Context) { close(next) }}))
	<-next
	stop()
	assert.EqualValues(t, 1, d.Stats().Panics)
	assert.Contains(t, log.String(), "x-1/a")
	assert.Contains(t, log.String(), "dispatcher_test.go", "the stack is logged")
}

func TestPerTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{Workers: 4, QueuePerTenant: 100, PerTenant: 3})
		a, b := tenant(t, "a"), tenant(t, "b")
		hold := make(chan struct{})
		for range 10 {
			require.NoError(t, d.TrySubmit(dispatch.Task{Tenant: a, Do: func(context.Context) { <-hold }}))
		}
		stop := start(t, d)
		synctest.Wait()
		assert.Equal(t, 3, d.Stats().Running)
		done := make(chan struct{})
		require.NoError(t, d.TrySubmit(dispatch.Task{Tenant: b, Do: func(context.Context) { close(done) }}))
		<-done // one worker is left for others
		close(hold)
		require.NoError(t, d.Drain(t.Context()))
		stop()
	})
}

// A tenant with a long queue delays another's tasks by a few of its own, whether
// they are quick or slow.
func TestFairness(t *testing.T) {
	for _, noisyTask := range []time.Duration{10 * time.Microsecond, time.Millisecond, 100 * time.Millisecond} {
		t.Run(noisyTask.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := dispatch.New(dispatch.Config{Workers: 1, QueuePerTenant: 10_000})
				noisy, quiet := tenant(t, "noisy"), tenant(t, "quiet")
				var ran atomic.Int32
				for range 10_000 {
					require.NoError(t, d.TrySubmit(dispatch.Task{Tenant: noisy, Do: func(context.Context) { time.Sleep(noisyTask); ran.Add(1) }}))
				}
				stop := start(t, d)
				worst := int32(0)
				for range 100 {
					before := ran.Load()
					done := make(chan struct{})
					require.NoError(t, d.Submit(t.Context(), dispatch.Task{Tenant: quiet, Do: func(context.Context) {
						time.Sleep(10 * time.Microsecond)
						worst = max(worst, ran.Load()-before)
						close(done)
					}}))
					<-done
				}
				stop()
				assert.LessOrEqual(t, worst, int32(7), "tasks of the noisy tenant before one of the quiet tenant")
			})
		})
	}
}

// Tenants who both have more to do than there is time for share the time, not
// the number of tasks.
func TestTimeIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{Workers: 2, QueuePerTenant: 100_000})
		quick, slow := tenant(t, "quick"), tenant(t, "slow")
		for range 100_000 {
			require.NoError(t, d.TrySubmit(dispatch.Task{Tenant: quick, Do: func(context.Context) { time.Sleep(100 * time.Microsecond) }}))
		}
		for range 1000 {
			require.NoError(t, d.TrySubmit(dispatch.Task{Tenant: slow, Do: func(context.Context) { time.Sleep(10 * time.Millisecond) }}))
		}
		stop := start(t, d)
		time.Sleep(time.Second)
		stop()
		s := d.Stats()
		assert.InDelta(t, float64(time.Second), float64(s.Tenants[quick].Spent), float64(50*time.Millisecond))
		assert.InDelta(t, float64(time.Second), float64(s.Tenants[slow].Spent), float64(50*time.Millisecond))
	})
}

// A tenant that was alone for long, or whose tasks took far more than they used
// to, is not made to wait for it without end.
func TestDebtIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{Workers: 1, QueuePerTenant: 100_000})
		a, b := tenant(t, "a"), tenant(t, "b")
		stop := start(t, d)
		require.NoError(t, d.Submit(t.Context(), dispatch.Task{Tenant: a, Do: func(context.Context) { time.Sleep(time.Hour) }}))
		time.Sleep(2 * time.Hour)
		for range 50_000 {
			require.NoError(t, d.Submit(t.Context(), dispatch.Task{Tenant: b, Do: func(context.Context) { time.Sleep(time.Millisecond) }}))
		}
		began := time.Now()
		done := make(chan struct{})
		require.NoError(t, d.Submit(t.Context(), dispatch.Task{Tenant: a, Do: func(context.Context) { close(done) }}))
		<-done
		assert.LessOrEqual(t, time.Since(began), 1100*time.Millisecond)
		stop()
	})
}

// TestHammer submits from many goroutines to many tenants while tasks submit,
// panic and end, and a drain comes in between: every task that was taken runs
// once.
func TestHammer(t *testing.T) {
	d := dispatch.New(dispatch.Config{Workers: 4, QueuePerTenant: 8, PerTenant: 2, Logger: slog.New(slog.DiscardHandler)})
	start(t, d)
	var taken, ran atomic.Int64
	var wg sync.WaitGroup
	enough := make(chan struct{})
	for g := range 8 {
		name := tenant(t, fmt.Sprintf("t%d", g%5))
		wg.Go(func() {
			for i := 0; ; i++ {
				task := dispatch.Task{Tenant: name, Do: func(context.Context) {
					if ran.Add(1) == 5_000 {
						close(enough)
					}
					if i%97 == 0 {
						panic("now and then")
					}
				}}
				err := d.Submit(t.Context(), task)
				if i%3 == 0 && err == nil {
					taken.Add(1)
					err = d.TrySubmit(task)
				}
				switch {
				case err == nil:
					taken.Add(1)
				case errors.Is(err, dispatch.ErrClosed):
					return
				case !errors.Is(err, dispatch.ErrFull):
					assert.NoError(t, err)
					return
				}
				if i%50 == 0 {
					d.Stats()
				}
			}
		})
	}
	<-enough
	require.NoError(t, d.Drain(t.Context()))
	wg.Wait()
	assert.Equal(t, taken.Load(), ran.Load())
	s := d.Stats()
	assert.EqualValues(t, ran.Load(), s.Ended)
	assert.Zero(t, s.Waiting+s.Running)
}

func BenchmarkDispatch(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("tenants=%d", n), func(b *testing.B) {
			d := dispatch.New(dispatch.Config{Workers: 2, QueuePerTenant: 1024})
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- d.Run(ctx) }()
			var names []tenants.Name
			for i := range n {
				names = append(names, tenant(b, fmt.Sprintf("t%d", i)))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := d.Submit(ctx, dispatch.Task{Tenant: names[i%n], Do: func(context.Context) {}}); err != nil {
					b.Fatal(err)
				}
			}
			if err := d.Drain(ctx); err != nil {
				b.Fatal(err)
			}
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// TestForGuests has one tenant run all that it may, and wait with more: another that has
// nothing running does not wait for any of it.
func TestForGuests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := dispatch.ForGuests(100, nil)
		require.NoError(t, cfg.Validate())
		d := dispatch.New(cfg)
		stop := start(t, d)
		var running atomic.Int32
		blocked := make(chan struct{})
		for range 50 {
			require.NoError(t, d.TrySubmit(dispatch.Task{Tenant: tenant(t, "busy"), Do: func(context.Context) {
				running.Add(1)
				<-blocked
			}}))
		}
		synctest.Wait()
		assert.EqualValues(t, runtime.GOMAXPROCS(0), running.Load(), "all processors")
		for n := range 3 {
			ran := false
			require.NoError(t, d.TrySubmit(dispatch.Task{Tenant: tenant(t, fmt.Sprint("quiet", n)), Do: func(context.Context) { ran = true }}))
			synctest.Wait()
			assert.True(t, ran)
		}
		close(blocked)
		synctest.Wait()
		assert.EqualValues(t, 50, running.Load(), "nothing is left lying")
		stop()
	})
}

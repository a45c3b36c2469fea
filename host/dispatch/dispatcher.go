package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rhost/rhost/tenants"
)

// The errors of submitting.
var (
	// ErrFull is the error of a tenant whose queue has no room.
	ErrFull = errors.New("the tenant's queue is full")
	// ErrClosed is the error of a dispatcher that takes no more tasks.
	ErrClosed = errors.New("the dispatcher takes no more tasks")
)

// Config says how much may run and wait.
type Config struct {
	Workers        int          // tasks that run at once
	QueuePerTenant int          // tasks of one tenant that wait
	PerTenant      int          // tasks of one tenant that run at once; 0: as many as there are workers
	Logger         *slog.Logger // told of panics; nil: slog.Default
}

// ForGuests are the settings for calls of guests, which keep a processor busy: a tenant
// may have all of them, and there is one worker more, which gives a tenant that has
// nothing running a turn at once. Guests share the processors in slices then.
func ForGuests(queuePerTenant int, log *slog.Logger) Config {
	procs := runtime.GOMAXPROCS(0)
	return Config{Workers: procs + 1, PerTenant: procs, QueuePerTenant: queuePerTenant, Logger: log}
}

// Validate reports everything wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Workers < 1 {
		errs = append(errs, fmt.Errorf("workers: %d is below 1", c.Workers))
	}
	if c.QueuePerTenant < 1 {
		errs = append(errs, fmt.Errorf("queue_per_tenant: %d is below 1", c.QueuePerTenant))
	}
	if c.PerTenant < 0 {
		errs = append(errs, fmt.Errorf("per_tenant: %d is below 0", c.PerTenant))
	}
	return errors.Join(errs...)
}

// Task is something to do for a tenant.
type Task struct {
	Tenant tenants.Name
	Key    string // names the task in logs
	// Do does it. Its context ends when the dispatcher stops.
	Do func(ctx context.Context)
	// Panicked, if not nil, is called when Do panicked, so that whoever waits for
	// the task learns of it. It must not panic itself.
	Panicked func(error)
	// Batch, if not nil, says that the task may be done together with others.
	Batch *Batch
}

// Dispatcher runs tasks in fair order. It is safe for concurrent use.
//
// Whoever submits with Submit must not be who the tasks wait for: a full queue
// would then never empty.
type Dispatcher struct {
	cfg   Config
	procs int        // processors
	work  *sync.Cond // on mu: there may be a task to start, or none will come

	mu      sync.Mutex
	queues  *queues       // guarded by mu
	closed  bool          // guarded by mu; takes no more tasks
	stopped bool          // guarded by mu; starts no more tasks
	running bool          // guarded by mu; Run was called
	panics  uint64        // guarded by mu
	closing chan struct{} // closed by close, once closed is true
	idle    chan struct{} // closed when closed is true and no task waits or runs
}

// New returns a dispatcher that takes tasks at once and runs them once Run does.
// The config must be valid.
func New(cfg Config) *Dispatcher {
	if err := cfg.Validate(); err != nil {
		panic("dispatch: " + err.Error())
	}
	if cfg.PerTenant == 0 {
		cfg.PerTenant = cfg.Workers
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	d := &Dispatcher{
		cfg: cfg, procs: runtime.GOMAXPROCS(0), queues: newQueues(cfg.QueuePerTenant, cfg.PerTenant),
		closing: make(chan struct{}), idle: make(chan struct{}),
	}
	d.work = sync.NewCond(&d.mu)
	return d
}

// Submit queues a task, and waits while the tenant's queue is full, at most
// until ctx ends. The error is then ctx's; it is ErrClosed once Drain was called
// or Run has ended.
func (d *Dispatcher) Submit(ctx context.Context, t Task) error {
	for {
		room, err := d.offer(t, true)
		if !errors.Is(err, ErrFull) {
			return err
		}
		select {
		case <-room:
		case <-d.closing:
		case <-ctx.Done():
			return fmt.Errorf("submit %s: %w", t.Key, ctx.Err())
		}
	}
}

// TrySubmit queues a task, or gives ErrFull or ErrClosed at once.
func (d *Dispatcher) TrySubmit(t Task) error {
	_, err := d.offer(t, false)
	return err
}

// offer queues t. When the queue is full and wait is set, it returns a channel
// that is closed when there may be room.
func (d *Dispatcher) offer(t Task, wait bool) (<-chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, ErrClosed
	}
	q := d.queues.of(t.Tenant)
	if d.queues.push(q, t) {
		if q.next != nil { // else the tenant has as much running as it may
			d.work.Signal()
		}
		return nil, nil
	}
	if wait && q.room == nil {
		q.room = make(chan struct{})
	}
	return q.room, ErrFull
}

// Run works on the tasks until ctx ends or Drain has finished, and waits for the
// tasks that run. It returns nil. Tasks that still wait when ctx ends are not
// started. Run is called once.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.mu.Lock()
	if d.running {
		panic("dispatch: Run was called twice")
	}
	d.running = true
	d.mu.Unlock()
	stop := context.AfterFunc(ctx, d.stop)
	defer stop()

	var workers sync.WaitGroup
	for range d.cfg.Workers {
		workers.Go(func() { d.worker(ctx) })
	}
	workers.Wait()
	return nil
}

// Drain takes no new tasks and waits until those taken are done, at most until
// ctx ends; the rest then goes on, and the error says how many there are. Run
// must be running, or Drain waits for the end of ctx.
func (d *Dispatcher) Drain(ctx context.Context) error {
	d.mu.Lock()
	d.close()
	d.mu.Unlock()
	select {
	case <-d.idle:
		return nil
	case <-ctx.Done():
		s := d.Stats()
		return fmt.Errorf("drain actions: %d wait and %d run: %w", s.Waiting, s.Running, ctx.Err())
	}
}

// stop starts no more tasks.
func (d *Dispatcher) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	d.close()
}

// close takes no more tasks. The caller holds mu.
func (d *Dispatcher) close() {
	if !d.closed {
		d.closed = true
		close(d.closing)
		d.settle()
	}
	d.work.Broadcast()
}

// settle marks the end of the last task of a closed dispatcher. The caller
// holds mu.
func (d *Dispatcher) settle() {
	if !d.closed || d.queues.waiting > 0 || d.queues.running > 0 {
		return
	}
	select {
	case <-d.idle:
	default:
		close(d.idle)
		d.work.Broadcast()
	}
}

// worker runs tasks until there are none and none will come.
func (d *Dispatcher) worker(ctx context.Context) {
	var held time.Duration // the processor, since others were let have it
	for {
		turn, ok := d.take(ctx)
		if !ok {
			return
		}
		began := time.Now()
		err := d.do(ctx, turn.tasks)
		took := time.Since(began)
		crowded := d.finish(turn, took, err != nil)
		if held += took; crowded && held >= quantum {
			held = 0
			runtime.Gosched() // see sandbox.Pause, which short tasks do not come to
		}
		for _, t := range turn.tasks {
			if err != nil && t.Panicked != nil {
				t.Panicked(err)
			}
		}
	}
}

// take waits for a task and its turn, and for those that may be done together with
// it. It looks at ctx itself, for a task that ctx has just ended comes here before
// stop does.
func (d *Dispatcher) take(ctx context.Context) (t turn, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if d.stopped || ctx.Err() != nil || d.closed && d.queues.waiting == 0 {
			return turn{}, false
		}
		if t, ok = d.queues.next(d.cfg.Workers - d.queues.running); ok {
			return t, true
		}
		d.work.Wait()
	}
}

// finish takes down the end of a turn, which may let the tenant's next one start: it is
// for the worker that comes from the last one, and nobody else is woken for it. crowded
// says that tasks keep all processors busy.
func (d *Dispatcher) finish(t turn, took time.Duration, panicked bool) (crowded bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if panicked {
		d.panics++
		d.work.Signal() // the worker has something else to do first
	}
	crowded = d.queues.running >= d.procs
	d.queues.finish(t, took)
	d.settle()
	return crowded
}

// do runs the tasks of a turn. A panic in it is a bug of the host, which must not
// take the other tenants' tasks with it.
func (d *Dispatcher) do(ctx context.Context, tasks []Task) (err error) {
	t := tasks[0]
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("internal error: %v", v)
			d.cfg.Logger.LogAttrs(ctx, slog.LevelError, "a task panicked; this is a bug of rhost",
				slog.String("tenant", t.Tenant.String()), slog.String("task", t.Key),
				slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
		}
	}()
	if len(tasks) == 1 {
		t.Do(ctx)
		return nil
	}
	items := make([]any, len(tasks))
	for i := range tasks {
		items[i] = tasks[i].Batch.Item
	}
	t.Batch.Do(ctx, items)
	return nil
}

// Stats is a snapshot of what a dispatcher does.
type Stats struct {
	Waiting int    // tasks
	Running int    // tasks; those that are done together count once
	Ended   uint64 // tasks, since the start
	Batched uint64 // of those, done together with others
	Panics  uint64 // of those that ended
	Tenants map[tenants.Name]TenantStats
}

// TenantStats is one tenant's part of Stats.
type TenantStats struct {
	Waiting int
	Running int
	Ended   uint64
	Spent   time.Duration // by the tasks that ended
}

// Stats returns what the dispatcher does now.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := Stats{
		Waiting: d.queues.waiting, Running: d.queues.running, Batched: d.queues.batched, Panics: d.panics,
		Tenants: make(map[tenants.Name]TenantStats, len(d.queues.tenants)),
	}
	for name, q := range d.queues.tenants {
		s.Ended += q.ended
		s.Tenants[name] = TenantStats{Waiting: q.waiting(), Running: q.running, Ended: q.ended, Spent: q.spent}
	}
	return s
}

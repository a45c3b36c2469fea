package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// The defaults of a Config.
const (
	DefaultTTL    = 6 * time.Second
	DefaultSettle = 3 * time.Second
)

// Config says who a Member is.
type Config struct {
	Node    Node // Name is needed; State and Since are set by the Member
	Groups  int  // how many there are, the same on every node
	Leases  Leases
	TTL     time.Duration // of leases; they are renewed four times within it
	Settle  time.Duration // before a node that joined is given groups
	Margin  time.Duration // before the end of its lease at which a group stops; a quarter of TTL
	Sole    bool          // nobody else can be this node now: what it held before is still its own
	Logger  *slog.Logger  // nil: nothing
	Changed func(Table)   // told of every table that was read, by one goroutine; nil: nobody
	Freed   func()        // told when a group's lease was given up; nil: nobody
	Clock   Clock         // nil: this machine's

	// Own runs a group that the node owns from now on, with an epoch that no owner
	// before has had. When ctx ends it hands over: it finishes what it has begun,
	// stops and returns. Reading and writing are safe all the time; when the
	// node has lost the group, writes fail. The cause of ctx says which it is:
	// ErrLost or another. An Own that returns by itself gives the group up. Its error
	// is shown to all, others are given the group, and this node tries again when none
	// of them can have it: after TTL the first time, and twice as long each time, up to
	// maxWait. With ErrLost it says that the group is another's, which is no failure until
	// it is said three times within ten TTLs.
	Own func(ctx context.Context, group int, epoch uint64) error

	// Start takes the place of Own where that must not have a goroutine of its own. It
	// returns at once, and ended is called, once, when the group is not run any more.
	Start func(ctx context.Context, group int, epoch uint64, ended func(error))
}

// ErrLost is the cause of a group's end when its lease could not be renewed: there
// is no time to finish anything.
var ErrLost = errors.New("the group's lease could not be renewed")

// errHandOver is the cause of a group's end when it goes to another node.
var errHandOver = errors.New("the group goes to another node")

// Member is a node's part in the cluster.
type Member struct {
	cfg   Config
	wake  chan struct{} // asks for a look now
	ended chan ending

	mu      sync.Mutex
	drain   bool     // guarded by mu
	forget  bool     // guarded by mu; what failed is to be tried again
	differs []string // guarded by mu; replaced as a whole

	// The rest belongs to Run's goroutine.
	joined time.Time
	self   lease
	owned  map[int]*ownership
	pause  map[int]time.Time   // until when a group is not taken, after its run ended by itself
	failed map[int]Failed      // groups whose last run failed
	lost   map[int][]time.Time // when runs found that the group is another's, lately
}

// lease is an entry that this node renews.
type lease struct {
	key   string
	rev   uint64    // 0: not held
	until time.Time // it is held until then at least, by this node's clock
	doubt []byte    // was written, and nobody knows whether it is there
}

// ownership is a group that is run.
type ownership struct {
	lease
	epoch  uint64
	since  time.Time
	end    context.CancelCauseFunc
	ending bool  // end has been called
	fuse   Timer // ends the group when its lease is about to end
}

// ending is the end of a group's run.
type ending struct {
	group int
	err   error
	lost  bool // because the lease was about to end
}

// NewMember makes a member, which does nothing until Run.
func NewMember(c Config) (*Member, error) {
	if err := CheckNode(c.Node.Name); err != nil {
		return nil, fmt.Errorf("cluster: node: %w", err)
	}
	if c.Groups < 1 {
		return nil, fmt.Errorf("cluster: groups: %d; there is at least one", c.Groups)
	}
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	if c.Settle == 0 {
		c.Settle = DefaultSettle
	}
	if c.Margin == 0 {
		c.Margin = c.TTL / 4
	}
	if c.Clock == nil {
		c.Clock = wallClock{}
	}
	if c.Start == nil {
		own := c.Own
		c.Start = func(ctx context.Context, group int, epoch uint64, ended func(error)) {
			go func() { ended(own(ctx, group, epoch)) }() // leave waits for it
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Member{
		cfg: c, wake: make(chan struct{}, 1), ended: make(chan ending, c.Groups), owned: make(map[int]*ownership),
		pause: make(map[int]time.Time), failed: make(map[int]Failed), lost: make(map[int][]time.Time),
		self: lease{key: nodePrefix + c.Node.Name},
	}, nil
}

// Drain makes the node hand over all groups and take no more. Without drain it takes
// part, and tries again what it could not run.
func (m *Member) Drain(drain bool) {
	m.mu.Lock()
	m.drain, m.forget = drain, !drain
	m.mu.Unlock()
	m.Look()
}

// Tell says in which files the node's app folder is not what is in force, which its
// entry tells the other nodes from the next renewal on. The list must be short; it is
// kept.
func (m *Member) Tell(differs []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.differs = differs
}

// Look makes the member look at the table now rather than in a while.
func (m *Member) Look() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run takes part until ctx ends; then it hands over what it owns and leaves.
func (m *Member) Run(ctx context.Context) error {
	tick := time.NewTicker(m.cfg.TTL / 4)
	defer tick.Stop()
	for {
		m.turn(ctx)
		select {
		case <-ctx.Done():
			return m.leave(context.WithoutCancel(ctx))
		case <-tick.C:
		case <-m.wake:
		case e := <-m.ended:
			m.onEnded(ctx, e)
		}
	}
}

// Turn does what Run does four times within the TTL of leases, for those who have
// time in their own hands: then there is no Run.
func (m *Member) Turn(ctx context.Context) {
	for {
		select {
		case e := <-m.ended:
			m.onEnded(ctx, e)
			continue
		default:
		}
		break
	}
	m.turn(ctx)
}

// turn renews what the node holds, and takes and gives up groups as planned.
func (m *Member) turn(ctx context.Context) {
	if m.joined.IsZero() {
		m.joined = m.cfg.Clock.Now()
		m.cfg.Node.Since = m.joined.UTC()
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.TTL/4)
	defer cancel()
	err := m.renewAll(ctx)
	if err == nil {
		var t Table
		if t, err = ReadTable(ctx, m.cfg.Leases); err == nil {
			m.follow(ctx, t)
		}
	}
	if err != nil && ctx.Err() == nil {
		m.cfg.Logger.Warn("the cluster's leases cannot be reached", "error", err)
	}
}

// renewAll renews the node's own entry and then its groups.
func (m *Member) renewAll(ctx context.Context) error {
	if err := m.announce(ctx); err != nil {
		return err
	}
	var errs []error
	for g, o := range m.owned {
		errs = append(errs, m.renew(ctx, g, o))
	}
	return errors.Join(errs...)
}

// announce renews the node's own entry. Another node of its name is waited out.
func (m *Member) announce(ctx context.Context) error {
	n := m.cfg.Node
	m.mu.Lock()
	n.Differs = m.differs
	switch {
	case m.drain:
		n.State = Draining
	case m.since(m.joined) < m.cfg.Settle:
		n.State = Joining
	default:
		n.State = Up
	}
	if m.forget {
		m.forget = false
		clear(m.failed)
		clear(m.lost)
		clear(m.pause)
	}
	m.mu.Unlock()
	n.Failed = m.failures(m.cfg.Clock.Now())
	err := m.put(ctx, &m.self, n)
	if errors.Is(err, ErrTaken) && m.cfg.Sole {
		entries, listErr := m.cfg.Leases.List(ctx)
		if listErr != nil {
			return listErr
		}
		m.self.rev = entries[m.self.key].Rev
		err = m.put(ctx, &m.self, n)
	}
	if errors.Is(err, ErrTaken) {
		m.self.rev = 0
		return fmt.Errorf("another node is called %s, or this one was just restarted; its entry ends in %v", n.Name, m.cfg.TTL)
	}
	return err
}

// renew renews a group's lease. One that is somebody else's is lost.
func (m *Member) renew(ctx context.Context, group int, o *ownership) error {
	err := m.put(ctx, &o.lease, Owned{Node: m.cfg.Node.Name, Since: o.since, Epoch: o.epoch})
	if errors.Is(err, ErrTaken) {
		m.cfg.Logger.Warn("a group has been taken over", "group", group)
		o.rev = 0
		m.stop(o, ErrLost)
		return nil
	}
	if err == nil && !o.ending {
		o.fuse.Reset(m.fuseFor(o))
	}
	return err
}

// put writes an entry. The time it is held for counts from before it was written.
func (m *Member) put(ctx context.Context, l *lease, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode lease %s: %w", l.key, err)
	}
	from := m.cfg.Clock.Now()
	rev, err := m.cfg.Leases.Put(ctx, l.key, value, m.cfg.TTL, l.rev)
	if errors.Is(err, ErrTaken) && l.doubt != nil {
		rev, err = m.again(ctx, l, value)
	}
	switch {
	case err == nil:
		l.rev, l.until, l.doubt = rev, from.Add(m.cfg.TTL), nil
	case !errors.Is(err, ErrTaken):
		l.doubt = value
	}
	return err
}

// again writes an entry that was taken, if it was taken by what was in doubt.
func (m *Member) again(ctx context.Context, l *lease, value []byte) (uint64, error) {
	entries, err := m.cfg.Leases.List(ctx)
	if err != nil {
		return 0, err
	}
	e, ok := entries[l.key]
	if !ok || !bytes.Equal(e.Value, l.doubt) {
		return 0, ErrTaken
	}
	return m.cfg.Leases.Put(ctx, l.key, value, m.cfg.TTL, e.Rev)
}

// follow does what the plan wants of this node.
func (m *Member) follow(ctx context.Context, t Table) {
	if m.cfg.Changed != nil {
		m.cfg.Changed(t)
	}
	name := m.cfg.Node.Name
	for g, owner := range Plan(t, m.cfg.Groups) {
		o := m.owned[g]
		was, taken := t.Groups[g]
		if m.cfg.Sole && was.Node == name {
			taken = false
		}
		switch {
		case o != nil && owner != name && owner != "":
			m.stop(o, errHandOver)
		case o == nil && owner == name && !taken && !m.cfg.Clock.Now().Before(m.pause[g]):
			m.take(ctx, g, was.rev)
		}
	}
}

// take acquires a group, whose lease has the revision rev, and runs it.
func (m *Member) take(ctx context.Context, group int, rev uint64) {
	o := &ownership{lease: lease{key: groupKey(group), rev: rev}, since: m.cfg.Clock.Now().UTC()}
	err := m.put(ctx, &o.lease, Owned{Node: m.cfg.Node.Name, Since: o.since})
	if err != nil {
		if !errors.Is(err, ErrTaken) { // another was faster
			m.cfg.Logger.Warn("a group cannot be taken", "group", group, "error", err)
		}
		return
	}
	o.epoch = o.rev
	run, end := context.WithCancelCause(context.WithoutCancel(ctx))
	o.end = end
	o.fuse = m.cfg.Clock.AfterFunc(m.fuseFor(o), func() { end(ErrLost) })
	m.owned[group] = o
	m.cfg.Logger.Info("this node owns a group", "group", group, "epoch", o.epoch)
	m.cfg.Start(run, group, o.epoch, func(err error) {
		m.ended <- ending{group, err, errors.Is(context.Cause(run), ErrLost)} // there is room for each; leave waits
	})
}

func (m *Member) since(at time.Time) time.Duration { return m.cfg.Clock.Now().Sub(at) }

// fuseFor is how long a group may still run unless its lease is renewed.
func (m *Member) fuseFor(o *ownership) time.Duration {
	return o.until.Add(-m.cfg.Margin).Sub(m.cfg.Clock.Now())
}

// stop asks a group's run to end.
func (m *Member) stop(o *ownership, cause error) {
	o.fuse.Stop()
	o.ending = true
	o.end(cause)
}

// onEnded gives up the lease of a group that is not run any more.
func (m *Member) onEnded(ctx context.Context, e ending) {
	o := m.owned[e.group]
	delete(m.owned, e.group)
	o.fuse.Stop()
	o.end(nil)
	ctx, cancel := context.WithTimeout(ctx, m.cfg.TTL/4)
	defer cancel()
	switch {
	case o.ending:
	case e.lost: // who may have it now is in the table, once that can be reached
		m.cfg.Logger.Warn("a group has stopped, because its lease could not be renewed", "group", e.group)
	default:
		m.onFailed(e)
		if err := m.announce(ctx); err != nil { // before the others see that nobody has it
			m.cfg.Logger.Warn("the cluster's leases cannot be reached", "error", err)
		}
	}
	if o.rev == 0 {
		return
	}
	err := m.cfg.Leases.Delete(ctx, o.key, o.rev)
	if err == nil && m.cfg.Freed != nil {
		m.cfg.Freed()
	}
	if err != nil && !errors.Is(err, ErrTaken) {
		m.cfg.Logger.Warn("a group's lease stays until it ends by itself", "group", e.group, "error", err)
	}
}

// leave hands over everything and waits until nothing runs.
func (m *Member) leave(ctx context.Context) error {
	for _, o := range m.owned {
		m.stop(o, errHandOver)
	}
	tick := time.NewTicker(m.cfg.TTL / 4)
	defer tick.Stop()
	m.Drain(true)
	for len(m.owned) > 0 {
		select {
		case e := <-m.ended:
			m.onEnded(ctx, e)
		case <-tick.C:
			short, cancel := context.WithTimeout(ctx, m.cfg.TTL/4)
			err := m.renewAll(short)
			cancel()
			if err != nil {
				m.cfg.Logger.Warn("the cluster's leases cannot be reached", "error", err)
			}
		}
	}
	if m.self.rev == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.TTL/4)
	defer cancel()
	if err := m.cfg.Leases.Delete(ctx, m.self.key, m.self.rev); err != nil && !errors.Is(err, ErrTaken) {
		return fmt.Errorf("leave the cluster: %w; the node's entry ends by itself", err)
	}
	return nil
}

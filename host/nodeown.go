package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
)

const (
	moveTimeout = 10 * time.Second // for asking for the leaders of streams to move
	moveSoon    = 3 * time.Second  // when that is looked at again, if some are elsewhere
	moveLater   = 15 * time.Second // as above, if none are
)

// own has the signature of cluster.Config.Own: it tells the operator of a group that
// cannot be run here.
func (n *Node) own(ctx context.Context, group int, epoch uint64) error {
	err := n.host(ctx, group, epoch)
	if err != nil && ctx.Err() == nil && !errors.Is(err, cluster.ErrLost) {
		n.report(Notice{Kind: "warning", Text: "node " + n.name() + " cannot run the log, which another node is to take:", Err: err})
	}
	return err
}

// host runs a Host on the group's log from where the owner before has left it, until
// ctx ends.
//
// When ctx ends because the group goes to another node, the Host finishes what it
// has begun and takes a snapshot, from which the next owner goes on. When the lease
// was lost it stops in the middle, and what it still writes the log refuses.
func (n *Node) host(ctx context.Context, group int, epoch uint64) error {
	began := time.Now()
	clock := newClock()
	account := newAccount(clock.now)
	log, err := n.claim(ctx, group, epoch, clock, account)
	if err != nil {
		return err
	}
	claimed := time.Since(began)
	h, err := newHost(ctx, n.opts, place{
		node: n.name(), data: n.data, epoch: epoch, adopt: n.adopt.Load(),
		api: n.API(), log: log, clock: clock, account: account, serve: n.serve,
		size: func(ctx context.Context) (int64, error) { return n.sizeOf(ctx, group) },
	})
	if err != nil {
		return err
	}
	serving := n.ready(h)
	leading, stop := context.WithCancel(ctx)
	var lead sync.WaitGroup
	defer lead.Wait()
	defer stop()
	if n.embedded() {
		lead.Go(func() { n.keepLeading(leading, group) })
	}
	err = h.Run(ctx, func(s Summary) {
		n.adopt.Store(false) // it is done
		n.report(Notice{Kind: "owner", Text: fmt.Sprintf("node %s owns the log (epoch %d), %d ms after it took the lease, %d of them until its claim was stored",
			n.name(), epoch, time.Since(began).Milliseconds(), claimed.Milliseconds())})
		serving(s)
	})
	if err = errors.Join(err, h.Close()); errors.Is(context.Cause(ctx), cluster.ErrLost) {
		n.report(Notice{Kind: "warning", Text: "node " + n.name() + " has lost the log and stopped; another node may own it"})
		return cluster.ErrLost
	}
	text := "node " + n.name() + " has handed over the log"
	if errors.Is(err, eventlog.ErrFenced) {
		text = "node " + n.name() + " was found to have been replaced and stopped: " + err.Error()
		err = fmt.Errorf("%w: %w", cluster.ErrLost, err)
	}
	n.report(Notice{Kind: "owner", Text: text})
	return err
}

// claim opens the log of a group and takes it over.
func (n *Node) claim(ctx context.Context, group int, epoch uint64, c *clock, a *account) (*eventlog.Log, error) {
	log, err := n.engine.Open(ctx, group, eventlog.Config{Logger: n.logger, Now: c.now, Meter: a})
	if err != nil {
		return nil, err
	}
	if _, err = log.Restored(ctx); err == nil {
		err = log.Claim(ctx, n.name(), epoch)
	}
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return log, nil
}

// keepLeading has the streams that the owner writes led by this node's server, which
// saves a detour, and above all a dependence: then no failure of another node has the
// servers elect a leader, which takes longer than a lease lasts. Elections for other
// reasons move leaders, so it looks again. Without it all goes on, more slowly.
func (n *Node) keepLeading(ctx context.Context, group int) {
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, moveTimeout)
		elsewhere, err := n.engine.MoveLeaders(try, group, n.name())
		cancel()
		again := moveLater
		if err != nil || elsewhere > 0 {
			again = moveSoon
		}
		if err != nil && ctx.Err() == nil {
			n.logger.Info("the log's streams are led by another node", "error", err)
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// sizeOf is how much the streams of a group take on each server.
func (n *Node) sizeOf(ctx context.Context, group int) (size int64, err error) {
	list, err := n.engine.Streams(ctx, group)
	for _, s := range list {
		size += int64(s.Bytes)
	}
	return size, err
}

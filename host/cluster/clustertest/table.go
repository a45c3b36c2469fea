// Package clustertest has a table of leases in memory, with the ways in which a
// real one fails: nodes that are cut off from it, and answers that get lost.
package clustertest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/rhost/rhost/host/cluster"
)

// Table is a table of leases.
type Table struct {
	now func() time.Time

	mu      sync.Mutex
	rev     uint64
	entries map[string]entry
}

type entry struct {
	cluster.Entry
	until time.Time
}

// New gives an empty table. Its clock is time.Now, which testing/synctest may have in
// its hands.
func New() *Table { return NewAt(time.Now) }

// NewAt gives an empty table with another clock.
func NewAt(now func() time.Time) *Table { return &Table{now: now, entries: make(map[string]entry)} }

// Client is a node's way to the table. Its methods may be called together.
type Client struct {
	table *Table

	mu   sync.Mutex
	cut  bool
	lose int
}

// Client gives another node's way to the table.
func (t *Table) Client() *Client { return &Client{table: t} }

// Cut cuts the node off, or joins it again.
func (c *Client) Cut(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
}

// Lose loses the next n answers of Put and Delete, which take effect all the same.
func (c *Client) Lose(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose = n
}

// ErrCut is the error of a node that is cut off, and of an answer that got lost.
var ErrCut = errors.New("clustertest: no answer")

func (c *Client) reach() (lost bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return false, ErrCut
	}
	if c.lose > 0 {
		c.lose--
		return true, nil
	}
	return false, nil
}

// Put is that of cluster.Leases.
func (c *Client) Put(_ context.Context, key string, value []byte, ttl time.Duration, rev uint64) (uint64, error) {
	lost, err := c.reach()
	if err != nil {
		return 0, err
	}
	rev, err = c.table.put(key, value, ttl, rev)
	if lost {
		return 0, ErrCut
	}
	return rev, err
}

func (t *Table) put(key string, value []byte, ttl time.Duration, rev uint64) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	if t.entries[key].Rev != rev {
		return 0, cluster.ErrTaken
	}
	t.rev++
	t.entries[key] = entry{cluster.Entry{Value: value, Rev: t.rev}, t.now().Add(ttl)}
	return t.rev, nil
}

// Delete is that of cluster.Leases.
func (c *Client) Delete(_ context.Context, key string, rev uint64) error {
	lost, err := c.reach()
	if err != nil {
		return err
	}
	t := c.table
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	if t.entries[key].Rev != rev {
		return cluster.ErrTaken
	}
	delete(t.entries, key)
	if lost {
		return ErrCut
	}
	return nil
}

// List is that of cluster.Leases.
func (c *Client) List(context.Context) (map[string]cluster.Entry, error) {
	c.mu.Lock()
	cut := c.cut
	c.mu.Unlock()
	if cut {
		return nil, ErrCut
	}
	t := c.table
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	all := make(map[string]cluster.Entry)
	for key, e := range t.entries {
		all[key] = e.Entry
	}
	return all, nil
}

// expire removes what has ended.
func (t *Table) expire() {
	now := t.now()
	maps.DeleteFunc(t.entries, func(_ string, e entry) bool { return !now.Before(e.until) })
}

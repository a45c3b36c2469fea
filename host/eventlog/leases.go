package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	leaseStream  = "LEASE"
	leaseSubject = "lease."
)

// Leases is a table of small entries that go by themselves unless they are renewed,
// kept by the servers of an Engine. Who shares the servers sees the same table. Its
// methods may be called together.
//
// An entry is the last message of its own subject. The messages are synced like
// those of logs, so that revisions grow for as long as the servers keep their
// folders. A clock that runs fast on the server that leads the stream ends entries
// early, which is why a lease is no fence.
type Leases struct {
	nc     *nats.Conn
	shared bool
}

// Lease is one entry.
type Lease struct {
	Key   string
	Value []byte
	Rev   uint64 // grows with everything that is written to the table
}

// Leases returns the table of the engine's servers. It ends with the engine.
func (e *Engine) Leases(ctx context.Context) (*Leases, error) {
	nc, err := e.connect("leases")
	if err != nil {
		return nil, err
	}
	c := streamConfig(leaseStream, leaseSubject+">", e.cfg.Replicas)
	c.MaxMsgsPerSubject = 1
	c.AllowMsgTTL = true
	c.AllowDirect = false // entries are read where they are written
	if err := ensure(ctx, nc, c, e.shared()); err != nil {
		e.disconnect(nc)
		return nil, err
	}
	return &Leases{nc: nc, shared: e.shared()}, nil
}

// maxAbove bounds where revisions begin; nothing counts as far.
const maxAbove = 1 << 53

// StartAbove has revisions begin above rev, if nothing was ever written to the table.
// It is for a log that comes from elsewhere, and knows of revisions there.
func (l *Leases) StartAbove(ctx context.Context, rev uint64) error {
	if rev == 0 || rev > maxAbove {
		return nil
	}
	var st StreamState
	err := whileUnavailable(ctx, l.shared, func(ctx context.Context) (err error) {
		st, err = streamInfo(ctx, l.nc, leaseStream)
		return err
	})
	if err == nil && st.Last == 0 { // who is as fast writes behind the same revision
		err = purge(ctx, l.nc, leaseStream, l.shared, jetstream.WithPurgeSequence(rev+1))
	}
	if err != nil {
		return fmt.Errorf("have leases begin above %d: %w", rev, err)
	}
	return nil
}

// Put writes an entry that goes by itself after ttl, of a second at least. It does
// so if the entry's revision is rev, 0 standing for no entry, and returns the new
// one. ErrStale means that it is another; after any other error nobody knows
// whether the entry was written. value must not be empty.
func (l *Leases) Put(ctx context.Context, key string, value []byte, ttl time.Duration, rev uint64) (uint64, error) {
	if len(value) == 0 {
		return 0, fmt.Errorf("lease %s: an entry without a value is none", key)
	}
	body := append(appendString(nil, key), value...)
	now, err := l.write(ctx, key, body, ttl, rev)
	if rev != 0 || !errors.Is(err, ErrStale) {
		return now, err
	}
	// What looks like an entry may be the mark of one that was deleted.
	last, lastErr := fromLeader(ctx, l.nc, leaseStream, leaderRequest{Seq: 1, Next: leaseSubject + key}, l.shared)
	if lastErr == nil && len(last.Body) == 0 {
		return l.write(ctx, key, body, ttl, last.Seq)
	}
	return 0, err
}

// Delete removes an entry if its revision is rev; the errors are those of Put.
func (l *Leases) Delete(ctx context.Context, key string, rev uint64) error {
	_, err := l.write(ctx, key, nil, time.Second, rev) // a mark, which goes by itself, too
	return err
}

func (l *Leases) write(ctx context.Context, key string, body []byte, ttl time.Duration, rev uint64) (uint64, error) {
	seconds := int64((ttl + time.Second - 1) / time.Second) // what the server counts in
	now, err := send(ctx, l.nc, &nats.Msg{Subject: leaseSubject + key, Data: body, Header: nats.Header{
		"Nats-Expected-Last-Subject-Sequence": {strconv.FormatUint(rev, 10)},
		"Nats-TTL":                            {strconv.FormatInt(max(seconds, 1), 10) + "s"},
	}}, l.shared)
	if err != nil {
		return 0, fmt.Errorf("write lease %s: %w", key, err)
	}
	return now, nil
}

// List returns all entries.
func (l *Leases) List(ctx context.Context) ([]Lease, error) {
	var list []Lease
	for next := uint64(1); ; {
		n, err := fromLeader(ctx, l.nc, leaseStream, leaderRequest{Seq: next, Next: leaseSubject + ">"}, l.shared)
		if errors.Is(err, ErrNotFound) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if len(n.Body) > 0 {
			c := cursor{b: n.Body}
			key := string(c.bytes())
			if c.failed {
				return nil, fmt.Errorf("read stream %s: message %d is no lease", leaseStream, n.Seq)
			}
			list = append(list, Lease{Key: key, Value: c.b, Rev: n.Seq})
		}
		next = n.Seq + 1
	}
}

package host

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// simStore is the store of one process: it notes who sent what, and has the disk of
// its node.
type simStore struct {
	eventlog.Store
	owner *simOwner
}

func (s simStore) Stream(kind eventlog.StreamKind) eventlog.Stream {
	return simStream{s.Store.Stream(kind), s.owner, kind}
}

func (s simStore) Free() (int64, bool) { return 0, s.owner.node.full }

type simStream struct {
	eventlog.Stream
	owner *simOwner
	kind  eventlog.StreamKind
}

// simFrame is a place in a stream and what somebody wanted to be stored there.
type simFrame struct {
	kind eventlog.StreamKind
	seq  uint64
	hash uint64
}

var simHashSeed = maphash.MakeSeed()

func (s simStream) Publish(ctx context.Context, seq uint64, b []byte) error {
	s.owner.g.sent[simFrame{s.kind, seq, maphash.Bytes(simHashSeed, b)}] = s.owner.id
	return s.Stream.Publish(ctx, seq, b)
}

func (s simStream) Scan(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	return s.Stream.Scan(ctx, from, to, func(seq uint64, b []byte) error {
		if left := &s.owner.reads; *left > 0 {
			if *left--; *left == 0 {
				return fmt.Errorf("%w: nobody answered", eventlog.ErrUnavailable)
			}
		}
		return fn(seq, b)
	})
}

// simHistory is all that a stream has ever held, what was released included.
type simHistory struct {
	model   *eventlogtest.Model
	group   int
	kind    eventlog.StreamKind
	checker *eventlog.Checker
	frames  []*eventlog.CheckedFrame
	hashes  []uint64
}

func newSimHistory(m *eventlogtest.Model, group int, events bool) *simHistory {
	kind := eventlog.RunStream
	if events {
		kind = eventlog.EventStream
	}
	name, _ := kind.NamesOf(group)
	return &simHistory{model: m, group: group, kind: kind, checker: eventlog.NewChecker(name)}
}

// read reads on, up to but not including frame to; 0: to the end.
func (h *simHistory) read(to uint64) error {
	first, frames := h.model.Frames(h.group, h.kind)
	for i, b := range frames {
		seq := first + uint64(i)
		if seq <= uint64(len(h.frames)) || to > 0 && seq >= to {
			continue
		}
		f, err := h.checker.Check(seq, bytes.Clone(b))
		if err != nil {
			return err
		}
		h.frames = append(h.frames, f)
		h.hashes = append(h.hashes, maphash.Bytes(simHashSeed, b))
	}
	return nil
}

package host

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// laneState is what is read of a snapshot. Nothing of it is in use until all of it
// has been read.
type laneState struct {
	tenant, origin string
	life           string
	at             eventlog.Position
	taken          time.Time
	row, digest    string // of the rule set in force
	edited         int
	order          []string
	began          time.Time
	since          map[string]time.Time
	revision       *Revision
	cursors        map[string][]byte
	bad            []BadRecord
	matcher        []byte
	flows          *workflow.Engine
	draining       []cep.Source
	past           []cep.Source // of rules whose steps are needed
	values         map[string]stateValue
	kv             map[string]kvValue
	holdings       holdings
	topics         []notify.Topic
	run            uint64
	emits          []emitted
}

// readSnapshot reads what laneCapture.encode gave. The error is an errSnapshot, or
// that of the executions.
func readSnapshot(b []byte, o workflow.Options) (*laneState, error) {
	s := &laneState{}
	if err := unseal(b, func(f *formReader) { s.read(f, o) }); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *laneState) read(f *formReader, o workflow.Options) {
	s.tenant = f.text()
	s.origin, s.life = splitOrigin(f.text())
	s.at = f.position()
	s.taken = f.time()
	s.row, s.digest, s.edited = f.text(), f.text(), int(f.uint()&(1<<40-1))
	f.each(func() { s.order = append(s.order, f.text()) })
	s.began, s.since = f.time(), make(map[string]time.Time)
	f.each(func() { name := f.text(); s.since[name] = f.time() })
	f.json(&s.revision)
	s.cursors = make(map[string][]byte)
	f.each(func() { name := f.text(); s.cursors[name] = f.bytes() })
	f.json(&s.bad)
	s.matcher = f.bytes()
	if f.err == nil {
		s.flows, f.err = workflow.RestoreEngine(o, f.r)
	}
	f.each(func() { s.draining = append(s.draining, f.source()) })
	f.each(func() { s.past = append(s.past, f.source()) })
	s.values = make(map[string]stateValue)
	f.each(func() { key := f.text(); s.values[key] = stateValue{version: f.uint(), json: f.raw()} })
	s.kv = make(map[string]kvValue)
	f.each(func() { key := f.text(); s.kv[key] = kvValue{bytes: f.bytes(), expires: f.time()} })
	if f.version >= 2 {
		s.holdings.read(f)
		f.each(func() { s.topics = append(s.topics, f.topic()) })
	}
	s.run = f.uint()
	f.each(func() { s.emits = append(s.emits, f.emitted()) })
}

func (f *formReader) position() eventlog.Position {
	frame, index := f.uint(), f.uint()
	if index > 1<<32-1 {
		f.fail("record %d of a frame", index)
	}
	return eventlog.Position{Frame: frame, Index: uint32(index)}
}

func (f *formReader) source() cep.Source {
	return cep.Source{File: f.text(), Line: int(f.uint() & (1<<31 - 1)), Text: f.text()}
}

func (f *formReader) json(v any) {
	if b := f.bytes(); f.err == nil {
		f.broken(json.Unmarshal(b, v))
	}
}

func (f *formReader) emitted() emitted {
	e := emitted{seq: f.uint(), depth: int(f.uint() & (1<<16 - 1))}
	b := f.bytes()
	if f.err != nil {
		return e
	}
	ev, rest, err := event.DecodeBinary(b)
	f.broken(err)
	if len(rest) > 0 {
		f.fail("%d bytes follow an event", len(rest))
	}
	e.event = ev
	return e
}

// restore puts a lane into the state of a snapshot. On an error the lane is as it
// was.
func (l *lane) restore(ctx context.Context, s *laneState, otherLanes bool) error {
	if s.tenant != l.tenant {
		return fmt.Errorf("%w: it is of tenant %s", errSnapshot, s.tenant)
	}
	set, err := l.lib.restore(ctx, s)
	if err != nil {
		return err
	}
	older, err := l.lib.older(s.draining)
	if err != nil {
		return err
	}
	var matcher *cep.Lanes
	if otherLanes {
		err = l.rebuild(ctx, set, s.at)
		matcher = l.matcher
	} else {
		matcher, err = cep.RestoreLanes(set.Program, cep.Options{Tenant: l.tenant, Tables: set.Tables}, l.lanes.n, l.lanes.by, s.matcher, older...)
	}
	if err != nil {
		return err
	}
	for _, source := range slices.Concat(s.draining, s.past) {
		if err := l.lib.remember(source); err != nil {
			return err
		}
	}
	l.lib.know(set)
	l.rules, l.matcher, l.flows = set, matcher, s.flows
	l.inForce.Store(set)
	l.revision.Store(s.revision)
	l.origin, l.life, l.began, l.since = s.origin, s.life, s.began, s.since
	l.pos, l.replay = s.at, s.at
	l.cursors, l.bad.list, l.emits = s.cursors, s.bad, s.emits
	l.state.restore(s.values, s.kv)
	l.account.restore(l.tenant, s.holdings)
	l.topics.Restore(s.topics)
	l.actions.restore(s.flows)
	l.worn = true
	return nil
}

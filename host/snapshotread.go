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

// readSnapshot reads what laneCapture.encode gave. The error is an errSnapshot.
func readSnapshot(b []byte, o workflow.Options) (*laneState, error) {
	s := &laneState{}
	if err := unseal(b, func(f *formReader) { s.read(f, o) }); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *laneState) read(f *formReader, o workflow.Options) {
	s.tenant = f.Text()
	s.origin, s.life = splitOrigin(f.Text())
	s.at = f.position()
	s.taken = f.Time()
	s.row, s.digest, s.edited = f.Text(), f.Text(), int(f.Uint()&(1<<40-1))
	f.Each(func() { s.order = append(s.order, f.Text()) })
	s.began, s.since = f.Time(), make(map[string]time.Time)
	f.Each(func() { name := f.Text(); s.since[name] = f.Time() })
	f.json(&s.revision)
	s.cursors = make(map[string][]byte)
	f.Each(func() { name := f.Text(); s.cursors[name] = f.Bytes() })
	f.json(&s.bad)
	s.matcher = f.Bytes()
	if f.Err() == nil {
		var err error
		s.flows, err = workflow.RestoreEngine(o, f.R)
		f.Broken(err)
	}
	f.Each(func() { s.draining = append(s.draining, f.source()) })
	f.Each(func() { s.past = append(s.past, f.source()) })
	s.values = make(map[string]stateValue)
	f.Each(func() { key := f.Text(); s.values[key] = stateValue{version: f.Uint(), json: f.Raw()} })
	s.kv = make(map[string]kvValue)
	f.Each(func() { key := f.Text(); s.kv[key] = kvValue{bytes: f.Bytes(), expires: f.Time()} })
	if f.version >= 2 {
		s.holdings.read(f)
		f.Each(func() { s.topics = append(s.topics, f.topic()) })
	}
	s.run = f.Uint()
	f.Each(func() { s.emits = append(s.emits, f.emitted()) })
}

func (f *formReader) position() eventlog.Position {
	frame, index := f.Uint(), f.Uint()
	if index > 1<<32-1 {
		f.Fail("record %d of a frame", index)
	}
	return eventlog.Position{Frame: frame, Index: uint32(index)}
}

func (f *formReader) source() cep.Source {
	return cep.Source{File: f.Text(), Line: int(f.Uint() & (1<<31 - 1)), Text: f.Text()}
}

func (f *formReader) json(v any) {
	if b := f.Bytes(); f.Err() == nil {
		f.Broken(json.Unmarshal(b, v))
	}
}

func (f *formReader) emitted() emitted {
	e := emitted{seq: f.Uint(), depth: int(f.Uint() & (1<<16 - 1))}
	b := f.Bytes()
	if f.Err() != nil {
		return e
	}
	ev, rest, err := event.DecodeBinary(b)
	f.Broken(err)
	if len(rest) > 0 {
		f.Fail("%d bytes follow an event", len(rest))
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

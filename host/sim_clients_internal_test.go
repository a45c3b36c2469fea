package host

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/eventlog"
)

// simEvent is an event of a client, and what the client was told of it.
type simEvent struct {
	ev       event.Event
	acked    bool
	unsure   bool // an attempt ended without an answer
	attempts int
}

// simRequest is a batch on its way.
type simRequest struct {
	events  []*simEvent
	pending *eventlog.Pending // nil: it was answered
}

// stepClient has a client send new events, or some that it was not told of.
func (w *simWorld) stepClient(g *simGroup) {
	o := w.ownerOf(g)
	if o == nil || !o.running {
		return
	}
	var batch []*simEvent
	for range 1 + w.pick(4) {
		if len(g.events) > 0 && w.once(3) {
			// Those it was told of as well: the answer may have got lost on its way.
			if e := g.events[w.pick(len(g.events))]; !slices.Contains(batch, e) {
				batch = append(batch, e)
			}
		} else {
			batch = append(batch, g.newEvent(o.lane.now()))
		}
	}
	o.submit(batch)
}

func (g *simGroup) newEvent(now time.Time) *simEvent {
	w := g.w
	e := &simEvent{ev: event.Event{
		ID: "e" + strconv.Itoa(len(g.events)), Source: "/client", Type: string("aaabbccnnnss"[w.pick(12)]),
		Data: fmt.Appendf(nil, `{"k":"k%d","u":"u%d"}`, w.pick(3), w.pick(2)),
	}}
	switch w.pick(10) {
	case 0: // without a time
	case 1:
		e.ev.Time = now.Add(time.Hour)
	case 2:
		e.ev.Time = now.Add(-time.Duration(w.pick(60)) * time.Second)
	default:
		e.ev.Time = now
	}
	g.events = append(g.events, e)
	return e
}

// submit hands a batch to the committer, as the API does.
func (o *simOwner) submit(batch []*simEvent) {
	recs := make([]eventlog.Record, len(batch))
	for i, e := range batch {
		rec, err := o.admit.record(&e.ev, true)
		if err != nil {
			o.w.broken("an event is not admitted: %v", err)
			return
		}
		recs[i] = rec
		e.attempts++
	}
	pending, err := o.log.Committer().Submit(recs)
	if err != nil {
		return // nothing was written
	}
	if o.w.trace != nil {
		var names []string
		for _, e := range batch {
			names = append(names, e.ev.Type+" "+e.ev.ID)
		}
		o.say("is sent %v", names)
	}
	o.requests = append(o.requests, &simRequest{batch, pending})
}

// poll passes on what the committer has answered.
func (o *simOwner) poll() {
	o.requests = slices.DeleteFunc(o.requests, func(r *simRequest) bool {
		if r.pending == nil {
			return true
		}
		_, done, err := r.pending.Poll()
		if !done {
			return false
		}
		r.pending = nil
		for _, e := range r.events {
			e.acked = e.acked || err == nil
			e.unsure = e.unsure || errors.Is(err, eventlog.ErrUncertain)
		}
		if o.w.trace != nil {
			o.say("answers %s and %d more: %v", r.events[0].ev.ID, len(r.events)-1, err)
		}
		return true
	})
}

// answered is the end of a request whose process has ended: who knows.
func (o *simOwner) answered(r *simRequest) {
	if r.pending == nil {
		return
	}
	for _, e := range r.events {
		e.unsure = true
	}
}

// simSource is something that is read from its beginning to its end, line by line.
// Some lines are no events.
type simSource struct {
	name  string
	lines int
}

// simReading is how far an owner has read a source.
type simReading struct {
	next    int
	upTo    int
	pending *eventlog.Pending
}

func (s *simSource) bad(line int) bool { return line%5 == 3 }

func (s *simSource) event(line int) event.Event {
	return event.Event{
		ID: fmt.Sprintf("%s:%d", s.name, line), Source: "/" + s.name, Type: string("abcn"[line%4]), Data: fmt.Appendf(nil, `{"k":"k%d","u":"u%d"}`, line%3, line%2),
	}
}

// readSources goes on with the sources, from where the log says they were read to.
func (o *simOwner) readSources() {
	for _, s := range o.g.sources {
		r := o.reading[s]
		if r == nil {
			r = &simReading{}
			if c := o.lane.cursors[s.name]; c != nil {
				r.next, _ = strconv.Atoi(string(c))
			}
			o.reading[s] = r
		}
		if r.pending != nil {
			_, done, err := r.pending.Poll()
			if !done {
				continue
			}
			r.pending = nil
			if err == nil {
				r.next = r.upTo
			}
		}
		if r.next < s.lines && (o.w.calm || o.w.once(3)) {
			o.read(s, r)
		}
	}
}

func (o *simOwner) read(s *simSource, r *simReading) {
	r.upTo = min(s.lines, r.next+1+o.w.pick(4))
	b := connect.Batch{Cursor: []byte(strconv.Itoa(r.upTo))}
	for line := r.next; line < r.upTo; line++ {
		if s.bad(line) {
			b.Bad = append(b.Bad, connect.BadRecord{Position: fmt.Sprint("line ", line), Reason: "no JSON", Raw: []byte("{")})
		} else {
			b.Events = append(b.Events, s.event(line))
		}
	}
	pending, err := o.log.Committer().Submit(intake{o.admit, s.name}.records(b))
	if err == nil {
		r.pending = pending
		o.say("reads %s up to line %d", s.name, r.upTo)
	}
}

package main

import (
	"context"
	"time"

	"github.com/rhost/rhost/event"
)

// plainNFA follows a sequence of event types as the published automata with
// buffers do (Agrawal et al., "Efficient pattern matching over event streams",
// SIGMOD 2008; Flink's CEP library is of that kind): every partial match is a run,
// and every event is shown to every run. It does nothing else, and holds events
// without copying them.
type plainNFA struct {
	kinds  []string // of the elements
	any    bool     // `then any`; otherwise `then`
	within time.Duration
	runs   []plainRun
	spare  []plainRun
	found  int
}

type plainRun struct {
	next  int // element that it waits for
	start time.Time
	last  *plainNode
}

type plainNode struct {
	ev   *event.Event
	prev *plainNode
}

func (p *plainNFA) feed(ev *event.Event, now time.Time) {
	kept := p.spare[:0]
	for _, r := range p.runs {
		if now.Sub(r.start) >= p.within {
			continue
		}
		if ev.Type != p.kinds[r.next] {
			kept = append(kept, r)
			continue
		}
		if p.any {
			kept = append(kept, r)
		}
		if r.next == len(p.kinds)-1 {
			p.found++
			continue
		}
		kept = append(kept, plainRun{r.next + 1, r.start, &plainNode{ev, r.last}})
	}
	if ev.Type == p.kinds[0] {
		kept = append(kept, plainRun{1, now, &plainNode{ev: ev}})
	}
	p.runs, p.spare = kept, p.runs
}

// plainMeasure feeds one, after some events to warm up.
func plainMeasure(name string, p *plainNFA, t *traffic, warm int) measure {
	feed := func() error { //nolint:unparam // as rate takes it
		ev := t.next()
		p.feed(ev, t.at)
		return nil
	}
	return measure{name: name, unit: "events/s", fn: func(_ context.Context, d time.Duration) (float64, error) {
		for ; warm > 0; warm-- {
			if err := feed(); err != nil {
				return 0, err
			}
		}
		return rate(d, feed)
	}}
}

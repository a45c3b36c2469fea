package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// lanesSuite matches one log on one lane and on several, with all the cores there
// are: rules that go by the path events are spread by, and one that does not.
func lanesSuite(context.Context, options) ([]measure, func() error, error) {
	const rules = 1000
	var text strings.Builder
	for i := range rules {
		fmt.Fprintf(&text, "rule: r%d\nwhen: {pattern: a then b then c, define: {a: 'data.n == %d', b: 'data.m == %d', c: 'data.n == 1 && data.m == 1'}, by: data.ip, within: 1m}\n---\n", i, i, i)
	}
	text.WriteString("rule: other\nwhen: {pattern: a then b, define: {a: 'data.n == 7', b: 'data.m == 9'}, by: data.user, within: 1m}\n")
	p, err := programOf(text.String())
	if err != nil {
		return nil, nil, err
	}
	by, err := event.ParsePath("data.ip")
	if err != nil {
		return nil, nil, err
	}
	log := laneLog()
	const one = "1,001 rules on 1 lane"
	var list []measure
	for _, lanes := range []int{1, 2, 4} {
		m := measure{name: one, unit: "events/s", fn: func(_ context.Context, d time.Duration) (float64, error) {
			return laneRate(p, lanes, by, log, d)
		}}
		if lanes > 1 {
			m.name, m.base = fmt.Sprintf("1,001 rules on %d lanes", lanes), one
		}
		list = append(list, m)
	}
	return list, nothing, nil
}

// laneLog is events of 200 addresses.
func laneLog() []cep.Item {
	r := rand.New(rand.NewPCG(1, 1))
	items := make([]cep.Item, 1<<14)
	for i := range items {
		items[i].Event = &event.Event{ID: "e", Source: "/s", Type: "a", Data: fmt.Appendf(nil,
			`{"ip":"10.0.0.%d","user":"u%d","n":%d,"m":%d,"text":"a line of a log as it may come along","host":"web-17"}`,
			r.IntN(200), r.IntN(50), r.IntN(1000), r.IntN(1000))}
	}
	return items
}

// laneRate feeds the log again and again, in batches as the host does.
func laneRate(p *cep.Program, lanes int, by event.Path, log []cep.Item, d time.Duration) (float64, error) {
	const batch = 512
	l := cep.NewLanes(p, cep.Options{Tenant: "default"}, lanes, by)
	var found cep.Found
	seq, began := uint64(0), time.Unix(0, 0)
	perSecond, err := rate(d, func() error {
		from := int(seq) % len(log)
		part := log[from : from+batch]
		for i := range part {
			seq++
			part[i].Pos.Seq, part[i].At = seq, began.Add(time.Duration(seq)*time.Millisecond)
		}
		l.Feed(part, &found)
		return nil
	})
	return perSecond * batch, err
}

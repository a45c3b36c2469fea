package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/rhost/rhost/event"
)

// mix is a sort of rules of two fields, the type and one of the payload, and what
// an event must hold to meet one.
type mix struct {
	name  string
	field func(i int) string            // what rule i wants of the payload
	hit   func(i int, p *mixPayload)    // makes an event meet it
	sort  func(mixes []mix, i int) *mix // of rule i; nil: this one
}

// mixPayload is what the payloads of these events differ in.
type mixPayload struct {
	user, path string
	size       float64
}

const mixTypes = 20

// spread makes numbers that look random and differ.
func spread(i int) uint32 { return uint32(i) * 2654435761 }

func mixes() []mix {
	return []mix{
		{
			name:  "exact",
			field: func(i int) string { return fmt.Sprintf(`data.user == "user-%d"`, i) },
			hit:   func(i int, p *mixPayload) { p.user = fmt.Sprintf("user-%d", i) },
		},
		{
			name:  "prefix",
			field: func(i int) string { return fmt.Sprintf(`data.path.startsWith("/srv/%08x/")`, spread(i)) },
			hit:   func(i int, p *mixPayload) { p.path = fmt.Sprintf("/srv/%08x/index.html", spread(i)) },
		},
		{
			name: "range",
			field: func(i int) string {
				return fmt.Sprintf(`data.size >= %d && data.size < %d`, spread(i), uint64(spread(i))+3)
			},
			hit: func(i int, p *mixPayload) { p.size = float64(spread(i)) + 1 },
		},
		{
			name:  "wildcard",
			field: func(i int) string { return fmt.Sprintf(`data.path.matches("^/opt/.*/%08x/.*run$")`, spread(i)) },
			hit:   func(i int, p *mixPayload) { p.path = fmt.Sprintf("/opt/lib/%08x/bin/run", spread(i)) },
		},
		{
			name: "mixed",
			sort: func(all []mix, i int) *mix { return &all[i%4] },
		},
	}
}

func mixNamed(name string) (*mix, error) {
	all := mixes()
	for i := range all {
		if all[i].name == name {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("no mix of rules is called %q", name)
}

// counted reports whether the counting algorithm can be asked. It has to try every
// expression on every event, and keeps each compiled.
func (m *mix) counted(rules int) bool {
	return rules <= 100_000 || m.sort == nil && m.name != "wildcard"
}

func (m *mix) of(i int) *mix {
	if m.sort == nil {
		return m
	}
	return m.sort(mixes(), i)
}

// condition is that of rule i.
func (m *mix) condition(i int) string {
	return fmt.Sprintf(`type == "type.%d" && %s`, i%mixTypes, m.of(i).field(i))
}

// line is an event of 300 bytes; it meets rule i, unless that is negative.
func (m *mix) line(i int, r *rand.Rand) []byte {
	ev := sampleEvent()
	ev.Type = fmt.Sprintf("type.%d", r.IntN(2*mixTypes))
	p := mixPayload{
		user: fmt.Sprintf("guest-%d", r.IntN(1<<30)), size: -float64(r.IntN(1 << 30)),
		path: fmt.Sprintf("/srv/www/%x/index-%d.html", r.Uint32(), r.IntN(1000)),
	}
	if i >= 0 {
		ev.Type = fmt.Sprintf("type.%d", i%mixTypes)
		m.of(i).hit(i, &p)
	}
	ev.Data = fmt.Appendf(nil, `{"user":%q,"port":33031,"host":"web-17","path":%q,"size":%.0f,"session":"c81f0a6e","geo":{"country":"NL","asn":64496}}`, p.user, p.path, p.size)
	return ev.AppendJSON(nil)
}

// lines are events of which one in a hundred meets a rule, the same in every
// run.
func (m *mix) lines(rules int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	lines := make([][]byte, matchEvents)
	for i := range lines {
		rule := -1
		if i%100 == 0 {
			rule = r.IntN(rules)
		}
		lines[i] = m.line(rule, r)
	}
	return lines
}

func parseLines(lines [][]byte) ([]event.Event, error) {
	events := make([]event.Event, len(lines))
	for i, line := range lines {
		ev, err := event.Parse(line)
		if err != nil {
			return nil, err
		}
		events[i] = ev
	}
	return events, nil
}

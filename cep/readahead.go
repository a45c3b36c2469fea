package cep

import (
	"runtime"
	"sync"

	"github.com/rhost/rhost/event"
)

const (
	aheadStep  = 64      // items that are read in one go
	aheadLeast = 128     // items that are worth a goroutine
	aheadMost  = 1 << 15 // values of a step: a million rules may read thousands of paths
	aheadSteps = 3       // being read, read, and being followed
)

// readAhead is room for the fields of items that are read before their turn.
type readAhead [aheadSteps][]event.Value

// feed takes items in order. Where there are many, the fields of their events are read
// in a goroutine of its own, which ends before feed does: finding values in payloads
// takes a third of the time of simple rules.
func (m *Matcher) feed(items []Item, found *Found) {
	n := m.prog.paths.Len()
	if len(items) < aheadLeast || n == 0 || n*aheadStep > aheadMost || runtime.GOMAXPROCS(0) == 1 {
		for i := range items {
			found.matches = m.item(&items[i], items[i].At, found.matches)
			found.end = append(found.end, int32(len(found.matches)))
		}
		return
	}
	free, read := make(chan []event.Value, aheadSteps), make(chan []event.Value, aheadSteps)
	for i := range m.ahead {
		if cap(m.ahead[i]) < n*aheadStep {
			m.ahead[i] = make([]event.Value, n*aheadStep)
		}
		free <- m.ahead[i][:n*aheadStep]
	}
	var reader sync.WaitGroup
	reader.Go(func() { m.readFields(items, n, free, read) })
	own := m.fields
	for at := 0; at < len(items); at += aheadStep {
		room := <-read
		for i := range items[at:min(at+aheadStep, len(items))] {
			it := &items[at+i]
			found.matches = m.Advance(it.At, it.Pos, found.matches)
			if it.Event != nil {
				m.fields = room[i*n : (i+1)*n : (i+1)*n]
				found.matches = m.fed(it.Event, it.Pos, found.matches)
			}
			found.end = append(found.end, int32(len(found.matches)))
		}
		free <- room
	}
	m.fields = own
	reader.Wait()
}

// readFields reads n fields of each event, step by step.
func (m *Matcher) readFields(items []Item, n int, free <-chan []event.Value, read chan<- []event.Value) {
	for at := 0; at < len(items); at += aheadStep {
		room := <-free
		for i := range items[at:min(at+aheadStep, len(items))] {
			if ev := items[at+i].Event; ev != nil {
				m.prog.paths.Scan(ev, room[i*n:i*n:(i+1)*n])
			}
		}
		read <- room
	}
}

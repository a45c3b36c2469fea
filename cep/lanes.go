package cep

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/rhost/rhost/event"
)

// Lanes is a matcher for several processors: it spreads the events of a log over
// matchers, each of which follows its share in a goroutine of its own, and puts
// what they find back in the order of the log. It finds the same matches as one
// Matcher, whatever the number of lanes.
//
// An event goes to the lane of the value it has at a path. The lane's matcher
// follows the rules that go by that path; for the others there is one more, which
// sees the events that concern them. See Part.
//
// Lanes belong to one goroutine, as a Matcher does. No goroutine outlives Feed.
type Lanes struct {
	by    event.Path
	all   []*Matcher // the last follows the rest of the rules; with one lane, the only one all of them
	now   time.Time  // the latest that was fed
	lane  []int32    // of the items in hand, or none
	away  []bool     // items in hand that the rest is to see
	finds []finds    // of each matcher
}

// Item is one thing that the log tells: an event, or that it is so late.
type Item struct {
	Event *event.Event // nil: time alone
	Pos   Position
	At    time.Time // lane time moves on to it; zero: stays
}

// Found is the matches that items caused. It is reused by the next Feed.
type Found struct {
	matches []Match
	end     []int32 // of each item's, in matches
}

// Of gives the matches that the item with a number caused.
func (f *Found) Of(i int) []Match {
	from := int32(0)
	if i > 0 {
		from = f.end[i-1]
	}
	return f.matches[from:f.end[i]]
}

// finds is what one matcher found among the items in hand.
type finds struct {
	matches []Match
	at      []find
	next    int // scratch of joining
}

// find is the end of one item's matches.
type find struct {
	item int32
	end  int32
}

const (
	none    = -1 // the lane of time alone
	fewest  = 32 // items that are worth more than one goroutine
	noFinds = 0
)

// NewLanes gives a matcher with a number of lanes; by is what events are spread by.
// One lane needs none, and is a plain Matcher.
func NewLanes(p *Program, o Options, lanes int, by event.Path) *Lanes {
	l := &Lanes{by: by}
	for _, o := range optionsOf(o, lanes, by) {
		l.all = append(l.all, NewMatcher(p, o))
	}
	return l.ready()
}

// optionsOf gives the options of each matcher.
func optionsOf(o Options, lanes int, by event.Path) []Options {
	if lanes <= 1 {
		o.Part = Part{}
		return []Options{o}
	}
	o.Part = Part{By: by}
	all := slices.Repeat([]Options{o}, lanes)
	o.Part.Rest = true
	return append(all, o)
}

func (l *Lanes) ready() *Lanes {
	l.finds = make([]finds, len(l.all))
	l.now = l.Now()
	return l
}

// Len is the number of lanes.
func (l *Lanes) Len() int { return max(1, len(l.all)-1) }

// Feed takes what the log tells, in its order, and gives the matches of each item
// in found. Of one item, what falls due on the way to its time comes first, by
// time and then in the order of the rules; then what the event completes, in the
// order of the rules. Events and found may be reused afterwards.
func (l *Lanes) Feed(items []Item, found *Found) {
	found.matches, found.end = clearMatches(found.matches), found.end[:0]
	if len(l.all) == 1 {
		l.all[0].feed(items, found)
		return
	}
	l.route(items)
	l.follow(items)
	l.join(len(items), found)
}

// item takes one item at a time that is known.
func (m *Matcher) item(it *Item, at time.Time, dst []Match) []Match {
	if it.Event == nil {
		return m.Advance(at, it.Pos, dst)
	}
	return m.Feed(it.Event, it.Pos, at, dst)
}

// route says which lane each item is for. Lanes see few of the events, so the
// times they are given are the latest of all.
func (l *Lanes) route(items []Item) {
	l.lane, l.away = l.lane[:0], l.away[:0]
	for i := range items {
		it := &items[i]
		if it.At.After(l.now) {
			l.now = it.At
		}
		it.At = l.now
		to := int32(none)
		if it.Event != nil {
			to = int32(LaneOf(it.Event.Get(l.by), len(l.all)-1))
		}
		l.lane, l.away = append(l.lane, to), append(l.away, false)
	}
}

// follow lets every lane take its items, and after them the rest what they forward.
func (l *Lanes) follow(items []Item) {
	rest := len(l.all) - 1
	if len(items) < fewest {
		for n := range rest {
			l.take(n, items)
		}
	} else {
		var lanes sync.WaitGroup
		for n := range rest {
			lanes.Go(func() { l.take(n, items) })
		}
		lanes.Wait()
	}
	l.take(rest, items)
}

// take lets one matcher take what is for it. Time passes for it with every item
// that finds something due.
func (l *Lanes) take(n int, items []Item) {
	m, rest := l.all[n], n == len(l.all)-1
	f := &l.finds[n]
	f.matches, f.at = clearMatches(f.matches), f.at[:0]
	for i := range items {
		it := &items[i]
		before := len(f.matches)
		switch {
		case rest && l.away[i] || !rest && l.lane[i] == int32(n):
			f.matches = m.Feed(it.Event, it.Pos, it.At, f.matches)
			if !rest {
				l.away[i] = m.Forward()
			}
		case !m.idle(it.At):
			f.matches = m.Advance(it.At, it.Pos, f.matches)
		}
		if len(f.matches) > before {
			f.at = append(f.at, find{int32(i), int32(len(f.matches))})
		}
	}
}

// idle reports whether time may pass to at without the matcher being told: it is
// told with what comes next.
func (m *Matcher) idle(at time.Time) bool {
	if !m.begun {
		return !at.After(m.now)
	}
	due, ok := m.timers.next()
	return !ok || due.After(at)
}

// join puts together what the matchers found.
func (l *Lanes) join(items int, found *Found) {
	for i := range l.finds {
		l.finds[i].next = noFinds
	}
	for i := range items {
		sources, from := 0, len(found.matches)
		for n := range l.finds {
			if ms := l.finds[n].take(int32(i)); len(ms) > 0 {
				found.matches = append(found.matches, ms...)
				sources++
			}
		}
		if sources > 1 {
			slices.SortStableFunc(found.matches[from:], inOrder)
		}
		found.end = append(found.end, int32(len(found.matches)))
	}
}

// take gives the matches of an item, of those that have not been taken.
func (f *finds) take(item int32) []Match {
	if f.next == len(f.at) || f.at[f.next].item != item {
		return nil
	}
	from := int32(0)
	if f.next > 0 {
		from = f.at[f.next-1].end
	}
	f.next++
	return f.matches[from:f.at[f.next-1].end]
}

// inOrder orders matches of one item.
func inOrder(a, b Match) int {
	timed := func(m *Match) int {
		if m.TriggerEvent == nil {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(timed(&a), timed(&b)), a.At.Compare(b.At), cmp.Compare(a.place, b.place))
}

// clearMatches empties a list and lets go of what was in it.
func clearMatches(ms []Match) []Match {
	clear(ms)
	return ms[:0]
}

// Now is the time of the lanes.
func (l *Lanes) Now() time.Time {
	now := l.now
	for _, m := range l.all {
		if m.Now().After(now) {
			now = m.Now()
		}
	}
	return now
}

// NextDeadline is the time at which something is next due on a lane.
func (l *Lanes) NextDeadline() (next time.Time, ok bool) {
	for _, m := range l.all {
		if at, is := m.NextDeadline(); is && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}

// SetTables is that of each Matcher.
func (l *Lanes) SetTables(t *Tables) {
	for _, m := range l.all {
		m.SetTables(t)
	}
}

// Swap is that of each Matcher, between two items. What it did to what a rule had
// open is told for all lanes together.
func (l *Lanes) Swap(p *Program) []Change {
	if len(l.all) == 1 {
		return l.all[0].Swap(p)
	}
	var all []Change
	at := make(map[Change]int)
	for _, m := range l.all {
		m.Advance(l.now, Position{}, nil) // lanes lag behind, with nothing due
		for _, c := range m.Swap(p) {
			key := Change{Rule: c.Rule, Action: c.Action, Why: c.Why}
			if i, known := at[key]; known {
				all[i].Open += c.Open
			} else {
				at[key] = len(all)
				all = append(all, c)
			}
		}
	}
	return all
}

// Stats is that of all lanes together.
func (l *Lanes) Stats() Stats {
	if len(l.all) == 1 {
		return l.all[0].Stats()
	}
	s := Stats{}
	type version struct {
		rule, version string
		draining      bool
	}
	at := make(map[version]int)
	for n, m := range l.all {
		one := m.Stats()
		if n < len(l.all)-1 { // what the rest saw, a lane saw before
			s.Events += one.Events
		}
		s.Matches, s.Keys, s.Runs, s.Timers = s.Matches+one.Matches, s.Keys+one.Keys, s.Runs+one.Runs, s.Timers+one.Timers
		for _, r := range one.Rules {
			key := version{r.Rule, r.Version, r.Draining}
			if i, known := at[key]; known {
				s.Rules[i].add(&r)
			} else {
				at[key] = len(s.Rules)
				s.Rules = append(s.Rules, r)
			}
		}
	}
	return s
}

// add counts what another lane has of the rule.
func (s *RuleStats) add(o *RuleStats) {
	for i, n := range s.list() {
		*n += *o.list()[i]
	}
	s.Keys, s.Runs, s.Bytes = s.Keys+o.Keys, s.Runs+o.Runs, s.Bytes+o.Bytes
}

// Stopped lists the rules that were stopped on any lane.
func (l *Lanes) Stopped() []RuleError {
	var list []RuleError
	for _, m := range l.all {
		for _, e := range m.Stopped() {
			if !slices.ContainsFunc(list, func(o RuleError) bool { return o.Rule == e.Rule }) {
				list = append(list, e)
			}
		}
	}
	return list
}

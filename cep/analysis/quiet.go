package analysis

import (
	"errors"
	"strings"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/trigger"
	"github.com/rhost/rhost/event"
)

// Quiet follows a rule over windows, a value or a schedule, to tell why it did not
// match: what Matcher.WhyNot is for rules with conditions and patterns. It runs
// the rule as it is, and beside it the same rule without `having`, which tells of
// every window. It belongs to one goroutine.
type Quiet struct {
	report QuietReport
	rule   *cep.Rule
	sample *Sample
	asIs   *cep.Matcher
	every  *cep.Matcher // of windows: whatever they hold
	each   *cep.Matcher // of windows of a number of events: with a match for each event
	path   event.Path   // of a value
	next   func(time.Time) time.Time

	have    map[string]int // of windows of a number of events: how many, by key
	pos     cep.Position
	matches []cep.Match
	windows []cep.Match
}

// ErrNotQuiet is the error of a rule that waits for events: cep.Matcher.WhyNot
// tells of those.
var ErrNotQuiet = errors.New("the rule is about conditions; Matcher.WhyNot tells of it")

// Waits reports whether NewQuiet takes the rule.
func Waits(r *cep.Rule) bool {
	return r.When.Window != nil || r.When.State != nil || r.When.Schedule != nil
}

// NewQuiet prepares to follow a rule, whatever its mode. tables, which may be nil,
// is what conditions look up.
func NewQuiet(rule *cep.Rule, tables *cep.Tables) (*Quiet, error) {
	if !Waits(rule) {
		return nil, ErrNotQuiet
	}
	live := *rule
	live.Mode = cep.Live
	q := &Quiet{rule: &live, report: QuietReport{Rule: rule.Name}}
	program, err := cep.Compile([]*cep.Rule{&live})
	if err != nil {
		return nil, err
	}
	o := cep.Options{Tables: tables}
	q.asIs, q.sample = cep.NewMatcher(program, o), NewSample(program, tables)
	switch when := &rule.When; {
	case when.Window != nil:
		return q, q.overWindows(o)
	case when.State != nil:
		if q.path, err = trigger.ParsePath(when.State.Text); err != nil {
			return nil, err
		}
		plan, _ := program.Plan(rule.Name)
		q.report.Kind, q.report.Path, q.report.Values = "state", q.path.String(), &ValueRange{}
		q.report.Wants = strings.TrimPrefix(plan.Why, "a value is watched: ")
	default:
		s := when.Schedule
		sched, err := trigger.ParseSchedule(s.Cron, s.Timezone, trigger.Missed(s.Missed), trigger.DST(s.DST))
		if err != nil {
			return nil, err
		}
		q.report.Kind, q.report.Wants, q.next = "schedule", sched.String(), sched.Next
	}
	return q, nil
}

func (q *Quiet) overWindows(o cep.Options) (err error) {
	w := q.rule.When.Window
	q.report.Kind, q.report.Wants, q.report.Window = "window", w.Having, w.Text
	if w.Having == "" {
		q.report.Wants = "a window that ends"
	}
	if q.every, err = q.variant(o, w.Text); err != nil {
		return err
	}
	if number, ok := strings.CutPrefix(strings.TrimSpace(w.Text), "count "); ok {
		q.report.Full, q.have = strings.TrimSpace(number), make(map[string]int)
		q.each, err = q.variant(o, "count 1")
	}
	return err
}

// variant gives a matcher of the rule with another window, of which every one
// matches.
func (q *Quiet) variant(o cep.Options, text string) (*cep.Matcher, error) {
	r, details, w := *q.rule, *q.rule.When.Details, *q.rule.When.Window
	w.Having, w.Text = "", text
	details.Window, details.Score, details.AtLeast = &w, "", 0
	r.When.Details = &details
	p, err := cep.Compile([]*cep.Rule{&r})
	if err != nil {
		return nil, err
	}
	return cep.NewMatcher(p, o), nil
}

// Now is the lane's time.
func (q *Quiet) Now() time.Time { return q.asIs.Now() }

// Feed takes an event as Matcher.Feed does.
func (q *Quiet) Feed(ev *event.Event, pos cep.Position, at time.Time) {
	q.pos = pos
	q.matches = q.asIs.Feed(ev, pos, at, q.matches[:0])
	if q.each != nil {
		q.windows = q.each.Feed(ev, pos, at, q.windows[:0])
		q.fill()
	}
	if q.every != nil {
		q.windows = q.every.Feed(ev, pos, at, q.windows[:0])
	}
	q.note()
	q.report.Events++
	q.sample.Add(ev)
	if v := q.report.Values; v != nil {
		v.add(ev.Get(q.path))
	}
}

// Advance moves time on as Matcher.Advance does.
func (q *Quiet) Advance(at time.Time, pos cep.Position) {
	q.pos = pos
	q.step(at)
	q.note()
}

func (q *Quiet) step(at time.Time) {
	q.matches = q.asIs.Advance(at, q.pos, q.matches[:0])
	if q.every != nil {
		q.windows = q.every.Advance(at, q.pos, q.windows[:0])
	}
}

// note takes note of what the rule matched and of windows that ended.
func (q *Quiet) note() {
	r := &q.report
	r.Matches += len(q.matches)
	if n := len(q.matches); n > 0 {
		r.Latest = q.matches[n-1].At
	}
	for i := range q.windows {
		m := &q.windows[i]
		r.Windows++
		if q.have != nil {
			delete(q.have, m.Key())
		}
		if r.Last = append(r.Last, q.window(m)); len(r.Last) > maxWindows {
			r.Last = r.Last[1:]
		}
	}
	q.windows = q.windows[:0]
}

// maxFilling bounds the keys whose events are counted.
const maxFilling = 10_000

// fill counts an event towards the window of its key.
func (q *Quiet) fill() {
	for i := range q.windows {
		key := q.windows[i].Key()
		if _, there := q.have[key]; there || len(q.have) < maxFilling {
			q.have[key]++
		}
	}
}

// window describes a window, and whether the rule matched it.
func (q *Quiet) window(m *cep.Match) QuietWindow {
	w := QuietWindow{From: m.Window.From, To: m.Window.To, Key: m.Key(), Let: letJSON(m.Window.Let), Events: m.Window.Events}
	for i := range q.matches {
		o := &q.matches[i]
		w.Matched = w.Matched || o.Window != nil && o.Window.To.Equal(w.To) && o.Window.From.Equal(w.From) && o.Key() == w.Key
	}
	return w
}

// Report adds up. To see what is open it lets time pass to where that ends, so
// nothing can be fed afterwards.
func (q *Quiet) Report() QuietReport {
	r := &q.report
	r.Now = q.asIs.Now()
	stats := q.asIs.Stats()
	for _, s := range stats.Rules {
		r.Keyless, r.Unsure, r.Overflow = s.Keyless, s.Unsure, s.Overflow
		r.OpenKeys = s.Keys
	}
	r.Counted = r.Events
	for _, rr := range q.sample.Report().Rules {
		for _, c := range rr.Conditions {
			r.Counted = c.Held
		}
		for _, p := range rr.Paths {
			if p.Have == 0 && r.Events > 0 {
				r.Missing = append(r.Missing, p.Path)
			}
		}
	}
	switch {
	case q.next != nil:
		r.Next = q.next(r.Now)
	case q.have != nil:
		r.fillingOf(q.have)
	case q.every != nil:
		q.closing()
	default:
		q.pending()
	}
	return *r
}

// closing lets time pass until windows of some keys have ended, as they would if
// no event came.
func (q *Quiet) closing() {
	seen := make(map[string]bool)
	for range maxEnds {
		at, ok := q.every.NextDeadline()
		if !ok || len(q.report.Open) == maxWindows {
			return
		}
		q.step(at)
		for i := range q.windows {
			w := q.window(&q.windows[i])
			if seen[w.Key] || len(q.report.Open) == maxWindows {
				continue
			}
			seen[w.Key] = true
			q.report.Open = append(q.report.Open, w)
			if q.report.Next.IsZero() {
				q.report.Next = w.To
			}
		}
	}
}

// pending lets time pass until a value has lasted as long as the rule asks for.
func (q *Quiet) pending() {
	at, ok := q.asIs.NextDeadline()
	if !ok {
		return
	}
	q.step(at)
	if len(q.matches) > 0 {
		q.report.Next, q.report.NextKey = q.matches[0].At, q.matches[0].Key()
	}
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/cep/trigger"
	"github.com/rhost/rhost/event"
)

// whyNotOver runs the rules over a file and tells how far one came.
func whyNotOver(cmd *cobra.Command, program *cep.Program, o explainOptions) error {
	names := o.rules
	tables, _, err := o.readTables(names)
	if err != nil {
		return usage(err)
	}
	until, err := parseAdvance(o.advance)
	if err != nil {
		return err
	}
	in, done, err := openInput(cmd, o.events)
	if err != nil {
		return err
	}
	defer done()
	rule, _ := program.Rule(o.rule)
	if w := &rule.When; w.Window != nil || w.State != nil || w.Schedule != nil {
		return whyNotValues(cmd, rule, in, tables, until, &o)
	}
	stream := cep.NewStream(program, cep.Options{Explain: true, Tables: tables})
	m := &matching{stream: stream, discard: true}
	if err := m.lines(in, o.events, false); err != nil {
		return usage(err)
	}
	if !until.IsZero() {
		stream.AdvanceTo(until, nil)
	}
	furthest, ok := stream.Matcher().WhyNot(o.rule)
	if !ok {
		return usage(fmt.Errorf("rule %s is off, so nothing runs it; set mode: shadow or live", o.rule))
	}
	raw, err := json.Marshal(furthest)
	if err != nil {
		return err
	}
	return showFurthest(cmd, raw, o.json)
}

// parseAdvance reads --advance-to; the zero time stands for none.
func parseAdvance(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usage(fmt.Errorf("--advance-to %s: write a time such as 2026-01-02T15:04:05Z", text))
	}
	return at, nil
}

// valuesWhyNot is why a rule over windows, values or times did not match.
type valuesWhyNot struct {
	Rule    string        `json:"rule"`
	Kind    string        `json:"kind"` // window, state or schedule
	Matches int           `json:"matches"`
	Events  int           `json:"events"`            // in all
	Counted int           `json:"counted"`           // of these that met `where`, or all without
	Keyless uint64        `json:"keyless,omitempty"` // of these that had no value for `by`
	Missing []string      `json:"missing,omitempty"` // fields that none of the counted events had
	Windows int           `json:"windows,omitempty"` // that ended
	Last    []endedWindow `json:"last,omitempty"`    // the latest of them
	Path    string        `json:"path,omitempty"`    // of the value that is watched
	Values  *valueRange   `json:"values,omitempty"`
	Wants   string        `json:"wants"`         // of a match
	Next    time.Time     `json:"next,omitzero"` // when a schedule comes next
	Now     time.Time     `json:"now"`           // time of the lane at the end
}

type endedWindow struct {
	From time.Time       `json:"from"`
	To   time.Time       `json:"to"`
	Key  string          `json:"key,omitempty"`
	Let  json.RawMessage `json:"let"`
}

type valueRange struct {
	Number int         `json:"number"`
	Least  event.Value `json:"least"`
	Most   event.Value `json:"most"`
	Last   event.Value `json:"last"`
	path   event.Path
}

// maxWindows is how many of the windows that ended are shown.
const maxWindows = 5

// whyNotValues runs a rule that waits for no pattern over events, and beside it
// the same rule without `having`, which tells of every window.
func whyNotValues(cmd *cobra.Command, rule *cep.Rule, in io.Reader, tables *cep.Tables, until time.Time, o *explainOptions) error {
	w := &valuesWhyNot{Rule: rule.Name}
	open := *rule
	open.Mode = cep.Live
	if win := rule.When.Window; win != nil {
		details, all := *rule.When.Details, *win
		all.Having = ""
		details.Window = &all
		open.When.Details = &details
	}
	every, err := cep.Compile([]*cep.Rule{&open})
	if err != nil {
		return usage(err)
	}
	live := *rule
	live.Mode = cep.Live
	only, err := cep.Compile([]*cep.Rule{&live})
	if err != nil {
		return usage(err)
	}
	run := &valuesRun{
		w: w, rule: rule, sample: analysis.NewSample(only, tables),
		asIs: cep.NewStream(only, cep.Options{Tables: tables}), all: cep.NewStream(every, cep.Options{Tables: tables}),
	}
	if err := run.describe(); err != nil {
		return err
	}
	if err := run.lines(in, o.events); err != nil {
		return usage(err)
	}
	run.end(until)
	if o.json {
		return encodeIndented(cmd.OutOrStdout(), w)
	}
	return w.show(newStyle(cmd.OutOrStdout()))
}

// valuesRun is one run of whyNotValues.
type valuesRun struct {
	w         *valuesWhyNot
	rule      *cep.Rule
	sample    *analysis.Sample
	asIs, all *cep.Stream
	matches   []cep.Match
	schedule  *trigger.Schedule
}

// describe says what the rule waits for.
func (r *valuesRun) describe() error {
	switch when := &r.rule.When; {
	case when.Window != nil:
		r.w.Kind, r.w.Wants = "window", when.Window.Having
		if r.w.Wants == "" {
			r.w.Wants = "a window that ends"
		}
	case when.State != nil:
		path, err := trigger.ParsePath(when.State.Text)
		if err != nil {
			return err
		}
		r.w.Kind, r.w.Path, r.w.Values = "state", path.String(), &valueRange{path: path}
		r.w.Wants = stateWants(r.rule)
	default:
		s := when.Schedule
		sched, err := trigger.ParseSchedule(s.Cron, s.Timezone, trigger.Missed(s.Missed), trigger.DST(s.DST))
		if err != nil {
			return err
		}
		r.schedule = sched
		r.w.Kind, r.w.Wants = "schedule", sched.String()
	}
	return nil
}

func stateWants(rule *cep.Rule) string {
	p, err := cep.Compile([]*cep.Rule{rule})
	if err != nil {
		return ""
	}
	plan, _ := p.Plan(rule.Name)
	return strings.TrimPrefix(plan.Why, "a value is watched: ")
}

func (r *valuesRun) lines(in io.Reader, name string) error {
	lines := event.NewReader(in, 0)
	for {
		n, text, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = r.line(n, text)
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", name, n, err)
		}
	}
}

func (r *valuesRun) line(n int, text []byte) error {
	var err error
	if r.matches, err = r.asIs.Line(n, text, r.matches[:0]); err != nil {
		return err
	}
	r.count(false)
	if r.matches, err = r.all.Line(n, text, r.matches[:0]); err != nil {
		return err
	}
	r.count(true)
	if isWatermark(text) {
		return nil
	}
	ev, err := event.ParseLoose(text)
	if err != nil {
		return err
	}
	r.w.Events++
	r.sample.Add(&ev)
	if v := r.w.Values; v != nil {
		v.add(ev.Get(v.path))
	}
	return nil
}

// count takes note of matches: of the rule, or of windows whatever they hold.
func (r *valuesRun) count(all bool) {
	for i := range r.matches {
		m := &r.matches[i]
		switch {
		case !all:
			r.w.Matches++
		case m.Window != nil:
			r.w.Windows++
			let := []byte("{")
			for _, l := range m.Window.Let {
				if len(let) > 1 {
					let = append(let, ',')
				}
				let = event.StringValue(l.Name).AppendJSON(let)
				let = append(let, ':')
				if l.Value.Kind() == event.Missing {
					let = append(let, "null"...)
				} else {
					let = l.Value.AppendJSON(let)
				}
			}
			r.w.Last = append(r.w.Last, endedWindow{m.Window.From, m.Window.To, m.Key(), append(let, '}')})
			if len(r.w.Last) > maxWindows {
				r.w.Last = r.w.Last[1:]
			}
		}
	}
}

func (v *valueRange) add(x event.Value) {
	if x.Kind() == event.Missing {
		return
	}
	v.Number++
	v.Last = event.ValueOf(x.Any()) // a copy
	if x.Kind() != event.Number {
		return
	}
	if v.Least.Kind() == event.Missing || x.Number() < v.Least.Number() {
		v.Least = v.Last
	}
	if v.Most.Kind() == event.Missing || x.Number() > v.Most.Number() {
		v.Most = v.Last
	}
}

// end lets time pass and adds up.
func (r *valuesRun) end(until time.Time) {
	if !until.IsZero() {
		r.matches = r.asIs.AdvanceTo(until, r.matches[:0])
		r.count(false)
		r.matches = r.all.AdvanceTo(until, r.matches[:0])
		r.count(true)
	}
	r.w.Now = r.asIs.Matcher().Now()
	for _, s := range r.asIs.Matcher().Stats().Rules {
		r.w.Keyless += s.Keyless
	}
	r.w.Counted = r.w.Events
	for _, rr := range r.sample.Report().Rules {
		for _, c := range rr.Conditions {
			r.w.Counted = c.Held
		}
		for _, p := range rr.Paths {
			if p.Have == 0 && r.w.Events > 0 {
				r.w.Missing = append(r.w.Missing, p.Path)
			}
		}
	}
	if r.schedule != nil {
		r.w.Next = r.schedule.Next(r.w.Now)
	}
}

func (w *valuesWhyNot) show(out style) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", out.bold(clean(w.Rule)), pluralES(uint64(w.Matches), "match"))
	if w.Kind != "schedule" {
		fmt.Fprintf(&b, "%s of %s counted\n", thousands(w.Counted), plural(w.Events, "event"))
	}
	if w.Keyless > 0 {
		fmt.Fprintf(&b, "%s had no value for the rule's `by`\n", plural(w.Keyless, "event"))
	}
	if len(w.Missing) > 0 {
		fmt.Fprintf(&b, "no event has %s\n", clean(strings.Join(w.Missing, ", ")))
	}
	switch w.Kind {
	case "window":
		fmt.Fprintf(&b, "%s ended by %s; a match wants %s\n", plural(w.Windows, "window"), stamp(w.Now), clean(w.Wants))
		for _, l := range w.Last {
			fmt.Fprintf(&b, "  %s … %s  %s  %s\n", stamp(l.From), stamp(l.To), clean(l.Key), clean(string(l.Let)))
		}
		if w.Windows == 0 && w.Counted > 0 {
			fmt.Fprintln(&b, out.dim("no window is over yet: let time pass with --advance-to or a watermark"))
		}
	case "state":
		fmt.Fprintf(&b, "a match wants %s %s\n", clean(w.Path), clean(w.Wants))
		switch v := w.Values; {
		case v.Number == 0:
			fmt.Fprintf(&b, "no event has %s\n", clean(w.Path))
		case v.Least.Kind() != event.Missing:
			fmt.Fprintf(&b, "%s seen, from %s to %s, at last %s\n", plural(v.Number, "value"), v.Least, v.Most, clean(v.Last.String()))
		default:
			fmt.Fprintf(&b, "%s seen, at last %s\n", plural(v.Number, "value"), clean(v.Last.String()))
		}
	default:
		fmt.Fprintf(&b, "it is %s; the schedule %s comes next at %s\n", stamp(w.Now), clean(w.Wants), stamp(w.Next))
	}
	return out.line("%s", strings.TrimRight(b.String(), "\n"))
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host"
)

// whyNotOver runs the rules over a file and tells how far one came.
func whyNotOver(cmd *cobra.Command, program *cep.Program, o explainOptions) error {
	names := o.rules
	tables, err := o.readTables(names)
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
	if analysis.Waits(rule) {
		return whyNotQuiet(cmd, rule, in, tables, until, &o)
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

// whyNotQuiet runs a rule that waits for no pattern over events.
func whyNotQuiet(cmd *cobra.Command, rule *cep.Rule, in io.Reader, tables *cep.Tables, until time.Time, o *explainOptions) error {
	q, err := analysis.NewQuiet(rule, tables)
	if err != nil {
		return usage(err)
	}
	var n int
	for lines := event.NewReader(in, 0); ; {
		var text []byte
		if n, text, err = lines.Next(); errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = quietLine(q, n, text)
		}
		if err != nil {
			return usage(fmt.Errorf("%s: line %d: %w", o.events, n, err))
		}
	}
	if !until.IsZero() {
		q.Advance(until, cep.Position{Seq: uint64(n)})
	}
	report := q.Report()
	if o.json {
		return encodeIndented(cmd.OutOrStdout(), report)
	}
	var b strings.Builder
	out := newStyle(cmd.OutOrStdout())
	writeQuiet(&b, out, &report)
	return out.line("%s", strings.TrimRight(b.String(), "\n"))
}

// quietLine feeds a line as cep.Stream does: what it leaves out is filled in.
func quietLine(q *analysis.Quiet, n int, text []byte) error {
	pos := cep.Position{Seq: uint64(n)}
	if at, ok, err := watermark(text); ok || err != nil {
		if err == nil {
			q.Advance(at, pos)
		}
		return err
	}
	ev, err := event.ParseLoose(text)
	if err != nil {
		return err
	}
	at := ev.Time
	if ev.ID == "" {
		ev.ID = "line-" + strconv.Itoa(n)
	}
	if ev.Source == "" {
		ev.Source = "match"
	}
	if ev.Time.IsZero() {
		ev.Time = q.Now()
	}
	q.Feed(&ev, pos, at)
	return nil
}

// watermark reads a line that only moves time on.
func watermark(text []byte) (at time.Time, ok bool, err error) {
	if !isWatermark(text) {
		return time.Time{}, false, nil
	}
	var line struct{ Watermark string }
	if err := json.Unmarshal(text, &line); err != nil {
		return time.Time{}, true, err
	}
	if at, err = time.Parse(time.RFC3339, line.Watermark); err != nil {
		return time.Time{}, true, fmt.Errorf(`watermark: %q is no time; write it as in {"watermark":"2026-01-01T00:01:00Z"}`, line.Watermark)
	}
	return at, true, nil
}

// writeQuiet says why a rule over windows, a value or a schedule did not match.
func writeQuiet(b *strings.Builder, out style, q *analysis.QuietReport) {
	fmt.Fprintf(b, "%s  %s", out.bold(clean(q.Rule)), pluralES(uint64(q.Matches), "match"))
	if !q.Latest.IsZero() {
		fmt.Fprintf(b, ", the latest at %s", stamp(q.Latest))
	}
	b.WriteByte('\n')
	if q.Kind != "schedule" {
		fmt.Fprintf(b, "%s of %s counted\n", thousands(q.Counted), plural(q.Events, "event"))
	}
	for _, note := range notesOf(&host.RuleCounts{Keyless: q.Keyless, Overflow: q.Overflow, Unsure: q.Unsure}) {
		fmt.Fprintln(b, note)
	}
	if len(q.Missing) > 0 {
		fmt.Fprintf(b, "no event has %s\n", clean(strings.Join(q.Missing, ", ")))
	}
	switch q.Kind {
	case "window":
		writeWindows(b, out, q)
	case "state":
		writeValues(b, q)
	default:
		fmt.Fprintf(b, "it is %s; the schedule %s comes next at %s\n", stamp(q.Now), clean(q.Wants), stamp(q.Next))
	}
}

func writeWindows(b *strings.Builder, out style, q *analysis.QuietReport) {
	fmt.Fprintf(b, "%s ended by %s; a match wants %s\n", plural(q.Windows, "window"), stamp(q.Now), clean(q.Wants))
	writeEach(b, out, q.Last)
	switch {
	case len(q.Filling) > 0:
		fmt.Fprintf(b, "%s events close a window; so far there are\n", clean(q.Full))
		for _, f := range q.Filling {
			fmt.Fprintf(b, "  %d  %s\n", f.Have, clean(f.Key))
		}
	case len(q.Open) > 0:
		fmt.Fprintf(b, "%s open; the first ends at %s. If no more events came, they would end with\n", plural(max(q.OpenKeys, len(q.Open)), "window"), stamp(q.Next))
		writeEach(b, out, q.Open)
	case q.Windows == 0 && q.Counted == 0:
		fmt.Fprintln(b, "no window has begun")
	}
}

func writeEach(b *strings.Builder, out style, windows []analysis.QuietWindow) {
	for i := range windows {
		w := &windows[i]
		mark := out.red("✗")
		if w.Matched {
			mark = out.green("✓")
		}
		fmt.Fprintf(b, "    %s %s … %s", mark, stamp(w.From), stamp(w.To))
		for _, text := range []string{w.Key, string(w.Let)} {
			if text != "" {
				fmt.Fprintf(b, "  %s", clean(clip(text, 120)))
			}
		}
		b.WriteByte('\n')
	}
}

func writeValues(b *strings.Builder, q *analysis.QuietReport) {
	fmt.Fprintf(b, "a match wants %s %s\n", clean(q.Path), clean(q.Wants))
	switch v := q.Values; {
	case v.Number == 0:
		fmt.Fprintf(b, "no event has %s\n", clean(q.Path))
	case len(v.Least) > 0 && string(v.Least) != "null":
		fmt.Fprintf(b, "%s seen, from %s to %s, at last %s\n", plural(v.Number, "value"), v.Least, v.Most, clean(clip(string(v.Last), 120)))
	default:
		fmt.Fprintf(b, "%s seen, at last %s\n", plural(v.Number, "value"), clean(clip(string(v.Last), 120)))
	}
	if !q.Next.IsZero() {
		key := ""
		if q.NextKey != "" {
			key = " for " + clean(q.NextKey)
		}
		fmt.Fprintf(b, "it is %s; if nothing changes it matches at %s%s\n", stamp(q.Now), stamp(q.Next), key)
	}
}

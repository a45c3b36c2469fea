package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/event"
)

// try counts what the conditions make of the events of a file.
func (c *checked) try(cmd *cobra.Command, programs []*cep.Program, names []string, o *validateOptions) error {
	if len(programs) != 1 {
		return usage(errors.New("--against goes with one app or set of rules"))
	}
	tables, err := o.readTables(names)
	if err != nil {
		return usage(err)
	}
	in, done, err := openInput(cmd, o.against)
	if err != nil {
		return err
	}
	defer done()
	sample := analysis.NewSample(programs[0], tables)
	r := event.NewReader(in, 0)
	for {
		n, text, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		var ev event.Event
		if err == nil && !isWatermark(text) {
			ev, err = event.ParseLoose(text)
		}
		if err != nil {
			return usage(fmt.Errorf("%s: line %d: %w", o.against, n, err))
		}
		if ev.Type != "" {
			sample.Add(&ev)
		}
	}
	report := sample.Report()
	c.Sample = &report
	return nil
}

// isWatermark reports whether a line only moves time on.
func isWatermark(text []byte) bool {
	var line map[string]string
	if len(text) > 256 || json.Unmarshal(text, &line) != nil {
		return false
	}
	_, ok := line["watermark"]
	return ok && len(line) == 1
}

// showSample prints what is worth knowing of a sample: what never or always held,
// and what no event has.
func showSample(out style, s *analysis.SampleReport) error {
	if err := out.line("%s", out.bold(plural(s.Events, "event")+" tried")); err != nil {
		return err
	}
	var rows [][]string
	for i := range s.Rules {
		r := &s.Rules[i]
		for k := range r.Conditions {
			c := &r.Conditions[k]
			var verdict string
			switch {
			case c.Seen == 0:
				verdict = "no event of its type"
			case c.Never():
				verdict = "never held"
			case c.Always(s.Events):
				verdict = "always held"
			default:
				continue
			}
			rows = append(rows, []string{r.Rule, c.Name, fmt.Sprintf("%d of %d", c.Held, c.Seen), verdict + ": " + clip(c.Condition, 70)})
		}
		for _, p := range r.Paths {
			if p.Have == 0 && r.Seen > 0 {
				rows = append(rows, []string{r.Rule, p.Path, "0 of " + fmt.Sprint(r.Seen), "no event has this field"})
			}
		}
	}
	if len(rows) > 0 {
		if err := out.table([]string{"RULE", "PART", "EVENTS", ""}, rows); err != nil {
			return err
		}
	} else if err := out.line("every condition held for some events and not for others"); err != nil {
		return err
	}
	rows = nil
	for _, t := range s.Types {
		if !t.Looked {
			rows = append(rows, []string{t.Type, thousands(t.Events), "no rule looks at it"})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return out.table([]string{"TYPE", "EVENTS", ""}, rows)
}

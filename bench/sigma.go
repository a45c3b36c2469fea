package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/sigma"
	"github.com/rhost/rhost/event"
)

// sigmaFolder has published rules and the events that each must fire on; it lies
// beside the repository, under a licence of its own.
const sigmaFolder = "../shared/data/sigma"

// sigmaSuite converts the published rules and feeds their events, which all fire:
// the hardest traffic there is for these rules.
func sigmaSuite(context.Context, options) ([]measure, func() error, error) {
	src, err := os.ReadFile(filepath.Join(sigmaFolder, "events.ndjson"))
	if errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "bench: sigma: skipped, because the published rules are not at", sigmaFolder)
		return nil, nothing, nil
	}
	if err != nil {
		return nil, nil, err
	}
	rules, err := sigmaRules()
	if err != nil {
		return nil, nil, err
	}
	p, err := cep.Compile(rules)
	if err != nil {
		return nil, nil, err
	}
	each, err := newOneByOne(rules)
	if err != nil {
		return nil, nil, err
	}
	lines := bytes.Split(bytes.TrimSpace(src), []byte("\n"))
	quiet, err := quietLines(lines)
	if err != nil {
		return nil, nil, err
	}
	measureOf := func(name string, lines [][]byte) []measure {
		s := cep.NewStream(p, cep.Options{Tenant: "default"})
		var matches []cep.Match
		base := "one by one, " + name
		return []measure{
			{name: name, unit: "events/s", base: base, fn: over(lines, func(line []byte, n int) error {
				matches, err = s.Line(n, line, matches[:0])
				return err
			})},
			{name: base, unit: "events/s", fn: over(lines, func(line []byte, _ int) error {
				ev, err := event.Parse(line)
				if err == nil {
					each.match(&ev)
				}
				return err
			})},
		}
	}
	return append(measureOf("events that fire", lines), measureOf("events that do not", quiet)...), nothing, nil
}

// quietLines are the same events with all texts but the channel written backwards:
// as long, of the same sources, and none that a rule is after.
func quietLines(lines [][]byte) ([][]byte, error) {
	out := make([][]byte, 0, len(lines))
	for _, line := range lines {
		ev, err := event.Parse(line)
		if err != nil {
			return nil, err
		}
		var data map[string]any
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			return nil, err
		}
		for key, v := range data {
			if text, ok := v.(string); ok && key != "Channel" {
				r := []rune(text)
				slices.Reverse(r)
				data[key] = string(r)
			}
		}
		if ev.Data, err = json.Marshal(data); err != nil {
			return nil, err
		}
		out = append(out, ev.AppendJSON(nil))
	}
	return out, nil
}

func sigmaRules() ([]*cep.Rule, error) {
	files, err := filepath.Glob(filepath.Join(sigmaFolder, "rules", "*.yml"))
	if err != nil {
		return nil, err
	}
	i := sigma.New(nil)
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		if err := i.Add(filepath.Base(f), src); err != nil {
			return nil, err
		}
	}
	out, problems := i.Convert()
	if len(problems) > 0 {
		return nil, fmt.Errorf("%d rules cannot be converted, the first because: %s", len(problems), problems[0])
	}
	var rules []*cep.Rule
	for _, c := range out {
		some, err := cep.ParseRules(c.Name, c.YAML)
		if err != nil {
			return nil, err
		}
		rules = append(rules, some...)
	}
	return rules, nil
}

// oneByOne is the same conditions, each compiled as well as ours, tried in turn.
type oneByOne struct {
	paths *event.PathSet
	conds []*predicate.Cond
	seen  []event.Value
}

func newOneByOne(rules []*cep.Rule) (*oneByOne, error) {
	set, o := predicate.NewSet(), &oneByOne{}
	for _, r := range rules {
		if !r.When.Bare() {
			return nil, fmt.Errorf("%s is more than a condition", r.Name)
		}
		e := r.When.Pattern.Elems[0]
		c, err := set.Add(eventScope, e.Cond, e.CondPos)
		if err != nil {
			return nil, err
		}
		o.conds = append(o.conds, c)
	}
	o.paths = event.NewPathSet(set.Paths())
	return o, nil
}

func (o *oneByOne) match(ev *event.Event) (hits int) {
	o.seen = o.paths.Scan(ev, o.seen)
	at := predicate.Event{Ev: ev, Fields: o.seen}
	for _, c := range o.conds {
		if c.Eval(&at, nil) == predicate.True {
			hits++
		}
	}
	return hits
}

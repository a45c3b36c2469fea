package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
)

const (
	maxDifferences = 10  // calls whose difference is shown in full
	maxDiffLines   = 400 // of each side; longer ones are only told of
	replayRows     = 100 // rows that are aligned with each other
)

// replayView prints calls that were run again: a table, then what is different in the
// first that differ, then how it went in all.
type replayView struct {
	out    style
	json   bool
	trial  bool
	head   []string // nil once printed
	width  map[int]int
	rows   [][]string
	differ int
	same   int
	calls  int
	shown  []*host.Replayed // that differ
	why    map[string]int   // reasons of those skipped
	fuel   fuelRatio
}

func newReplayView(cmd *cobra.Command, asJSON, trial bool) *replayView {
	v := &replayView{out: newStyle(cmd.OutOrStdout()), json: asJSON, trial: trial, width: make(map[int]int), why: make(map[string]int)}
	v.head = []string{"AT", "RULE", "MATCH", "STEP", "TRY", "PLUGIN", "VERSION", "FUEL", "OUTCOME"}
	if trial {
		v.head = slices.Insert(v.head, 8, "RATIO")
	}
	return v
}

// add takes the next call.
func (v *replayView) add(r *host.Replayed) error {
	v.calls++
	switch r.Outcome {
	case host.ReplaySkipped:
		v.why[r.Reason]++
	case host.ReplayDiffers:
		v.differ++
		if len(v.shown) < maxDifferences {
			v.shown = append(v.shown, r)
		}
	default:
		v.same++
	}
	if r.Now != nil && r.Note == "" {
		v.fuel.add(r.Was.Fuel, r.Now.Fuel)
	}
	if v.json {
		return (&recordsOut{out: v.out}).encode(r)
	}
	v.rows = append(v.rows, v.row(r))
	if len(v.rows) < replayRows {
		return nil
	}
	return v.flush()
}

func (v *replayView) row(r *host.Replayed) []string {
	step := r.Step
	if r.Undo {
		step = "undo " + step
	}
	fuel, ratio := thousands(r.Was.Fuel), ""
	if r.Now != nil && r.Now.Fuel != r.Was.Fuel {
		fuel += " → " + thousands(r.Now.Fuel)
	}
	if r.Now != nil {
		ratio = fmt.Sprintf("%.2f", r.FuelRatio)
	}
	outcome := r.Outcome
	if r.Reason != "" {
		reason := r.Reason
		if r.Outcome == host.ReplaySkipped { // what to do about it stands below, once
			reason, _, _ = strings.Cut(reason, ";")
		}
		outcome += ": " + reason
	}
	if r.Note != "" {
		outcome += " (" + r.Note + ")"
	}
	row := []string{stamp(r.At), r.Rule, r.Match, step, fmt.Sprint(r.Attempt), r.Plugin, shortDigest(r.Digest), fuel, outcome}
	if v.trial {
		row = slices.Insert(row, 8, ratio)
	}
	return row
}

func shortDigest(digest string) string {
	return clip(strings.TrimPrefix(digest, "sha256:"), 12)
}

func (v *replayView) flush() error {
	if len(v.rows) == 0 {
		return nil
	}
	head, rows := v.head, v.rows
	v.head, v.rows = nil, nil
	return v.out.columns(v.width, head, rows)
}

// end prints what is told after the last call, and returns how it went.
func (v *replayView) end(o host.ReplayOptions) error {
	if v.json {
		return v.sameOrNot(o)
	}
	if err := v.flush(); err != nil {
		return err
	}
	for _, r := range v.shown {
		if err := v.difference(r); err != nil {
			return err
		}
	}
	if v.calls > 0 {
		if err := v.summary(); err != nil {
			return err
		}
	}
	return v.sameOrNot(o)
}

// difference prints how a call ended then and now, in the parts that differ.
func (v *replayView) difference(r *host.Replayed) error {
	if err := v.out.line("\n%s  (- on record, + now)", v.out.bold(fmt.Sprintf("%s %s %s", r.Match, r.Step, r.Plugin))); err != nil {
		return err
	}
	lines, err := replayDiff(r)
	if err != nil {
		return err
	}
	for _, line := range lines {
		text := clean(line)
		switch line[0] {
		case '-':
			text = v.out.red(text)
		case '+':
			text = v.out.green(text)
		}
		if err := v.out.line("    %s", text); err != nil {
			return err
		}
	}
	return nil
}

func replayDiff(r *host.Replayed) ([]string, error) {
	was, err := parts(&r.Was, r.Differs)
	if err != nil {
		return nil, err
	}
	now, err := parts(r.Now, r.Differs)
	if err != nil {
		return nil, err
	}
	a, err := json.MarshalIndent(was, "", "  ")
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return nil, err
	}
	before, after := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	if max(len(before), len(after)) > maxDiffLines {
		return []string{fmt.Sprintf("  %d lines of JSON then, %d now; --json has them", len(before), len(after))}, nil
	}
	return diff(before, after), nil
}

// parts are those of an end that are named.
func parts(e *host.CallEnd, names []string) (map[string]any, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	out := make(map[string]any)
	for _, name := range names {
		out[name] = all[name]
		if name == "result" && (all["fault"] != nil || all["message"] != nil) {
			out["fault"], out["message"] = all["fault"], all["message"]
		}
	}
	return out, nil
}

func (v *replayView) summary() error {
	text := fmt.Sprintf("%s: %s the same", plural(v.calls, "call"), thousands(v.same))
	if v.differ > 0 {
		text += ", " + v.out.red(fmt.Sprintf("%s differ", thousands(v.differ)))
	}
	if skipped := v.calls - v.same - v.differ; skipped > 0 {
		text += ", " + v.out.yellow(thousands(skipped)+" skipped")
	}
	if v.trial && v.fuel.calls > 0 {
		text += fmt.Sprintf("; fuel %.2f of before, a call %.2f to %.2f", v.fuel.mean(), v.fuel.least, v.fuel.most)
	}
	if err := v.out.line("\n%s", text); err != nil {
		return err
	}
	for _, reason := range sortedKeys(v.why) {
		if err := v.out.line("skipped %s: %s", thousands(v.why[reason]), clean(reason)); err != nil {
			return err
		}
	}
	return nil
}

// fuelRatio is what calls use of what they used before.
type fuelRatio struct {
	calls       int
	was, now    float64
	least, most float64
}

func (f *fuelRatio) add(was, now int64) {
	if was <= 0 {
		return
	}
	ratio := float64(now) / float64(was)
	if f.calls == 0 {
		f.least, f.most = math.Inf(1), 0
	}
	f.calls++
	f.was, f.now = f.was+float64(was), f.now+float64(now)
	f.least, f.most = min(f.least, ratio), max(f.most, ratio)
}

// mean is that of all fuel together.
func (f *fuelRatio) mean() float64 { return f.now / f.was }

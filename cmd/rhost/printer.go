package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rhost/rhost/host"
)

// printer shows what a running host does: one line a match, with its actions,
// once they are done.
//
// It is called from several goroutines: those of the host's reports and the one
// that follows its activities.
type printer struct {
	err style

	mu   sync.Mutex // held while a line is written
	out  style
	json *json.Encoder // nil for people
	open map[string]*matchLine
}

// matchLine is a match whose actions are not all done.
type matchLine struct {
	head  string
	steps []string
}

func newPrinter(out, err io.Writer, asJSON bool) *printer {
	p := &printer{out: newStyle(out), err: newStyle(err), open: make(map[string]*matchLine)}
	if asJSON {
		p.json = json.NewEncoder(out)
	}
	return p
}

// follow prints activities until the host is closed.
func (p *printer) follow(acts *host.Activities) error {
	for {
		act, ok, err := acts.Next(context.Background()) // ends when the host is closed
		if err != nil || !ok {
			return err
		}
		if err := p.activity(act); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
}

func (p *printer) activity(act host.Activity) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json != nil {
		return p.json.Encode(act)
	}
	if act.Lost > 0 {
		if err := p.out.line("%s", p.out.yellow(fmt.Sprintf("… %s lines not shown: the output is slower than the host", thousands(act.Lost)))); err != nil {
			return err
		}
		clear(p.open)
	}
	switch {
	case act.Match != nil:
		return p.match(act.Match)
	case act.Action != nil:
		return p.action(act.Action)
	case act.Notify != nil:
		return p.out.line("%s  %s  %s", p.clock(act.At), p.out.cyan(clean(act.Notify.Topic)), clean(textOf(act.Notify.Payload)))
	}
	return nil
}

func (p *printer) match(m *host.MatchRecord) error {
	var line struct {
		Rule string              `json:"rule"`
		ID   string              `json:"id"`
		At   time.Time           `json:"at"`
		Bind map[string][]string `json:"bind"`
	}
	if err := json.Unmarshal(m.Line, &line); err != nil {
		return err
	}
	n := 0
	for _, ids := range line.Bind {
		n += len(ids)
	}
	head := fmt.Sprintf("%s  %s  %s  %s", p.clock(line.At), p.out.bold(pad(clean(line.Rule), 12)), pad(plural(n, "event"), 9), pad(clean(m.Key), 16))
	if m.Mode == "shadow" {
		head += p.out.dim(" (shadow)")
	}
	if !m.Acts {
		return p.out.line("%s", strings.TrimRight(head, " "))
	}
	p.open[line.ID] = &matchLine{head: head}
	return nil
}

func (p *printer) action(a *host.Action) error {
	l := p.open[a.Match]
	if l == nil {
		l = &matchLine{head: fmt.Sprintf("%s  %s", p.clock(a.At), p.out.bold(pad(clean(a.Rule), 12)))}
		p.open[a.Match] = l
	}
	if a.Step != "" {
		l.steps = append(l.steps, p.step(a))
		return nil
	}
	delete(p.open, a.Match)
	if a.Status != "done" {
		l.steps = append(l.steps, p.out.yellow(strings.ReplaceAll(a.Status, "_", " ")))
	}
	return p.out.line("%s%s", l.head, strings.Join(append([]string{""}, l.steps...), " → "))
}

func (p *printer) step(a *host.Action) string {
	name := a.Step
	switch a.Action {
	case "run":
		name = a.Plugin
	case "notify", "emit", "http", "file":
		if name != a.Action {
			name = a.Action + " " + name
		}
	}
	text := clean(name)
	if a.Undo {
		text = "undo " + text
	}
	switch a.Status {
	case "ok":
		text += " " + p.out.green("ok")
	case "dropped":
		text += " " + p.out.dim("dropped")
	case "retry":
		text += " " + p.out.yellow("retry: "+clean(a.Error))
	default:
		text += " " + p.out.red("failed: "+clean(a.Error))
	}
	if a.Fuel > 0 {
		text += p.out.dim(fmt.Sprintf(" %s fuel %s", compact(a.Fuel), millis(a.Wall)))
	}
	return text
}

// ready prints what was loaded.
func (p *printer) ready(s host.Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json != nil {
		p.say(p.json.Encode(map[string]any{"ready": s}))
		return
	}
	name := filepath.Base(s.App)
	if abs, err := filepath.Abs(s.App); err == nil {
		name = filepath.Base(abs)
	}
	engines := make([]string, 0, len(s.Plugins))
	for _, pl := range s.Plugins {
		if !slices.Contains(engines, pl.Engine) {
			engines = append(engines, pl.Engine)
		}
	}
	plugins := plural(len(s.Plugins), "plugin")
	if len(engines) > 0 {
		plugins += " (" + strings.Join(engines, ", ") + ")"
	}
	p.say(p.out.line("%s %s  %s  %s%s · %s · %s · data %s", p.out.bold("rhost"), s.Version, p.out.bold(clean(name)),
		plural(len(s.Rules), "rule"), onLanes(s.Lanes), plugins, plural(len(s.Sources), "source"), clean(s.Data)))
	api := "api off"
	if s.API != "" {
		api = "api " + s.API
	}
	p.say(p.out.line("%s   ready in %d ms", api, s.ReadyIn.Milliseconds()))
}

// joined says that a node takes part in its cluster.
func (p *printer) joined(node, api string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json != nil {
		p.say(p.json.Encode(map[string]any{"joined": map[string]string{"node": node, "api": api}}))
		return
	}
	p.say(p.out.line("node %s has joined the cluster  api %s", p.out.bold(clean(node)), cmp.Or(api, "off")))
}

// onLanes says how events are spread, where they are.
func onLanes(l *host.LaneSummary) string {
	if l == nil {
		return ""
	}
	text := fmt.Sprintf(" on %d lanes by %s", l.Lanes, clean(l.PartitionBy))
	if n := len(l.Rekeyed); n > 0 {
		text += fmt.Sprintf(", %d re-keyed", n)
	}
	return text
}

// say notes a failed write of something that has no caller to return to.
func (p *printer) say(err error) {
	if err != nil {
		p.err.line("write output: %v", err) //nolint:errcheck // there is nowhere left to say so
	}
}

// notice prints what happened to the host itself, to stderr.
func (p *printer) notice(n host.Notice) {
	text := p.err.dim(n.Kind) + " " + clean(n.Text)
	switch n.Kind {
	case "kept":
		text = p.err.yellow("kept") + " " + clean(n.Text) + " as before; the change does not load:"
	case "warning":
		text = p.err.yellow("warning") + " " + clean(n.Text)
	case "reloaded":
		text = p.err.green("reloaded") + " " + clean(n.Text)
	case "promoted":
		text = p.err.green("promoted") + " " + clean(n.Text)
	case "rolled back":
		text = p.err.red("rolled back") + " " + clean(n.Text) + ":"
	}
	p.say(p.err.line("%s", text))
	if v := n.Revision; v != nil && len(v.Changes) > 0 {
		var b strings.Builder
		writeChanges(&b, p.err, v)
		p.say(p.err.line("%s", strings.TrimRight(b.String(), "\n")))
	}
	if n.Err != nil {
		for line := range strings.Lines(n.Err.Error()) {
			p.say(p.err.line("  %s", clean(strings.TrimRight(line, "\n"))))
		}
	}
}

func (p *printer) bye(s host.Summary) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json != nil {
		return p.json.Encode(map[string]any{"drained": s.Counts})
	}
	c := s.Counts
	text := fmt.Sprintf("drained: %s, %s, %s, %s", plural(c.Events, "event"), pluralES(c.Matches, "match"), plural(c.Actions, "action"), plural(c.DeadLetters+c.BadRecords, "dead letter"))
	return p.out.line("%s", p.out.dim(text))
}

// notes says, to stderr, what bounds and missing values made different.
func (p *printer) notes(m *host.Matching) {
	const most = 10
	for i := range m.Rules {
		notes := notesOf(&m.Rules[i])
		if i == most && len(notes) > 0 {
			p.say(p.err.line("note: there are more rules with notes; rhost status tells of them while the host runs"))
			return
		}
		for _, note := range notes {
			p.say(p.err.line("note: rule %s: %s", clean(m.Rules[i].Rule), clean(note)))
		}
	}
}

func (p *printer) clock(t time.Time) string { return p.out.dim(t.UTC().Format(time.TimeOnly)) }

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/cep/draw"
	"github.com/rhost/rhost/cep/engine"
)

// write writes how a rule is run, in the form that was asked for, to where it was
// asked for.
func (o *explainOptions) write(cmd *cobra.Command, program *cep.Program, plan cep.Plan) error {
	rule, _ := program.Rule(o.rule)
	plan.Graph = draw.Renumber(plan.Graph)
	w := cmd.OutOrStdout()
	var file bytes.Buffer
	if o.output != "" && o.output != "-" {
		w = &file
	}
	if err := o.writeTo(w, rule, plan); err != nil {
		return err
	}
	if w != &file {
		return nil
	}
	if err := os.WriteFile(o.output, file.Bytes(), 0o644); err != nil { //nolint:gosec // it is no secret
		return err
	}
	errs := newStyle(cmd.ErrOrStderr())
	return errs.line("%s", errs.dim("written to "+clean(o.output)))
}

func (o *explainOptions) writeTo(w io.Writer, rule *cep.Rule, plan cep.Plan) error {
	conds := analysis.Conditions(rule)
	switch o.format {
	case "json":
		return writePlanJSON(w, plan, conds)
	case "mermaid":
		g := pictureOf(rule, plan, conds)
		_, err := io.WriteString(w, g.Mermaid())
		return err
	case "svg":
		g := pictureOf(rule, plan, conds)
		svg, err := g.SVG()
		if err != nil {
			return usage(fmt.Errorf("draw %s: %w", plan.Rule, err))
		}
		_, err = w.Write(svg)
		return err
	}
	return showPlan(newStyle(w), plan, conds)
}

// writePlanJSON writes the plan and the conditions that its edges speak of.
func writePlanJSON(w io.Writer, plan cep.Plan, conds []analysis.Condition) error {
	type condition struct {
		ID        string `json:"id"` // in the edges of the automaton
		Name      string `json:"name"`
		Condition string `json:"condition"`
		Place     string `json:"place"`
	}
	list := []condition{}
	for i, c := range conds {
		list = append(list, condition{"c" + strconv.Itoa(i+1), c.Name, c.Text, c.Pos.String()})
	}
	raw, err := json.Marshal(struct {
		cep.Plan
		Conditions []condition `json:"conditions"`
	}{plan, list})
	if err != nil {
		return err
	}
	return printIndented(w, raw)
}

// names gives the names of a rule's elements, and of its conditions.
func planNames(plan cep.Plan, conds []analysis.Condition) (elems, named []string) {
	for _, e := range plan.Elements {
		elems = append(elems, e.Name)
	}
	for _, c := range conds {
		named = append(named, c.Name)
	}
	return elems, named
}

// pictureOf gives the automaton of a rule to be drawn, with its conditions below.
func pictureOf(rule *cep.Rule, plan cep.Plan, conds []analysis.Condition) draw.Graph {
	elems, named := planNames(plan, conds)
	g := draw.Of(plan.Rule+" · "+plan.Engine, plan.Graph, elems, named)
	if len(plan.Graph.Nodes) == 0 {
		g = simplePicture(rule, plan, g.Title)
	}
	for _, c := range conds {
		g.Notes = append(g.Notes, c.Name+": "+strings.Join(strings.Fields(c.Text), " "))
	}
	if len(plan.By) > 0 {
		g.Notes = append(g.Notes, "by "+strings.Join(plan.By, ", "))
	}
	if plan.Within != "" {
		g.Notes = append(g.Notes, "within "+plan.Within)
	}
	return g
}

// simplePicture draws a rule that needs no automaton.
func simplePicture(rule *cep.Rule, plan cep.Plan, title string) draw.Graph {
	g := draw.Graph{Title: title, Nodes: []draw.Node{{Label: "0", Start: true}, {Label: "1", Kind: draw.Final}}}
	w := &rule.When
	switch {
	case w.Window != nil:
		each := "each event"
		if w.Window.Where != "" {
			each = "each event if where"
		}
		over := w.Window.Text + " is over"
		if w.Window.Having != "" {
			over += "\nand " + w.Window.Having
		}
		g.Edges = []draw.Edge{{From: 0, To: 0, Label: each}, {From: 0, To: 1, Label: over}}
	case w.Schedule != nil:
		g.Edges = []draw.Edge{{From: 0, To: 1, Label: "at " + w.Schedule.Cron}, {From: 1, To: 0, Label: "at once", Quiet: true}}
	case w.State != nil:
		g.Edges = []draw.Edge{{From: 0, To: 1, Label: strings.TrimPrefix(plan.Why, "a value is watched: ")}, {From: 1, To: 0, Label: "it is so no more", Quiet: true}}
	default:
		name := "event"
		if len(plan.Elements) > 0 {
			name = plan.Elements[0].Name
		}
		g.Edges = []draw.Edge{{From: 0, To: 1, Label: name}}
	}
	return g
}

// showPlan prints how a rule is run.
func showPlan(out style, p cep.Plan, conds []analysis.Condition) error {
	if err := out.line("%s  version %s", out.bold(clean(p.Rule)), clip(p.Version, 12)); err != nil {
		return err
	}
	why := strings.Split(p.Why, "; ")
	rows := [][]string{{"mode", p.Mode}, {"engine", p.Engine + ": " + why[0]}}
	for _, other := range why[1:] {
		rows = append(rows, []string{"", other})
	}
	rows = append(rows, []string{"keeps", p.Bound})
	if len(p.By) > 0 {
		rows = append(rows, []string{"by", strings.Join(p.By, ", ")})
	}
	if p.Within != "" {
		rows = append(rows, []string{"within", p.Within})
	}
	if p.SeesAll {
		rows = append(rows, []string{"sees", "every event of a key with something open, also such as meet no condition"})
	}
	if s := p.Shared; s != nil {
		rows = append(rows, []string{"shares", fmt.Sprintf("all up to %s with other rules, %d in all", s.UpTo, s.Rules)})
	}
	for _, e := range p.Elements {
		rows = append(rows, []string{e.Name, e.Condition}, []string{"", "found by " + e.Index})
		if e.Correlated {
			rows = append(rows, []string{"", "depends on events bound before"})
		}
		if e.Interpreted != "" {
			rows = append(rows, []string{"", "slow, interpreted: " + e.Interpreted})
		}
	}
	for i, c := range conds {
		if c.Elem < 0 {
			rows = append(rows, []string{c.Name, fmt.Sprintf("%s (c%d)", c.Text, i+1)})
		}
	}
	if err := out.table(nil, rows); err != nil {
		return err
	}
	return showAutomaton(out, p, conds)
}

// showAutomaton prints the states of a rule and the ways between them.
func showAutomaton(out style, p cep.Plan, conds []analysis.Condition) error {
	if len(p.Graph.Nodes) == 0 {
		return nil
	}
	elems, named := planNames(p, conds)
	ways := make(map[int][]*engine.GraphEdge)
	for i := range p.Graph.Edges {
		e := &p.Graph.Edges[i]
		ways[e.From] = append(ways[e.From], e)
	}
	var rows [][]string
	for i := range p.Graph.Nodes {
		state := stateName(&p.Graph.Nodes[i])
		if len(ways[i]) == 0 {
			rows = append(rows, []string{state, "", ""})
		}
		for _, e := range ways[i] {
			to := p.Graph.Nodes[e.To].Name
			if e.To == i {
				to = "stays"
			}
			rows = append(rows, []string{state, draw.Words(&p.Graph, e, elems, named), to})
			state = ""
		}
	}
	if err := out.line(""); err != nil {
		return err
	}
	return out.table([]string{"STATE", "ON", "TO"}, rows)
}

func stateName(n *engine.GraphNode) string {
	switch {
	case n.Final:
		return n.Name + " match"
	case n.Forbidden:
		return n.Name + " dropped"
	case n.Start && n.Pending:
		return n.Name + " start, match when time is up"
	case n.Pending:
		return n.Name + " match when time is up"
	case n.Start:
		return n.Name + " start"
	}
	return n.Name
}

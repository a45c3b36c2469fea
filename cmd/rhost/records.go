package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/event"
)

// recordsOut prints records: as they are with --json, else as a table.
type recordsOut struct {
	out   style
	json  bool
	head  []string // nil once printed
	rows  [][]string
	width map[int]int     // of the columns printed so far
	seen  map[string]bool // ids printed, while following
	count int
}

func newRecords(cmd *cobra.Command, asJSON bool, head ...string) *recordsOut {
	return &recordsOut{out: newStyle(cmd.OutOrStdout()), json: asJSON, head: head, width: make(map[int]int), seen: make(map[string]bool)}
}

// rowOf gives a record's cells and its id, if it has one.
type rowOf func(json.RawMessage) (cells []string, id string, err error)

func (o *recordsOut) add(raw json.RawMessage, row rowOf) error {
	o.count++
	cells, id, err := row(raw)
	if err != nil {
		return fmt.Errorf("unreadable record: %w", err)
	}
	if id != "" {
		o.seen[id] = true
	}
	if o.json {
		return o.out.line("%s", raw)
	}
	o.rows = append(o.rows, cells)
	return nil
}

// addNew leaves out what was printed before.
func (o *recordsOut) addNew(raw json.RawMessage, row rowOf) error {
	_, id, err := row(raw)
	if err != nil || o.seen[id] {
		return err
	}
	return o.add(raw, row)
}

// flush prints the rows so far. The head comes once, before the first.
func (o *recordsOut) flush() error {
	if o.json || len(o.rows) == 0 {
		return nil
	}
	head, rows := o.head, o.rows
	o.head, o.rows = nil, nil
	return o.out.columns(o.width, head, rows)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// parseSince reads a time, or an age back from now.
func parseSince(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, usage(fmt.Errorf("--since %s: write a time such as 2026-01-02T15:04:05Z, or an age such as 1h", s))
	}
	return t, nil
}

// oneEvent makes an event from flags.
func oneEvent(typ, source, id, data string) (json.RawMessage, error) {
	ev := event.Event{Type: typ, Source: source, ID: id, Time: time.Now().UTC()}
	if id == "" {
		ev.ID = event.NewID(ev.Time)
	}
	if data != "" {
		ev.Data = []byte(data)
	}
	if err := ev.Validate(); err != nil {
		return nil, usage(err)
	}
	return ev.AppendJSON(nil), nil
}

// completed reads an event written by hand, and fills in what it leaves out.
func completed(text []byte) (json.RawMessage, error) {
	ev, err := event.ParseLoose(text)
	if err != nil {
		return nil, err
	}
	if ev.ID == "" {
		ev.ID = event.NewID(time.Now())
	}
	if ev.Source == "" {
		ev.Source = "/rhost/cli"
	}
	return ev.AppendJSON(nil), nil
}

func printIndented(w io.Writer, raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// encode prints v as one line of JSON.
func (o *recordsOut) encode(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return o.out.line("%s", line)
}

// encodeIndented prints v as JSON over several lines.
func encodeIndented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

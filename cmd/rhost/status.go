package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
)

func statusCmd() *cobra.Command {
	var r reach
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a running host has loaded, holds and has counted",
		Long: `Show what a running host has loaded, what its rules hold and have counted, and
what the latest change of rules did to what was open. What is not a terminal gets
JSON.

A rule that bounds or missing values made a difference to is told of as rhost
match does: events without a value for by, start events that limit refused, rules
that were stopped.`,
		Example: `  rhost status
  rhost status | jq .counts
  rhost status --json | jq '.matching.rules[] | select(.rejected > 0)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.host()
			if err != nil {
				return err
			}
			defer c.Close()
			raw, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON || !isTerminal(cmd.OutOrStdout()) {
				return printIndented(cmd.OutOrStdout(), raw)
			}
			var s host.Summary
			if err := json.Unmarshal(raw, &s); err != nil {
				return err
			}
			return showStatus(newStyle(cmd.OutOrStdout()), &s, time.Now())
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON, even on a terminal")
	return cmd
}

// showStatus prints a status for people.
func showStatus(out style, s *host.Summary, now time.Time) error {
	var b strings.Builder
	api := "api off"
	if s.API != "" {
		api = "api " + s.API
	}
	fmt.Fprintf(&b, "%s %s  %s  up %s · data %s · %s\n", out.bold("rhost"), s.Version, out.bold(clean(s.App)), now.Sub(s.Began).Round(time.Second), clean(s.Data), api)
	c := &s.Counts
	fmt.Fprintf(&b, "since the start: %s, %s, %s (%s failed), %s\n", plural(c.Events, "event"), pluralES(c.Matches, "match"),
		plural(c.Actions, "action"), thousands(c.Failed), plural(c.DeadLetters+c.BadRecords, "dead letter"))
	if len(s.Plugins) > 0 {
		cold := 0
		for _, p := range s.Plugins {
			if !p.Warm {
				cold++
			}
		}
		fmt.Fprintf(&b, "%s (%d unloaded): %s of %s guest memory reserved\n", plural(len(s.Plugins), "plugin"), cold,
			host.Size(s.Memory.Reserved), host.Size(s.Memory.Limit))
	}
	for _, src := range s.Sources {
		fmt.Fprintf(&b, "source %s (%s) %s", clean(src.Name), src.Kind, src.State)
		if src.Error != "" {
			fmt.Fprintf(&b, "  %s", out.red(clean(src.Error)))
		}
		b.WriteByte('\n')
	}
	if v := s.Revision; v != nil {
		fmt.Fprintf(&b, "%s%s, as they are since %s: %s\n", plural(len(s.Rules), "rule"), onLanes(s.Lanes), stamp(v.At), clean(v.Text))
		writeChanges(&b, out, v)
	}
	if l := s.Log; l != nil {
		writeLog(&b, l, now)
	}
	if s.Quota != nil {
		writeQuota(&b, out, s.Quota)
	}
	if s.Busy != "" {
		fmt.Fprintln(&b, out.yellow(clean(s.Busy)))
	}
	if err := out.line("%s", strings.TrimRight(b.String(), "\n")); err != nil || s.Matching == nil {
		return err
	}
	return showCounts(out, s.Matching)
}

// writeLog says what is kept of the log, and what a restart replays.
func writeLog(b *strings.Builder, l *host.LogSummary, now time.Time) {
	since := "from the beginning"
	if !l.Since.IsZero() {
		since = "since " + stamp(l.Since)
	}
	if l.Snapshot.IsZero() {
		fmt.Fprintf(b, "log kept %s · no snapshot yet\n", since)
		return
	}
	fmt.Fprintf(b, "log kept %s · snapshot of %s, %s ago; a restart replays about %s\n", since, host.Size(int64(l.Bytes)),
		now.Sub(l.Snapshot).Round(time.Second), (time.Duration(l.Replay) * time.Millisecond).String())
}

// writeQuota says what the tenant holds, of what it may.
func writeQuota(b *strings.Builder, out style, q *host.QuotaSummary) {
	of := func(used, limit int64) string {
		if limit == 0 {
			return host.Size(used)
		}
		return host.Size(used) + " of " + host.Size(limit)
	}
	fmt.Fprintf(b, "tenant %s holds %s of events", clean(q.Tenant), host.Size(q.Events))
	if q.Payloads > 0 {
		fmt.Fprintf(b, " and %s of payloads", host.Size(q.Payloads))
	}
	if q.Held > 0 {
		fmt.Fprintf(b, ", %s at the most", host.Size(q.Held))
	}
	fmt.Fprintf(b, " · %s of state", of(q.State, q.MaxState))
	if q.Rate > 0 {
		fmt.Fprintf(b, " · up to %s/s", host.Size(q.Rate))
	}
	b.WriteByte('\n')
	for _, name := range slices.Sorted(maps.Keys(q.Refused)) {
		times := plural(q.Refused[name], "time")
		if name == q.Full {
			times = out.red(times + ", now")
		}
		fmt.Fprintf(b, "  quota %s has refused %s\n", clean(name), times)
	}
}

// maxRows is how many rules a status shows to people; --json has more.
const maxRows = 40

// showCounts prints what rules hold and have counted.
func showCounts(out style, m *host.Matching) error {
	err := out.line("time of the lane %s · %s open, of %s", stamp(m.Now), thousands(m.Open), plural(m.Keys, "key"))
	var rows [][]string
	for i := range m.Rules[:min(len(m.Rules), maxRows)] {
		r := &m.Rules[i]
		name := r.Rule
		if r.Draining {
			name += " (draining)"
		}
		rows = append(rows, []string{name, thousands(r.Matches), thousands(r.Open), thousands(r.Keys), thousands(r.Timeouts)})
	}
	if err == nil && len(rows) > 0 {
		err = out.table([]string{"RULE", "MATCHES", "OPEN", "KEYS", "TIMEOUTS"}, rows)
	}
	for i := range m.Rules[:min(len(m.Rules), maxRows)] {
		for _, note := range notesOf(&m.Rules[i]) {
			if err == nil {
				err = out.line("%s rule %s: %s", out.yellow("note:"), clean(m.Rules[i].Rule), clean(note))
			}
		}
	}
	if more := m.More + max(0, len(m.Rules)-maxRows); err == nil && more > 0 {
		err = out.line("%s", out.dim(fmt.Sprintf("… and %s; --json has more", plural(more, "rule"))))
	}
	return err
}

// maxChangeRows is how many rules a change of rules names to people.
const maxChangeRows = 10

// writeChanges says what a change of rules did to what was open.
func writeChanges(b *strings.Builder, out style, v *host.Revision) {
	for _, c := range v.Changes[:min(len(v.Changes), maxChangeRows)] {
		what := map[string]string{
			"kept":    "the new version goes on with the %s that are open",
			"drained": "the old version finishes the %s it has open",
			"reset":   "the %s it had open are dropped, as on_change says",
			"dropped": "the %s it had open are dropped with it",
		}[c.Action]
		action := pad(c.Action, 8)
		if c.Action == "dropped" || c.Action == "reset" {
			action = out.yellow(action)
		}
		fmt.Fprintf(b, "  %s%s: "+what, action, clean(c.Rule), thousands(c.Open))
		if c.Why != "" {
			fmt.Fprintf(b, " (%s)", clean(c.Why))
		}
		b.WriteByte('\n')
	}
	if more := v.More + max(0, len(v.Changes)-maxChangeRows); more > 0 {
		fmt.Fprintf(b, "  %s\n", out.dim("and "+plural(more, "more rule")+"; rhost status --json names some"))
	}
}

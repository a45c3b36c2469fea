package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/sdk/client"
)

func matchesCmd() *cobra.Command {
	var r reach
	var rule, since string
	var follow, asJSON bool
	cmd := &cobra.Command{
		Use:   "matches",
		Short: "List recorded matches",
		Long: `List recorded matches, oldest first: from the running host, or, with none
running, from its data folder.`,
		Example: `  rhost matches --app plugins/examples/sshguard --rule ssh-burst
  rhost matches --since 1h --json | jq .bind
  rhost matches --follow`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := client.Query{Rule: rule, Limit: 1000}
			var err error
			if q.Since, err = parseSince(since); err != nil {
				return err
			}
			return listMatches(cmd.Context(), &r, q, follow, newRecords(cmd, asJSON, "AT", "RULE", "EVENTS", "TRIGGER", "ID"))
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&rule, "rule", "", "only of this rule")
	completeFlag(cmd, "rule", func(_ []string, prefix string) []string { return r.rules(prefix) })
	f.StringVar(&since, "since", "", "only from this time on: RFC 3339, or an age such as 1h")
	f.BoolVar(&follow, "follow", false, "go on with new matches as they are recorded")
	f.BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func listMatches(ctx context.Context, r *reach, q client.Query, follow bool, out *recordsOut) error {
	src, err := r.reader(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	host, running := src.(*client.Client)
	if follow && !running {
		return &codedError{exitNoHost, errors.New("--follow needs a running host; start one with `rhost run`")}
	}
	q, err = pages(ctx, q, src.Matches, func(m json.RawMessage) error { return out.add(m, matchRow) })
	if err != nil {
		return err
	}
	if err := out.flush(); err != nil || !follow {
		return err
	}
	return host.Tail(ctx, []string{"rhost:matches"}, func(json.RawMessage) error {
		// The message only says that there is more; the records themselves come
		// in order and without gaps.
		seen := out.count
		next, err := pages(ctx, q, host.Matches, func(m json.RawMessage) error { return out.addNew(m, matchRow) })
		if err == nil && out.count > seen {
			err = out.flush()
		}
		q = next
		return err
	})
}

func matchRow(raw json.RawMessage) ([]string, string, error) {
	var m struct {
		ID      string              `json:"id"`
		Rule    string              `json:"rule"`
		At      time.Time           `json:"at"`
		Trigger string              `json:"trigger"`
		Bind    map[string][]string `json:"bind"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, "", err
	}
	n := 0
	for _, ids := range m.Bind {
		n += len(ids)
	}
	return []string{stamp(m.At), m.Rule, strconv.Itoa(n), m.Trigger, m.ID}, m.ID, nil
}

func actionsCmd() *cobra.Command {
	var r reach
	var q client.Query
	var since string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "actions",
		Short: "List what was done for matches: attempts at steps, and how executions ended",
		Example: `  rhost actions --status failed
  rhost actions --rule ssh-burst --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if q.Since, err = parseSince(since); err != nil {
				return err
			}
			q.Limit = 1000
			src, err := r.reader(cmd.Context())
			if err != nil {
				return err
			}
			defer src.Close()
			out := newRecords(cmd, asJSON, "AT", "RULE", "STEP", "PLUGIN", "STATUS", "FUEL", "TIME", "DETAIL")
			if _, err := pages(cmd.Context(), q, src.Actions, func(a json.RawMessage) error { return out.add(a, actionRow) }); err != nil {
				return err
			}
			return out.flush()
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&q.Rule, "rule", "", "only of this rule")
	completeFlag(cmd, "rule", func(_ []string, prefix string) []string { return r.rules(prefix) })
	f.StringVar(&q.Status, "status", "", "only with this status: ok, dropped, retry, failed; of executions done, failed, compensated …")
	f.StringVar(&since, "since", "", "only from this time on: RFC 3339, or an age such as 1h")
	f.BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func actionRow(raw json.RawMessage) ([]string, string, error) {
	var a host.Action
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, "", err
	}
	step, fuel, wall := a.Step, "", ""
	switch {
	case step == "":
		step = "(end)"
	case a.Undo:
		step = "undo " + step
	}
	if a.Fuel > 0 {
		fuel, wall = thousands(a.Fuel), millis(a.Wall)
	}
	detail := a.Error
	if detail == "" && len(a.Out) > 0 {
		detail = clip(string(a.Out), 60)
	}
	return []string{stamp(a.At), a.Rule, step, a.Plugin, a.Status, fuel, wall, detail}, "", nil
}

func tailCmd() *cobra.Command {
	var r reach
	var asJSON bool
	var since string
	cmd := &cobra.Command{
		Use:   "tail [events|matches|actions|TOPIC]...",
		Short: "Follow what happens in a running host",
		Long: `Follow what happens in a running host, as it happens: events, matches, actions,
or the messages of a topic. Without arguments: events, matches and actions.

Messages of a topic that is kept (topics in rhost.yaml) have an id. With --since and
the id of the last one you have, those that followed come first.`,
		Example: `  rhost tail matches
  rhost tail orders --since 0
  rhost tail ops --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.host()
			if err != nil {
				return err
			}
			defer c.Close()
			return tail(cmd.Context(), c, args, since, newStyle(cmd.OutOrStdout()), asJSON)
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().StringVar(&since, "since", "", "id of a message: begin behind it; 0 for all that is kept")
	return cmd
}

func tail(ctx context.Context, c *client.Client, args []string, since string, out style, asJSON bool) error {
	if len(args) == 0 {
		args = []string{"events", "matches", "actions"}
	}
	topics := make([]string, len(args))
	for i, a := range args {
		topics[i] = a
		if a == "events" || a == "matches" || a == "actions" {
			topics[i] = "rhost:" + a
		}
	}
	follow := func(fn func(json.RawMessage) error) error { return c.Tail(ctx, topics, fn) }
	if since != "" {
		if len(topics) != 1 || strings.HasPrefix(topics[0], "rhost:") {
			return usage(errors.New("--since is a place in one topic; name that topic alone"))
		}
		follow = func(fn func(json.RawMessage) error) error { return c.TailSince(ctx, topics[0], since, fn) }
	}
	return follow(func(raw json.RawMessage) error {
		if asJSON || !out.color {
			return out.line("%s", raw)
		}
		var m struct {
			Topic   string          `json:"topic"`
			At      time.Time       `json:"at"`
			Payload json.RawMessage `json:"payload"`
			Lost    int             `json:"lost"`
			Gap     *struct{ From, To uint64 }
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		if m.Lost > 0 {
			if err := out.line("%s", out.yellow(fmt.Sprintf("… %s not shown", plural(m.Lost, "message")))); err != nil {
				return err
			}
		}
		if m.Gap != nil {
			return out.line("%s", out.yellow(fmt.Sprintf("… messages %d to %d are not kept any more", m.Gap.From, m.Gap.To)))
		}
		return out.line("%s  %s  %s", out.dim(stamp(m.At)), out.cyan(pad(strings.TrimPrefix(m.Topic, "rhost:"), 8)), clean(gist(m.Topic, m.Payload)))
	})
}

// gist is a message as a person at a terminal wants it; --json has the whole.
func gist(topic string, payload json.RawMessage) string {
	var m struct {
		Type, Source, Rule, Step, Status, Error string
		Data                                    json.RawMessage
		Key                                     string
		Line                                    struct {
			Rule, ID string
			Bind     map[string][]string
		}
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return string(payload)
	}
	switch topic {
	case "rhost:events":
		return fmt.Sprintf("%s  %s  %s", m.Type, m.Source, m.Data)
	case "rhost:matches":
		var bound []string
		for _, name := range sortedKeys(m.Line.Bind) {
			bound = append(bound, fmt.Sprintf("%s×%d", name, len(m.Line.Bind[name])))
		}
		return fmt.Sprintf("%s  %s  %s  %s", m.Line.Rule, m.Key, strings.Join(bound, " "), m.Line.ID)
	case "rhost:actions":
		if m.Step == "" {
			m.Step = "(end)"
		}
		return strings.TrimRight(fmt.Sprintf("%s  %s  %s  %s", m.Rule, m.Step, m.Status, m.Error), " ")
	}
	return textOf(payload)
}

func emitCmd() *cobra.Command {
	var r reach
	var typ, data, source, id string
	cmd := &cobra.Command{
		Use:   "emit [FILE.ndjson|-]",
		Short: "Send events to a running host",
		Long: `Send events to a running host: one made of the flags, or CloudEvents from a
file or stdin, one JSON object a line. Each batch is on disk when it counts as
sent.`,
		Example: `  rhost emit --type disk.full --payload '{"host":"db1","used":0.97}'
  rhost emit events.ndjson`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.host()
			if err != nil {
				return err
			}
			defer c.Close()
			if len(args) == 1 {
				return emitFile(cmd, c, args[0])
			}
			ev, err := oneEvent(typ, source, id, data)
			if err != nil {
				return err
			}
			if err := c.Submit(cmd.Context(), ev); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.ErrOrStderr(), "1 event accepted")
			return err
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&typ, "type", "", "type of the event")
	f.StringVar(&data, "payload", "", "payload, as JSON")
	f.StringVar(&source, "source", "/rhost/cli", "source of the event")
	f.StringVar(&id, "id", "", "id of the event (default: a new one)")
	return cmd
}

const emitBatch = 500

// emitFile sends a file in batches. A line that is no event stops it, named by
// its number; what was sent before stays sent.
func emitFile(cmd *cobra.Command, c *client.Client, name string) error {
	in, done, err := openInput(cmd, name)
	if err != nil {
		return err
	}
	defer done()
	var batch []json.RawMessage
	sent, line := 0, 0
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := c.Submit(cmd.Context(), batch...); err != nil {
			return fmt.Errorf("%s, lines up to %d: %w; %d events were accepted before", name, line, err, sent)
		}
		sent += len(batch)
		batch = batch[:0]
		return nil
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), 2<<20)
	for lines.Scan() {
		line++
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		ev, err := completed([]byte(text))
		if err != nil {
			return usage(errors.Join(send(), fmt.Errorf("%s:%d: %w; the %d events before it were accepted", name, line, err, sent)))
		}
		if batch = append(batch, ev); len(batch) == emitBatch {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return usage(fmt.Errorf("%s:%d: %w", name, line+1, err))
	}
	if err := send(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s accepted\n", plural(sent, "event"))
	return err
}

// openInput opens a file, or stdin for "-".
func openInput(cmd *cobra.Command, name string) (io.Reader, func(), error) {
	if name == "-" {
		return cmd.InOrStdin(), func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, usage(err)
	}
	return f, func() { f.Close() }, nil //nolint:errcheck // it was only read
}

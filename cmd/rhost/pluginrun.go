package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
	"github.com/spf13/cobra"
)

func pluginRun() *cobra.Command {
	var o pluginRunOptions
	cmd := &cobra.Command{
		Use:   "run PLUGIN [-e EVENT.json]",
		Short: "Call a plugin once, without a host",
		Long: `Call a plugin once with an event, under limits, and print its result, its effects
and what it used. Without -e, a plugin with a folder of its own gets the event.json
in it, and another gets no event. State is empty. Exit code 1 when the call faults or the plugin
answers fail or retry.

Nothing outside is reached but what --allow and --secret name. --record keeps the
call with everything that it asked of its host and was told, but for secrets;
--replay runs it again from there, and fails at the first thing that is different:
what it asks for, its result, its effects, its fuel.`,
		Example: `  rhost plugin run plugins/decide -e event.json --with '{"ip":"192.0.2.7"}'
  rhost plugin run render.lua -e event.json --fuel 20000 --json
  rhost plugin run fetch.js --allow api.example.com --secret token=API_TOKEN --record call.json
  rhost plugin run fetch.js --secret token=API_TOKEN --replay call.json`,
		Args: exactArgs(1, "PLUGIN", "a file, a folder, or a name under plugins/"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findPlugin(args[0])
			if err != nil {
				return err
			}
			if err := sayStale(cmd, f); err != nil {
				return err
			}
			return o.run(cmd, f)
		},
	}
	o.flags(cmd)
	fl := cmd.Flags()
	fl.StringSliceVar(&o.outside.hosts, "allow", nil, "host that requests may go to; may be repeated")
	fl.StringToStringVar(&o.outside.secrets, "secret", nil, "NAME=VARIABLE: a secret, and the environment variable that holds it; may be repeated")
	fl.StringVar(&o.record, "record", "", "file to write a record of the call to")
	fl.StringVar(&o.replay, "replay", "", "file with a record of a call to run again")
	cmd.MarkFlagsMutuallyExclusive("record", "replay")
	for _, other := range []string{"event", "with", "config", "export", "allow"} {
		cmd.MarkFlagsMutuallyExclusive("replay", other)
	}
	return cmd
}

// flags are those of every command that calls a plugin.
func (o *pluginRunOptions) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVarP(&o.event, "event", "e", "", "file with the event, as JSON; - for stdin, '' for none (default event.json of the plugin's folder)")
	fl.StringVar(&o.with, "with", "", "arguments of the step, a JSON object")
	fl.StringVar(&o.config, "config", "", "settings of the plugin, a JSON object")
	fl.StringVar(&o.export, "export", "", "function to call of an Extism plugin that has several")
	fl.Int64Var(&o.limits.Fuel, "fuel", 0, "limit of fuel (default 10,000,000)")
	fl.Int64Var(&o.limits.Memory, "memory", 32<<20, "limit of memory in bytes")
	fl.DurationVar(&o.limits.Deadline, "deadline", 5*time.Second, "limit of time")
	fl.BoolVar(&o.json, "json", false, "JSON, for machines")
}

type pluginRunOptions struct {
	event, with, config, export string
	limits                      sandbox.Limits
	json                        bool
	outside                     outside
	record, replay              string
}

// callResult is what `plugin run --json` prints.
type callResult struct {
	Result  string          `json:"result"` // ok, fail, retry, drop or fault
	Message string          `json:"message,omitempty"`
	Fault   string          `json:"fault,omitempty"`
	Output  json.RawMessage `json:"output,omitempty"`
	Effects []abi.Effect    `json:"effects,omitempty"`
	Logs    []string        `json:"logs,omitempty"`
	Usage   sandbox.Usage   `json:"usage"`
}

func (o *pluginRunOptions) run(cmd *cobra.Command, f deploy.Found) error {
	call, rec, err := o.prepare(cmd, f)
	if err != nil {
		return err
	}
	sv, done, err := o.outside.services(call)
	if err != nil {
		return err
	}
	defer done()
	var res callResult
	sv.Log = func(l sandbox.LogLevel, msg string) { res.Logs = append(res.Logs, l.String()+": "+msg) }
	err = withModule(cmd.Context(), f, func(m sandbox.Module) error {
		if err := o.obey(m.Info().Manifest, call); err != nil {
			return err
		}
		inst, err := m.New(cmd.Context(), o.limits)
		if err != nil {
			return err
		}
		if rec.Grant == nil {
			rec.Grant = m.Info().Needs
		}
		session := sandbox.NewSession(sv, rec.Grant, o.limits)
		recorder, replayer := o.tape(session, rec)
		reply, usage, err := inst.Invoke(cmd.Context(), call, session)
		res.fill(reply, usage, err)
		res.Message = session.Redact(res.Message)
		err = inst.Close(cmd.Context())
		switch {
		case err != nil:
			return err
		case recorder != nil:
			return o.keep(rec, recorder, m.Info(), call, res)
		case replayer != nil:
			if err := replayer.Err(); err != nil {
				return err
			}
			return rec.compare(res, m.Info().Digest)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := res.print(cmd, o.json); err != nil {
		return err
	}
	if res.Result != "ok" && res.Result != "drop" {
		return fmt.Errorf("the call ended with %s: %s", res.Result, res.Message)
	}
	return nil
}

// prepare makes the call that the flags describe, or the one of a record.
func (o *pluginRunOptions) prepare(cmd *cobra.Command, f deploy.Found) (*abi.Call, *callRecord, error) {
	if o.replay == "" {
		call, err := o.call(cmd, f)
		return call, &callRecord{Version: 1}, err
	}
	rec, err := readRecord(o.replay)
	if err != nil {
		return nil, nil, err
	}
	call, err := rec.Call.call()
	if err != nil {
		return nil, nil, usage(fmt.Errorf("%s: %w", o.replay, err))
	}
	o.limits = rec.Limits
	return call, rec, nil
}

// keep writes the record of a call.
func (o *pluginRunOptions) keep(rec *callRecord, r *sandbox.Recorder, info sandbox.Info, call *abi.Call, end callResult) error {
	calls, ok := r.Calls()
	if !ok {
		return errRecordTooLarge
	}
	rec.Plugin, rec.Digest, rec.Call, rec.Limits, rec.Calls, rec.End = info.Name, info.Digest, newRecordedCall(call), o.limits, calls, end
	return rec.write(o.record)
}

// obey holds the call to what the plugin says of itself.
func (o *pluginRunOptions) obey(m *manifest.Manifest, call *abi.Call) error {
	if m == nil {
		return nil
	}
	o.limits = o.limits.Lowered(m.Limits)
	if m.Config == nil {
		return nil
	}
	if err := m.Config.Check(call.Config); err != nil {
		return usage(fmt.Errorf("--config: %w", err))
	}
	return nil
}

func (r *callResult) fill(reply abi.Reply, usage sandbox.Usage, err error) {
	r.Usage = usage
	if err != nil {
		r.Result, r.Fault, r.Message = "fault", string(sandbox.KindOf(err)), err.Error()
		return
	}
	r.Result, r.Message, r.Output, r.Effects = reply.Result.String(), reply.Message, reply.Output, reply.Effects
}

func (r *callResult) print(cmd *cobra.Command, asJSON bool) error {
	if asJSON {
		raw, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return printIndented(cmd.OutOrStdout(), raw)
	}
	rows := [][]string{{"result", r.Result}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("output", string(r.Output))
	for _, e := range r.Effects {
		add(string(e.Kind), e.Name+" "+effectText(e))
	}
	for _, line := range r.Logs {
		add("log", line)
	}
	add("fuel", thousands(r.Usage.Fuel))
	add("time", millis(r.Usage.Wall))
	add("memory", thousands(r.Usage.PeakMemory)+" bytes")
	add("host calls", fmt.Sprint(r.Usage.HostCalls))
	return newStyle(cmd.OutOrStdout()).table(nil, rows)
}

// call makes the call that the flags describe. Without --event it has the event that
// lies in the plugin's own folder, as `plugin new` puts one there.
func (o *pluginRunOptions) call(cmd *cobra.Command, f deploy.Found) (*abi.Call, error) {
	if own := filepath.Join(filepath.Dir(f.File), "event.json"); !cmd.Flags().Changed("event") && filepath.Base(filepath.Dir(f.File)) == f.Name {
		if _, err := os.Stat(own); err == nil {
			o.event = own
		}
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &abi.Call{Attempt: 1, Key: "plugin-run", Export: o.export, Match: abi.Match{
		Tenant: "default", Rule: "plugin-run", Version: "0", ID: "m-plugin-run", At: at, Trigger: "time", Bind: map[string][]string{},
	}}
	for _, arg := range []struct {
		flag, text string
		dst        *json.RawMessage
	}{{"--with", o.with, &c.With}, {"--config", o.config, &c.Config}} {
		if arg.text == "" {
			continue
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(arg.text), &object); err != nil {
			return nil, usage(fmt.Errorf("%s: write a JSON object: %w", arg.flag, err))
		}
		*arg.dst = json.RawMessage(arg.text)
	}
	if o.event == "" {
		return c, nil
	}
	text, err := readInput(cmd, o.event)
	if err != nil {
		return nil, err
	}
	ev, err := event.ParseLoose(text)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", o.event, err))
	}
	if ev.ID == "" {
		ev.ID = "ev-1"
	}
	if ev.Source == "" {
		ev.Source = "/rhost/cli"
	}
	c.Event = ev
	c.Match.Trigger, c.Match.Bind = ev.ID, map[string][]string{"event": {ev.ID}}
	if !ev.Time.IsZero() {
		c.Match.At = ev.Time
	}
	return c, nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
)

func pluginCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Make, build, try and look at plugins",
		Example: `  rhost plugin new --lang go decide
  rhost plugin build decide
  rhost plugin test decide
  rhost plugin run decide -e decide/event.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(pluginNew(), pluginBuild(), pluginTest(), pluginRun(), pluginBench(), pluginInspect(),
		pluginLoad(), pluginList(), pluginStatus(), pluginActivate(), pluginRollback(),
		pluginKeygen(), pluginSign(), pluginVerify(), pluginPush(), pluginPull(), pluginDev())
	return cmd
}

// findPlugin finds a plugin by its path: a file, a folder of source, or a name
// under plugins/ of the current folder or of others.
func findPlugin(arg string, apps ...string) (deploy.Found, error) {
	paths := []string{arg, filepath.Join("plugins", arg)}
	for _, app := range apps {
		paths = append(paths, filepath.Join(app, "plugins", arg))
	}
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return deploy.Found{}, err
		}
		// What is wrong with a neighbour is not this command's business.
		found, findErr := deploy.Find(filepath.Dir(abs))
		for _, f := range found {
			if abs == f.File || abs == filepath.Dir(f.File) && filepath.Base(abs) == f.Name || abs == strings.TrimSuffix(f.File, filepath.Ext(f.File)) {
				return f, nil
			}
		}
		info, err := os.Stat(abs)
		switch {
		case err != nil:
			continue
		case !info.IsDir():
			return loose(abs)
		}
		if err := about(abs, findErr); err != nil {
			return deploy.Found{}, usage(err)
		}
	}
	return deploy.Found{}, usage(fmt.Errorf("no plugin %s: there is no file, no folder of source and no plugin of that name under plugins/", arg))
}

// about is the part of an error that speaks of a folder, nil when there is none.
func about(folder string, err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // it walks the tree itself
		for _, one := range many.Unwrap() {
			if one = about(folder, one); one != nil {
				return one
			}
		}
		return nil
	}
	if err == nil || !strings.HasPrefix(err.Error(), "plugin "+folder+":") {
		return nil
	}
	return err
}

// sayStale tells a person that a module was made from older source than there is.
func sayStale(cmd *cobra.Command, f deploy.Found) error {
	if stale, err := f.Stale(); err != nil || !stale {
		return err
	}
	if _, err := os.Stat(f.File); err != nil {
		return notBuiltYet(f)
	}
	out := newStyle(cmd.ErrOrStderr())
	return out.line("%s the source of %s is newer than %s; `rhost plugin build %s` builds it", out.yellow("note"), f.Name, filepath.Base(f.File), relative(f.Source))
}

// loose is a file that lies among others that are no plugins.
func loose(abs string) (deploy.Found, error) {
	kind := deploy.Kind(strings.TrimPrefix(filepath.Ext(abs), "."))
	switch kind {
	case deploy.Wasm, deploy.Lua, deploy.JS:
		f := deploy.Found{Name: strings.TrimSuffix(filepath.Base(abs), filepath.Ext(abs)), Kind: kind, File: abs}
		if _, err := os.Stat(f.Beside()); err == nil {
			if kind == deploy.Wasm {
				return f, usage(fmt.Errorf("%s lies beside a module, which carries its manifest itself; remove it", f.Beside()))
			}
			f.Manifest = f.Beside()
		}
		return f, nil
	}
	return deploy.Found{}, usage(fmt.Errorf("%s: plugins are .wasm, .lua or .js files, or folders of source", abs))
}

func pluginBuild() *cobra.Command {
	return &cobra.Command{
		Use:   "build PLUGIN...",
		Short: "Build plugins from their source",
		Long: `Build plugins from their source in Go, Rust, C or AssemblyScript, into
NAME/NAME.wasm beside it, with the manifest.yaml (or plugin.yaml) of the folder put
into the module. A running host that watches the folder puts the new version in
force. Scripts run as they are; building one checks it.`,
		Example: "  rhost plugin build plugins/decide",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := newStyle(cmd.OutOrStdout())
			for _, arg := range args {
				f, err := findPlugin(arg)
				if err != nil {
					return err
				}
				took, done := time.Duration(0), "checked"
				if f.Source != "" {
					done = "built"
					if took, err = buildPatiently(cmd, f); err != nil {
						return err
					}
				}
				info, err := inspect(cmd.Context(), f)
				if err != nil {
					return err
				}
				if err := out.line("%s %s  %s bytes  %s  %.1f s", out.green(done), relative(f.File), thousands(info.Size), clip(info.Digest, 19), took.Seconds()); err != nil {
					return err
				}
				for _, line := range discord(info) {
					if err := out.line("%s %s", out.yellow("note"), line); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
}

// buildPatiently is deploy.Build for a person, who is told when it takes long.
func buildPatiently(cmd *cobra.Command, f deploy.Found) (took time.Duration, err error) {
	text := "still building " + f.Name
	if f.Lang == deploy.Go {
		text += "; the first build of all compiles Go's library for Wasm"
	}
	said := make(chan error, 1)
	timer := time.AfterFunc(quietBuild, func() { said <- newStyle(cmd.ErrOrStderr()).line("%s", text) })
	took, err = deploy.Build(cmd.Context(), f)
	if !timer.Stop() {
		err = errors.Join(err, <-said)
	}
	return took, err
}

// quietBuild is how long a build may say nothing.
const quietBuild = 5 * time.Second

func notBuiltYet(f deploy.Found) error {
	return usage(fmt.Errorf("%s is not built yet; run `rhost plugin build %s`", f.Name, relative(f.Source)))
}

// commandSeed is no secret: calls of the command line are to be the same every
// time.
const commandSeed = "rhost plugin run"

// ofAuthor are the options of an engine that runs what its user is at work on: every
// proposal that a host may allow is admitted.
func ofAuthor(o wasm.Options) wasm.Options {
	o.Seed, o.TailCalls, o.ExtendedConst = []byte(commandSeed), true, true
	return o
}

// withModule compiles a plugin and calls fn with it.
func withModule(ctx context.Context, f deploy.Found, fn func(sandbox.Module) error) (err error) {
	engines, err := host.NewEngines(ofAuthor(wasm.Options{}))
	if err != nil {
		return err
	}
	defer func() {
		for _, e := range engines {
			err = errors.Join(err, e.Close(ctx))
		}
	}()
	src, err := f.Read()
	if errors.Is(err, os.ErrNotExist) && f.Source != "" {
		return notBuiltYet(f)
	}
	if err != nil {
		return usage(err)
	}
	module, err := engines[f.Kind].Compile(ctx, sandbox.Source{Name: f.Name, File: f.File, Bytes: src})
	if err != nil {
		return usage(err)
	}
	return errors.Join(fn(module), module.Close(ctx))
}

func inspect(ctx context.Context, f deploy.Found) (info sandbox.Info, err error) {
	err = withModule(ctx, f, func(m sandbox.Module) error {
		info = m.Info()
		return nil
	})
	return info, err
}

func pluginInspect() *cobra.Command {
	var asJSON bool
	var keys []string
	cmd := &cobra.Command{
		Use:     "inspect PLUGIN",
		Short:   "Say what a plugin is and what it asks for",
		Example: "  rhost plugin inspect plugins/decide\n  rhost plugin inspect decide.wasm --key team.pub --json",
		Args:    exactArgs(1, "PLUGIN", "a file, a folder, or a name under plugins/"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findPlugin(args[0])
			if err != nil {
				return err
			}
			if err := sayStale(cmd, f); err != nil {
				return err
			}
			info, err := inspect(cmd.Context(), f)
			if err != nil {
				return err
			}
			src, err := f.Read()
			if err != nil {
				return usage(err)
			}
			signed, err := signatureOf(f, src, keys)
			if err != nil {
				return err
			}
			var module *anatomy // of a script there is none
			if f.Kind == deploy.Wasm {
				if module, err = dissect(src); err != nil {
					return usage(err)
				}
			}
			needs := make([]string, len(info.Needs))
			for i, c := range info.Needs {
				needs[i] = string(c)
			}
			if asJSON {
				shown := map[string]any{
					"name": info.Name, "engine": info.Engine, "abi": info.ABI, "digest": info.Digest, "size": info.Size, "needs": needs,
					"signature": signed,
				}
				if module != nil {
					shown["module"] = module
				}
				if m := info.Manifest; m != nil {
					shown["manifest"] = m.JSON
				}
				if info.Proposals != nil {
					shown["proposals"] = info.Proposals
				}
				if info.Exports != nil {
					shown["exports"], shown["entry"] = info.Exports, info.Entry
				}
				raw, err := json.Marshal(shown)
				if err != nil {
					return err
				}
				return printIndented(cmd.OutOrStdout(), raw)
			}
			rows := [][]string{
				{"name", info.Name},
				{"file", relative(f.File)},
				{"engine", info.Engine},
				{"abi", info.ABI},
				{"size", thousands(info.Size) + " bytes"},
				{"digest", info.Digest},
				{"signature", signed.String()},
				{"asks for", strings.Join(needs, ", ")},
			}
			if info.Exports != nil {
				rows = append(rows, []string{"calls", entryOf(info)})
			}
			for _, p := range info.Proposals {
				rows = append(rows, []string{"needs", "wasm." + p + ": true in rhost.yaml of its host"})
			}
			rows = append(rows, manifestRows(info.Manifest)...)
			return newStyle(cmd.OutOrStdout()).table(nil, append(rows, module.rows()...))
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "file with a public key to check the signature with; may be repeated")
	completeFiles(cmd, "key", "pub", "pem")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON, for machines")
	return cmd
}

// entryOf says which function of a guest that was written for another host is called,
// and which others could be.
func entryOf(info sandbox.Info) string {
	others := slices.DeleteFunc(slices.Clone(info.Exports), func(e string) bool { return e == info.Entry })
	switch {
	case info.Entry == "":
		return "one of " + strings.Join(others, ", ") + ": say which with export"
	case len(others) == 0:
		return info.Entry
	}
	return info.Entry + "; with export, " + strings.Join(others, ", ")
}

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

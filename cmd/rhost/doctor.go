package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
)

// exitWarning is the exit code of a doctor that found nothing worse than what
// somebody should look at.
const exitWarning = 5

func doctorCmd() *cobra.Command {
	var o host.DoctorOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [DIR]",
		Short: "Check an app folder and all that its host has stored",
		Long: `Check the app in DIR (default: the present folder) and its data folder: whether
config, rules and keys load, the lock, the room on disk, permissions, every frame of
the log with its checksum, its chain and its records, every blob, and the files
beside the log. The host may be running: then the part of the log that was there at
the start of the check is checked, and the host is asked how it is.

Nothing is written, unless --repair asks for it. It makes these repairs, none of
which loses anything, on a host that is stopped, and keeps what it changes in
DATA/repaired:
  tail   cuts a write off the end of a stream that was never acknowledged
  index  removes a damaged index of the storage engine, which is made again
  mode   takes permissions away that others should not have

Exit codes: 0 all is well · 2 bad input, or a folder that it
cannot look at · 4 damage, or the host
does not start · 5 warnings, and no damage`,
		Example: `  rhost doctor
  rhost doctor /srv/app --data /var/lib/rhost
  rhost doctor --json | jq '.checks[] | select(.verdict != "ok")'
  rhost doctor --repair`,
		ValidArgsFunction: folderArgs(1),
		Args:              cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.App, o.Version = ".", version
			if len(args) == 1 {
				o.App = args[0]
			}
			bar := newProgress(cmd.ErrOrStderr(), asJSON)
			o.Progress = bar.show
			d, err := host.Doctor(cmd.Context(), o)
			bar.end()
			if err != nil {
				return usage(err)
			}
			if d.Running != "" {
				d.Findings = append(d.Findings, askHost(cmd.Context(), d)...)
			}
			if err := showDiagnosis(cmd.OutOrStdout(), d, asJSON); err != nil {
				return err
			}
			switch d.Worst() {
			case host.Damage:
				return &codedError{exitDamaged, fmt.Errorf("there is damage in %s", d.Data)}
			case host.Warning:
				return &codedError{exitWarning, fmt.Errorf("there are warnings about %s", d.Data)}
			case host.Well:
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Data, "data", "", "data folder (default: data_dir of rhost.yaml, .rhost in the app)")
	f.StringArrayVar(&o.Set, "set", nil, "override a key of rhost.yaml: KEY.KEY=VALUE (repeatable)")
	f.BoolVar(&o.Repair, "repair", false, "make the repairs that are safe: tail, index, mode")
	f.BoolVar(&asJSON, "json", false, "one JSON object, for machines")
	return cmd
}

// askHost asks a running host how it is.
func askHost(ctx context.Context, d *host.Diagnosis) []host.Finding {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c := host.Finding{Name: "running host", Verdict: host.Warning, Fix: "`rhost status`, and what the host has logged"}
	r := reach{app: d.App, data: d.Data}
	client, err := r.host()
	if err != nil {
		c.Found, c.Means = "it does not answer at its socket", "it is starting or stopping, or hangs"
		return []host.Finding{c}
	}
	defer client.Close()
	raw, err := client.Status(ctx)
	var s host.Summary
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	switch {
	case err != nil:
		c.Found, c.Means = err.Error(), "it hangs, or the disk does"
	case s.Busy != "":
		c.Found, c.Means = s.Busy, "events wait"
	default:
		c = host.Finding{Name: "running host", Verdict: host.Well, Found: fmt.Sprintf("answers; %s, %s since its start", plural(s.Counts.Events, "event"), pluralES(s.Counts.Matches, "match"))}
	}
	list := []host.Finding{c}
	for _, src := range s.Sources {
		if src.Error != "" {
			list = append(list, host.Finding{
				Name: "source " + src.Name, Verdict: host.Warning, Found: src.Error,
				Means: "nothing comes from it", Fix: "correct what the message names; the host tries again by itself",
			})
		}
	}
	return list
}

// showDiagnosis prints the table of checks, and below it what to do.
func showDiagnosis(w io.Writer, d *host.Diagnosis, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(d)
	}
	s := newStyle(w)
	for _, r := range d.Repairs {
		kept := ""
		if r.Kept != "" {
			kept = "; kept in " + clean(r.Kept)
		}
		if err := s.line("%s %s: %s%s", s.green("repaired"), clean(r.Path), clean(r.Did), kept); err != nil {
			return err
		}
	}
	names := 0
	for i := range d.Findings {
		names = max(names, len([]rune(d.Findings[i].Name)))
	}
	for i := range d.Findings {
		c := &d.Findings[i]
		if err := s.line("%s  %s  %s", verdictText(s, c.Verdict), pad(clean(c.Name), names), clean(c.Found)); err != nil {
			return err
		}
		if c.Verdict == host.Well {
			continue
		}
		indent := pad("", 11)
		if err := s.line("%s%s %s\n%s%s %s", indent, s.dim("means:"), clean(c.Means), indent, s.dim("fix:  "), clean(c.Fix)); err != nil {
			return err
		}
	}
	return nil
}

func verdictText(s style, v host.Verdict) string {
	text := pad(string(v), 7)
	switch v {
	case host.Damage:
		return s.red(text)
	case host.Warning:
		return s.yellow(text)
	case host.Well:
	}
	return s.green(text)
}

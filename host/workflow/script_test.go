package workflow_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/workflow"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestScripts plays the scripts in testdata and compares what the engine says.
// A script is a txtar archive: the definition, the lines to play, the transcript.
//
//	start MATCH JSON     a match arrives
//	ok STEP [JSON]       the running command of STEP succeeds; STEP/undo is its undo
//	drop STEP            it finds nothing to do
//	fail STEP KIND [AFTER]
//	advance DURATION     time passes, timers fire
//	crash                a new engine recovers from the records so far
//	forget               as crash, and the definition is gone; `remember` brings it back
//	redrive | discard    the dead letter
//	letters              list them
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			require.NoError(t, err)
			require.Len(t, ar.Files, 3)
			p := newPlay(t, string(ar.Files[0].Data))
			for line := range strings.Lines(string(ar.Files[1].Data)) {
				p.line(strings.TrimSpace(line))
			}
			if *update {
				ar.Files[2].Data = []byte(p.out.String())
				require.NoError(t, os.WriteFile(file, txtar.Format(ar), 0o644))
				return
			}
			assert.Equal(t, string(ar.Files[2].Data), p.out.String(), "run with -update and review the difference")
		})
	}
}

// play is one script on its way.
type play struct {
	t    *testing.T
	def  *workflow.Definition
	opt  workflow.Options
	e    *workflow.Engine
	now  time.Time
	log  []workflow.Record
	cmds map[string]workflow.Command // running, by step
	out  strings.Builder
}

func newPlay(t *testing.T, src string) *play {
	t.Helper()
	def := mustParse(t, src)
	p := &play{t: t, def: def, opt: options(def), now: epoch, cmds: make(map[string]workflow.Command)}
	p.e = workflow.NewEngine(p.opt)
	return p
}

func (p *play) line(line string) {
	word := strings.SplitN(line, " ", 3)
	if word[0] == "" || word[0][0] == '#' {
		return
	}
	fmt.Fprintf(&p.out, "> %s\n", line)
	arg := func(i int) string {
		if i < len(word) {
			return word[i]
		}
		return ""
	}
	switch word[0] {
	case "start":
		p.show(p.e.Start(p.def, info(arg(1), arg(2)), p.now))
	case "ok", "drop":
		res := p.take(arg(1)).Answer(nil)
		if arg(2) != "" {
			res.Out = json.RawMessage(arg(2))
		}
		res.Dropped = word[0] == "drop"
		p.show(p.e.Complete(res, p.now))
	case "fail":
		kind, after, _ := strings.Cut(arg(2), " ")
		res := p.take(arg(1)).Fail(workflow.FailureKind(kind), "it said "+kind)
		if after != "" {
			d, err := time.ParseDuration(after)
			require.NoError(p.t, err)
			res.Failure.After = d
		}
		p.show(p.e.Complete(res, p.now))
	case "advance":
		d, err := time.ParseDuration(arg(1))
		require.NoError(p.t, err)
		p.now = p.now.Add(d)
		p.show(p.e.Tick(p.now))
	case "forget", "remember", "crash":
		p.restart(word[0])
	case "redrive":
		out, err := p.e.Redrive(p.letter().Execution, p.now)
		require.NoError(p.t, err)
		p.show(out)
	case "discard":
		out, err := p.e.Discard(p.letter().Execution, p.now)
		require.NoError(p.t, err)
		p.show(out)
	case "letters":
		for _, l := range p.e.DeadLetters() {
			fmt.Fprintf(&p.out, "  letter %s %s, would go on from %s\n", l.Execution, l.Status, l.Redrive)
		}
	default:
		p.t.Fatalf("no such line: %s", line)
	}
}

func (p *play) letter() workflow.DeadLetter {
	letters := p.e.DeadLetters()
	require.Len(p.t, letters, 1)
	return letters[0]
}

func (p *play) restart(how string) {
	switch how {
	case "forget":
		p.opt = options()
	case "remember":
		p.opt = options(p.def)
	}
	p.e = workflow.NewEngine(p.opt)
	for _, r := range recode(p.t, p.log) {
		require.NoError(p.t, p.e.Apply(r))
	}
	clear(p.cmds)
	p.show(p.e.Recovered(p.now))
}

// take returns the running command of a step, or of its undo.
func (p *play) take(step string) workflow.Command {
	cmd, ok := p.cmds[step]
	require.True(p.t, ok, "no command of %s is running", step)
	delete(p.cmds, step)
	return cmd
}

func (p *play) show(out workflow.Output) {
	for _, r := range out.Records {
		fmt.Fprintf(&p.out, "  %s\n", describe(r))
	}
	for _, c := range out.Commands {
		name := c.Step
		if c.Undo {
			name += "/undo"
		}
		p.cmds[name] = c
		fmt.Fprintf(&p.out, "  -> %s %s #%d %s %s key=%s\n", name, c.Action, c.Attempt, c.Plugin, c.Args, c.Key)
	}
	p.log = append(p.log, out.Records...)
}

func describe(r workflow.Record) string {
	at := r.At.Sub(epoch)
	switch {
	case r.Started != nil:
		return fmt.Sprintf("%s %s by %s", at, r.Kind, r.Started.Key)
	case r.Scheduled != nil:
		s := fmt.Sprintf("%s %s %s #%d", at, r.Kind, r.Scheduled.Step, r.Scheduled.Attempt)
		if !r.Scheduled.Deadline.IsZero() {
			s += fmt.Sprintf(" deadline %s", r.Scheduled.Deadline.Sub(epoch))
		}
		return s
	case r.Succeeded != nil:
		s := fmt.Sprintf("%s %s %s #%d", at, r.Kind, r.Succeeded.Step, r.Succeeded.Attempt)
		for i, e := range r.Succeeded.Effects {
			s += fmt.Sprintf(" %s %s %s id=%s", e.Kind, e.Name, e.Value, r.EffectID(i))
		}
		return s
	case r.Failed != nil:
		return fmt.Sprintf("%s %s %s #%d %s retryable=%v: %s", at, r.Kind, r.Failed.Step, r.Failed.Attempt, r.Failed.Kind, r.Failed.Retryable, r.Failed.Message)
	case r.RetryAt != nil:
		return fmt.Sprintf("%s %s %s #%d at %s", at, r.Kind, r.RetryAt.Step, r.RetryAt.Attempt, r.RetryAt.At.Sub(epoch))
	case r.Finished != nil:
		return fmt.Sprintf("%s %s %s errors=%d", at, r.Kind, r.Finished.Status, len(r.Finished.Errors))
	case r.DeadLettered != nil:
		s := fmt.Sprintf("%s %s", at, r.Kind)
		for _, st := range r.DeadLettered.Steps {
			s += fmt.Sprintf(" %s:%s", st.Step, st.State)
		}
		return s
	case r.Redriven != nil:
		return fmt.Sprintf("%s %s from %s", at, r.Kind, r.Redriven.From)
	default:
		return fmt.Sprintf("%s %s %s", at, r.Kind, r.Dropped.Reason)
	}
}

package cep_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestTranscripts plays the scripts in testdata. A script is a txtar file: rules
// in *.yaml, events in events.ndjson, and what came of them in out.txt: a line for
// each match, the counts that are not zero, and what did not match and why.
// Between the events stand lines that begin with a word: `swap FILE` puts other
// rules in place, `advance TIME` moves time.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			script := txtar.Parse(raw)
			got := playScript(t, script)
			if *update {
				setFile(script, "out.txt", got)
				require.NoError(t, os.WriteFile(file, txtar.Format(script), 0o600))
				return
			}
			assert.Equal(t, string(fileOf(script, "out.txt")), got)
		})
	}
}

func fileOf(a *txtar.Archive, name string) []byte {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func setFile(a *txtar.Archive, name, data string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(data)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(data)})
}

func playScript(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	var out strings.Builder
	compile := func(name string) *cep.Program {
		rules, err := cep.ParseRules(name, fileOf(a, name))
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
			return nil
		}
		p, err := cep.Compile(rules)
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
			return nil
		}
		return p
	}
	p := compile("rules.yaml")
	if p == nil {
		return out.String()
	}
	s := cep.NewStream(p, cep.Options{Tenant: "test", Explain: true})
	lines := event.NewReader(bytes.NewReader(fileOf(a, "events.ndjson")), 0)
	for n := 1; ; {
		_, text, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		var ms []cep.Match
		switch word, arg, _ := strings.Cut(string(text), " "); word {
		case "swap":
			if next := compile(arg); next != nil {
				s.Matcher().Swap(next)
				p = next
			}
		case "advance":
			at, err := time.Parse(time.RFC3339, arg)
			require.NoError(t, err)
			ms = s.AdvanceTo(at, nil)
		default:
			ms, err = s.Line(n, text, nil)
			n++
			if err != nil {
				fmt.Fprintf(&out, "error: %v\n", err)
			}
		}
		for i := range ms {
			out.Write(append(ms[i].AppendJSON(nil), '\n'))
			if len(ms[i].Why) == 0 {
				t.Error("a match without reasons")
			}
		}
	}
	writeCounts(&out, s.Matcher().Stats())
	for _, r := range p.Rules() {
		if f, ok := s.Matcher().WhyNot(r.Name); ok && f.Matches == 0 {
			writeFurthest(&out, f)
		}
	}
	return out.String()
}

func writeCounts(out *strings.Builder, s cep.Stats) {
	for _, r := range s.Rules {
		for _, c := range []struct {
			name string
			n    uint64
		}{
			{"keyless", r.Keyless},
			{"rejected", r.Rejected},
			{"dropped", r.Dropped},
			{"overflow", r.Overflow},
			{"keys", uint64(r.Keys)},
			{"runs", uint64(r.Runs)},
		} {
			if c.n > 0 {
				draining := ""
				if r.Draining {
					draining = " (draining)"
				}
				fmt.Fprintf(out, "count: %s%s %s %d\n", r.Rule, draining, c.name, c.n)
			}
		}
	}
}

func writeFurthest(out *strings.Builder, f cep.Furthest) {
	fmt.Fprintf(out, "why not %s: has", f.Rule)
	for _, b := range f.Bind {
		fmt.Fprintf(out, " %s×%d", b.Element, len(b.Events))
	}
	if len(f.Bind) == 0 {
		out.WriteString(" nothing")
	}
	fmt.Fprintf(out, ", waits for %s", strings.Join(f.Waiting, " or "))
	if f.Expired {
		out.WriteString(", ran out of time at " + f.Deadline.Format(time.RFC3339Nano))
	}
	out.WriteString("\n")
	if f.Stop == nil {
		return
	}
	verb := "is not"
	if f.Stop.Forbidden {
		verb = "is the forbidden"
	}
	fmt.Fprintf(out, "  %s %s %s:\n", f.Stop.Event, verb, f.Stop.Element)
	for _, a := range f.Stop.Atoms {
		fmt.Fprintf(out, "    %s is %s", a.Text, a.Result)
		for _, v := range a.Values {
			value := string(v.Value)
			if value == "" {
				value = "missing"
			}
			fmt.Fprintf(out, "; %s = %s", v.Path, value)
		}
		out.WriteString("\n")
	}
}

// Package examples_test runs every example app: its rules over its events, its
// rules' own tests, and the app itself, with its plugins.
package examples_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host"
)

var update = flag.Bool("update", false, "rewrite want.ndjson")

func apps(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("*/rhost.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, found)
	dirs := make([]string, len(found))
	for i, name := range found {
		dirs[i] = filepath.Dir(name)
	}
	return dirs
}

// TestMatches runs the rules over events.ndjson and compares the lines of `rhost
// match`, without their ids, with want.ndjson.
func TestMatches(t *testing.T) {
	for _, app := range apps(t) {
		t.Run(app, func(t *testing.T) {
			files, err := host.ReadRules(app)
			require.NoError(t, err)
			set, err := host.CompileRules(files)
			require.NoError(t, err)
			got := run(t, set.Program, filepath.Join(app, "events.ndjson"))
			name := filepath.Join(app, "want.ndjson")
			if *update {
				require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
			}
			want, err := os.ReadFile(name)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
			assert.NotEmpty(t, got, "an example that matches nothing shows nothing")
		})
	}
}

func run(t *testing.T, p *cep.Program, events string) string {
	t.Helper()
	f, err := os.Open(events)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // it was only read
	var out strings.Builder
	stream := cep.NewStream(p, cep.Options{})
	r := event.NewReader(f, 0)
	for {
		n, line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		require.NoError(t, err)
		matches, err := stream.Line(n, line, nil)
		require.NoError(t, err)
		for i := range matches {
			out.WriteString(withoutID(t, matches[i].AppendJSON(nil)) + "\n")
		}
	}
}

// withoutID removes the id, which names the rule's version and so changes with
// every edit of the rule.
func withoutID(t *testing.T, line []byte) string {
	t.Helper()
	var m struct {
		ID string `json:"id"`
	}
	require.NoError(t, json.Unmarshal(line, &m))
	return string(bytes.Replace(line, []byte(`"id":"`+m.ID+`",`), nil, 1))
}

// TestRuleTests runs the tests: that the rules carry.
func TestRuleTests(t *testing.T) {
	for _, app := range apps(t) {
		files, err := host.ReadRules(app)
		require.NoError(t, err)
		for _, f := range files {
			rules, err := cep.ParseRules(f.Name, []byte(f.Text))
			require.NoError(t, err)
			for _, r := range rules {
				assert.NotEmpty(t, r.Tests, "%s: rule %s carries no tests", app, r.Name)
				for _, test := range r.Tests {
					given, err := os.ReadFile(filepath.Join(app, filepath.Dir(f.Name), test.Given))
					require.NoError(t, err)
					res, err := cep.RunTest(r, test, given, nil)
					require.NoError(t, err)
					assert.Empty(t, res.Failed, "%s: rule %s over %s", app, r.Name, test.Given)
				}
			}
		}
	}
}

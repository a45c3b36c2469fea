package sigma_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/sigma"
)

const shared = "../../../shared/data/sigma"

// published reads the published rules, or skips the test.
func published(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared, "rules", "*.yml"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("the published rules are not beside this repository: " + shared)
	}
	out := make(map[string][]byte)
	for _, f := range files {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		out[filepath.Base(f)] = src
	}
	return out
}

// compile converts Sigma files and compiles what comes out.
func compile(t testing.TB, m *sigma.Mapping, files map[string][]byte) (*cep.Program, []sigma.Converted) {
	t.Helper()
	i := sigma.New(m)
	for name, src := range files {
		require.NoError(t, i.Add(name, src))
	}
	out, problems := i.Convert()
	require.Empty(t, problems)
	var rules []*cep.Rule
	for _, c := range out {
		parsed, err := cep.ParseRules(c.Name, c.YAML)
		require.NoError(t, err, "%s", c.YAML)
		rules = append(rules, parsed...)
	}
	p, err := cep.Compile(rules)
	require.NoError(t, err)
	return p, out
}

// fires feeds events to a program and gives, per event id, the rules that match.
func fires(t testing.TB, p *cep.Program, events [][]byte) map[string]map[string]bool {
	t.Helper()
	s := cep.NewStream(p, cep.Options{})
	out := make(map[string]map[string]bool)
	for n, line := range events {
		var id struct{ ID string }
		require.NoError(t, json.Unmarshal(line, &id))
		matches, err := s.Line(n+1, line, nil)
		require.NoError(t, err)
		out[id.ID] = make(map[string]bool)
		for _, m := range matches {
			out[id.ID][m.Rule.Name] = true
		}
	}
	return out
}

func lines(t testing.TB, file string) [][]byte {
	t.Helper()
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	return bytes.Split(bytes.TrimSpace(src), []byte("\n"))
}

// Each published rule fires on an event that was recorded for it.
func TestPublishedRules(t *testing.T) {
	p, out := compile(t, nil, published(t))
	assert.Len(t, out, 40)
	byID := make(map[string]string)
	for _, c := range out {
		byID[c.ID] = c.Name
	}
	fired := fires(t, p, lines(t, filepath.Join(shared, "events.ndjson")))
	hit := make(map[string]bool)
	want := make(map[string]bool)
	for _, line := range lines(t, filepath.Join(shared, "expected.ndjson")) {
		var e struct {
			Event string
			Fires []string
		}
		require.NoError(t, json.Unmarshal(line, &e))
		for _, id := range e.Fires {
			want[id] = true
			hit[id] = hit[id] || fired[e.Event][byID[id]]
		}
	}
	assert.Equal(t, want, hit)
	assert.Len(t, want, 40)
	for _, c := range out {
		assert.True(t, strings.HasPrefix(string(c.YAML), "# Sigma: "+c.File+", id "+c.ID), c.Name)
	}
}

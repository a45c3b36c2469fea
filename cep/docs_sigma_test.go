package cep_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/sigma"
)

// sigma converts Sigma rules with the mapping of the example and makes the checks:
//
//	yaml sigma        a file of Sigma documents, preceded by yaml mapping if need be
//	yaml document     the documents that come of it, whole
//	yaml converted    the same without comments, description and labels
//	text problem      what could not be converted
//
// Events and matches that follow are those of the converted rules.
func (e example) sigma(t *testing.T) {
	t.Helper()
	var m *sigma.Mapping
	for _, f := range e.files {
		require.Equal(t, "yaml mapping", f.kind, "line %d", f.line)
		var err error
		m, err = sigma.ParseMapping("mapping.yaml", []byte(f.text))
		require.NoError(t, err)
	}
	i := sigma.New(m)
	require.NoError(t, i.Add("sigma.yml", []byte(e.open.text)))
	converted, problems := i.Convert()
	var docs, told []string
	for _, c := range converted {
		docs = append(docs, string(c.YAML))
	}
	for _, p := range problems {
		told = append(told, p.String())
	}
	text := strings.Join(docs, "---\n")
	rest := example{open: block{kind: "yaml rule"}}
	for _, c := range e.checks {
		switch c.kind {
		case "yaml document":
			assert.Equal(t, c.text, text, "line %d", c.line)
		case "yaml converted":
			assert.Equal(t, c.text, plain(text), "line %d", c.line)
		case "text problem":
			assert.Equal(t, strings.TrimSpace(c.text), strings.Join(told, "\n"), "line %d", c.line)
			told = nil
		default:
			rest.checks = append(rest.checks, c)
		}
	}
	assert.Empty(t, told, "problems that the page does not show")
	require.NotEmpty(t, e.checks, "nothing checks this rule")
	if len(rest.checks) > 0 {
		rest.rules(t, "converted.yaml", text)
	}
}

// selection converts a Sigma selection.
func (r row) selection(t *testing.T) {
	i := sigma.New(nil)
	require.NoError(t, i.Add("sigma.yml", []byte("title: t\nlogsource: {product: linux}\ndetection:\n  sel:\n    "+r.cells[0]+"\n  condition: sel\n")))
	converted, problems := i.Convert()
	require.Empty(t, problems)
	require.Len(t, converted, 1)
	rules, err := cep.ParseRules("converted.yaml", converted[0].YAML)
	require.NoError(t, err)
	cond := strings.Join(strings.Fields(rules[0].When.Pattern.Elems[0].Cond), " ")
	cond = strings.NewReplacer("( ", "(", " )", ")").Replace(cond)
	assert.Equal(t, r.cells[1], strings.TrimPrefix(cond, `type == "linux.event" && `))
}

// plain takes comments, descriptions and labels out of documents.
func plain(text string) string {
	var b strings.Builder
	leaving := false
	for _, line := range strings.SplitAfter(text, "\n") {
		if !strings.HasPrefix(line, " ") {
			leaving = strings.HasPrefix(line, "description:") || strings.HasPrefix(line, "labels:") || strings.HasPrefix(line, "#")
		}
		if !leaving {
			b.WriteString(line)
		}
	}
	return b.String()
}

package cep_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
)

// TestManual runs every example of the manual's pages on rules, as `rhost match`
// would. An example is a block of a rule and what follows it:
//
//	yaml rule         a file of rules; its `tests:` must pass
//	text error        what ParseRules and Compile say of it, word by word
//	ndjson events     what a new stream is fed
//	ndjson matches    what came of these: a line for each match, with the keys
//	                  that matter; bind or window must be among them
//	json counts       what the rule counted meanwhile, as far as it is named
//	text stopped      why rules were stopped
//	text steps        what texts of steps come to for the last match: TEXT = RESULT
//	yaml change       rules that are put in the place of the others; what events
//	                  follow go on with the stream
//	text changes      what became of partial matches: RULE ACTION OPEN
//	json why-not      what `rhost explain --why-not` says, as far as it is named
//	text warnings     what `rhost validate` finds odd
//	json plan         what `rhost explain` says, as far as it is named
//
// Before a rule stand the files that it needs: `csv table NAME`, or json or txt, and
// `json schema FILE`.
//
// Tables with the columns that runTables lists are run row by row. Nothing is checked of blocks of the kinds in
// unchecked; a block of any other kind is an error, and so is a rule that nothing
// checks.
func TestManual(t *testing.T) {
	for _, page := range []string{"rules.md", "sigma.md"} {
		t.Run(page, func(t *testing.T) {
			blocks, rows := readPage(t, filepath.Join("..", "docs", page))
			for _, e := range examples(t, blocks) {
				t.Run(fmt.Sprint("line ", e.open.line), e.run)
			}
			for _, r := range rows {
				t.Run(fmt.Sprint("line ", r.line), r.run)
			}
		})
	}
}

// unchecked are the kinds of blocks that are there to be read only.
var unchecked = []string{"console", "yaml fragment", "text"}

// example is a block that opens one, with the files it needs and its checks.
type example struct {
	files  []block
	open   block
	checks []block
}

// examples puts blocks together.
func examples(t *testing.T, blocks []block) []example {
	t.Helper()
	var list []example
	var files []block
	for _, b := range blocks {
		switch {
		case slices.Contains(unchecked, b.kind):
		case strings.Contains(b.kind, " table ") || strings.HasPrefix(b.kind, "json schema ") || b.kind == "yaml mapping":
			files = append(files, b)
		case b.kind == "yaml rule" || b.kind == "yaml sigma":
			list, files = append(list, example{files: files, open: b}), nil
		case len(list) > 0 && len(files) == 0 && isCheck(b.kind):
			last := &list[len(list)-1]
			last.checks = append(last.checks, b)
		default:
			require.Fail(t, "unexpected block", "line %d: %q", b.line, b.kind)
		}
	}
	return list
}

func isCheck(kind string) bool {
	switch kind {
	case "ndjson events", "ndjson matches", "text error", "text stopped", "json counts", "json plan", "text warnings",
		"text steps", "yaml change", "text changes", "json why-not",
		"yaml document", "yaml converted", "text problem":
		return true
	}
	return false
}

func (e example) run(t *testing.T) {
	if e.open.pending != "" {
		t.Skip(e.open.pending)
	}
	if e.open.kind == "yaml sigma" {
		e.sigma(t)
		return
	}
	e.rules(t, "rule.yaml", e.open.text)
}

// rules compiles rules and makes the checks.
func (e example) rules(t *testing.T, file, text string) {
	t.Helper()
	rules, err := cep.ParseRules(file, []byte(text))
	var program *cep.Program
	if err == nil {
		program, err = e.compile(t, rules)
	}
	if len(e.checks) > 0 && e.checks[0].kind == "text error" {
		require.Error(t, err)
		assert.Equal(t, strings.TrimSpace(e.checks[0].text), err.Error())
		return
	}
	require.NoError(t, err)
	tested := e.tests(t, rules)
	require.True(t, tested || len(e.checks) > 0, "nothing checks this rule")
	var f *feeding
	for i, c := range e.checks {
		switch {
		case c.kind == "json plan":
			plan, ok := program.Plan(rules[0].Name)
			require.True(t, ok)
			assertHas(t, c, plan)
		case c.kind == "text warnings":
			var told []string
			for _, w := range analysis.Check(program) {
				told = append(told, fmt.Sprintf("%s [%s]", w, w.Code))
			}
			assert.Equal(t, strings.TrimSpace(c.text), strings.Join(told, "\n"), "line %d", c.line)
		case c.kind == "ndjson events":
			require.Less(t, i+1, len(e.checks), "nothing follows the events at line %d", c.line)
			if f == nil || !f.goesOn {
				f = &feeding{example: e, program: program, s: cep.NewStream(program, cep.Options{Explain: true, Tables: cep.NewTables(e.tables(t))})}
			}
			f.feed(t, c)
		case f != nil:
			f.check(t, c, rules[0])
		default:
			require.Fail(t, "unexpected block", "line %d: %q", c.line, c.kind)
		}
	}
}

// compile checks and compiles rules, with the tables and schemas of the example, as
// a host does.
func (e example) compile(t *testing.T, rules []*cep.Rule) (*cep.Program, error) {
	t.Helper()
	program, err := cep.Compile(rules)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range e.tables(t) {
		names = append(names, name)
	}
	var schemas []*cep.Schema
	for _, f := range e.files {
		if name, ok := strings.CutPrefix(f.kind, "json schema "); ok {
			schema, err := cep.ParseSchema(name, []byte(f.text))
			require.NoError(t, err, "line %d", f.line)
			schemas = append(schemas, schema)
		}
	}
	all, err := cep.NewSchemas(schemas...)
	require.NoError(t, err)
	return program, cep.Check(rules, names, all).Err()
}

// tables reads the lookup tables of the example.
func (e example) tables(t *testing.T) map[string]*cep.Table {
	t.Helper()
	tables := make(map[string]*cep.Table)
	for _, f := range e.files {
		if format, name, ok := strings.Cut(f.kind, " table "); ok {
			table, err := cep.ParseTable(name, name+"."+format, []byte(f.text))
			require.NoError(t, err, "line %d", f.line)
			tables[name] = table
		}
	}
	return tables
}

// tests runs the tests that rules bring along.
func (e example) tests(t *testing.T, rules []*cep.Rule) (tested bool) {
	t.Helper()
	for _, r := range rules {
		for _, test := range r.Tests {
			tested = true
			result, err := cep.RunTest(r, test, nil, nil)
			require.NoError(t, err)
			assert.Empty(t, result.Failed, test.Pos.String())
		}
	}
	return tested
}

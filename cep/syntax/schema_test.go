package syntax_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

func TestSchemaIsCommitted(t *testing.T) {
	golden(t, "rule.schema.json", string(syntax.Schema()))
}

// Every key has a schema of its own, with a word on what it is.
func TestSchemaHasNoGaps(t *testing.T) {
	var root map[string]any
	require.NoError(t, json.Unmarshal(syntax.Schema(), &root))
	var walk func(path string, x any)
	walk = func(path string, x any) {
		switch x := x.(type) {
		case nil:
			assert.Fail(t, "no schema", path)
		case map[string]any:
			for k, v := range x {
				walk(path+"/"+k, v)
			}
		case []any:
			for _, v := range x {
				walk(path, v)
			}
		}
	}
	walk("", root)
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(syntax.Schema()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("rule.schema.json", doc))
	s, err := c.Compile("rule.schema.json")
	require.NoError(t, err)
	return s
}

// What Parse takes, the schema takes: an editor marks nothing that is right.
func TestSchemaTakesGoodRules(t *testing.T) {
	s := schema(t)
	var files []string
	for _, glob := range []string{"testdata/good/*.yaml", "testdata/frozen/*.yaml", "../../plugins/examples/*/rules/*.yaml"} {
		more, err := filepath.Glob(glob)
		require.NoError(t, err)
		require.NotEmpty(t, more, glob)
		files = append(files, more...)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		docs, err := yamldoc.Parse(file, src)
		require.NoError(t, err)
		for _, doc := range docs {
			assert.NoError(t, s.Validate(doc.Any()), "%s", doc.Pos)
		}
	}
}

// Of what Parse refuses, the schema refuses what does not take a parser of
// patterns or conditions.
func TestSchemaRefusesBadRules(t *testing.T) {
	s := schema(t)
	for _, name := range []string{
		"unknown-key", "unknown-keys-everywhere", "keys-of-another-trigger", "later-top-level", "later-triggers", "later-tests", "bad-values",
		"missing-rule-and-when", "neither", "condition-and-pattern", "condition-with-define", "reserved-elements", "no-where", "not-a-map", "empty-when",
	} {
		file := filepath.Join("testdata/bad", name+".yaml")
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		docs, err := yamldoc.Parse(file, src)
		require.NoError(t, err)
		require.NotEmpty(t, docs)
		for _, doc := range docs {
			if rules, _ := syntax.Parse(file, documentAt(string(src), doc)); len(rules) == 0 {
				assert.Error(t, s.Validate(doc.Any()), "%s", doc.Pos)
			}
		}
	}
}

// documentAt gives the text of one document.
func documentAt(src string, doc *yamldoc.Node) []byte {
	lines := strings.SplitAfter(src, "\n")[doc.Pos.Line-1:]
	for i, line := range lines {
		if strings.HasPrefix(line, "---") {
			lines = lines[:i]
			break
		}
	}
	return []byte(strings.Join(lines, ""))
}

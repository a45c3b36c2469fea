package workflow_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/yamldoc"
)

// paths is the compiler of these tests: inside `${…}` stands a dotted path that
// begins with match or steps.
type paths struct{}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

func (paths) Template(n *yamldoc.Node) (workflow.Template, error) {
	for _, m := range placeholder.FindAllStringSubmatch(n.Text, -1) {
		if first, _, ok := strings.Cut(m[1], "."); !ok || first != "match" && first != "steps" {
			return nil, yamldoc.Errorf(n.Pos, "", "test", "begin with match or steps", "%q is not known", first)
		}
	}
	return path(n.Text), nil
}

type path string

func (p path) StepRefs() []string {
	var ids []string
	for _, m := range placeholder.FindAllStringSubmatch(string(p), -1) {
		if parts := strings.Split(m[1], "."); parts[0] == "steps" {
			ids = append(ids, parts[1])
		}
	}
	return ids
}

func (p path) Eval(env workflow.Env) (any, error) {
	root := map[string]any{"match": env.Match, "steps": env.Steps}
	lookup := func(path string) (any, error) {
		var v any = root
		for part := range strings.SplitSeq(path, ".") {
			m, _ := v.(map[string]any) // nil where v is no map
			var ok bool
			if v, ok = m[part]; !ok {
				return nil, fmt.Errorf("%s is unknown", path)
			}
		}
		return v, nil
	}
	if m := placeholder.FindStringSubmatch(string(p)); m != nil && m[0] == string(p) {
		return lookup(m[1])
	}
	var failed error
	text := placeholder.ReplaceAllStringFunc(string(p), func(s string) string {
		v, err := lookup(s[2 : len(s)-1])
		if err != nil {
			failed = err
		}
		return fmt.Sprint(v)
	})
	return text, failed
}

// parse compiles a document with `do:` and `on_failure:`.
func parse(src string) (*workflow.Definition, error) {
	docs, err := yamldoc.Parse("rule.yaml", []byte(src))
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return nil, errors.New("no document")
	}
	return workflow.Parse(docs[0].Get("do"), docs[0].Get("on_failure"), paths{})
}

func mustParse(t require.TestingT, src string) *workflow.Definition {
	if h, ok := t.(testing.TB); ok {
		h.Helper()
	}
	def, err := parse(src)
	require.NoError(t, err)
	return def
}

// options finds the given definitions and decodes matches as JSON.
func options(defs ...*workflow.Definition) workflow.Options {
	return workflow.Options{
		Definition: func(_, _, digest string) (*workflow.Definition, bool) {
			for _, d := range defs {
				if d.Digest() == digest {
					return d, true
				}
			}
			return nil, false
		},
		Match: func(payload workflow.Payload) (any, error) {
			var v any
			err := json.Unmarshal(payload, &v)
			return v, err
		},
	}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func info(key, payload string) workflow.StartInfo {
	return workflow.StartInfo{Key: key, Rule: "r", Version: "v1", Payload: workflow.Payload(payload)}
}

// recode sends records through the log's format.
func recode(t require.TestingT, recs []workflow.Record) []workflow.Record {
	out := make([]workflow.Record, len(recs))
	for i, r := range recs {
		b, err := r.Encode()
		require.NoError(t, err)
		out[i], err = workflow.DecodeRecord(b)
		require.NoError(t, err)
	}
	return out
}

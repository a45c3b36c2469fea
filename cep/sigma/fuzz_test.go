package sigma_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/sigma"
	"github.com/rhost/rhost/yamldoc"
)

// Whatever the bytes, nothing panics, and what is converted is YAML that the
// rule language takes, its conditions included.
func FuzzConvert(f *testing.F) {
	for _, name := range []string{"corpus/rules.yml", "correlations/rules.yml"} {
		src, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
		require.NoError(f, err)
		for doc := range strings.SplitSeq(string(src), "\n---\n") {
			f.Add([]byte(doc))
		}
		f.Add(src[len(src)/2:])
	}
	m, err := sigma.ParseMapping("m.yaml", append(sigma.DefaultText(), corpusMapping...))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, src []byte) {
		i := sigma.New(m)
		_ = i.Add("f.yml", src) // what is wrong is among the problems
		out, problems := i.Convert()
		for _, p := range problems {
			require.NotEmpty(t, p.Why)
		}
		for _, c := range out {
			docs, err := yamldoc.Parse("out.yaml", c.YAML)
			require.NoError(t, err, "%s", c.YAML)
			require.Len(t, docs, 1, "%s", c.YAML)
			rules, err := cep.ParseRules("out.yaml", c.YAML)
			if err != nil && strings.Contains(err.Error(), "not supported yet") {
				continue // what the language has and this reader of it does not
			}
			require.NoError(t, err, "%s", c.YAML)
			_, err = cep.Compile(rules)
			require.NoError(t, err, "%s", c.YAML)
		}
	})
}

func FuzzMapping(f *testing.F) {
	f.Add(sigma.DefaultText())
	f.Add([]byte("fields: {a: data.b}\ndo:\n  - notify: x\nlogsources: [{match: {product: linux}, when: {a|re: 'x.*'}}]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := sigma.ParseMapping("m.yaml", src)
		if err != nil {
			return
		}
		i := sigma.New(m)
		require.NoError(t, i.Add("f.yml", []byte(rule("  s: {a: b, c.d|contains: e}\n  k: [x]\n  condition: s and not k"))))
		i.Convert()
	})
}

package cep_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
)

// What the last event of a key began counts, although no later event of that key
// has looked at it.
func TestWhyNotSeesWhatTheLastEventBegan(t *testing.T) {
	rules, err := cep.ParseRules("r.yaml", []byte(`
rule: seq
when:
  pattern: fail{3} then ok
  define: {fail: type == "fail", ok: type == "ok"}
  by: data.ip
`))
	require.NoError(t, err)
	program, err := cep.Compile(rules)
	require.NoError(t, err)
	stream := cep.NewStream(program, cep.Options{Explain: true})
	for i, line := range []string{`{"type":"fail","data":{"ip":"a"}}`, `{"type":"fail","data":{"ip":"b"}}`, `{"type":"fail","data":{"ip":"b"}}`} {
		_, err := stream.Line(i+1, []byte(line), nil)
		require.NoError(t, err)
		f, ok := stream.Matcher().WhyNot("seq")
		require.True(t, ok)
		require.Len(t, f.Bind, 1, "after line %d", i+1)
		assert.Equal(t, "fail", f.Bind[0].Element)
		assert.Len(t, f.Bind[0].Events, max(1, i))
	}
}

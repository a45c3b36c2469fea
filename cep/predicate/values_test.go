package predicate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

func TestValuesAreNames(t *testing.T) {
	set := predicate.NewSet()
	scope := predicate.Scope{Values: []string{"n", "top"}}
	for _, tt := range []struct {
		cond string
		want predicate.Tri
	}{
		{"n > 20", predicate.True},
		{"n > 20 && top[0].value == \"amy\"", predicate.True},
		{"n / 2 < 5", predicate.False},
		{"has(data.missing)", predicate.False},
		{"top.exists(t, t.value == \"amy\")", predicate.True},
	} {
		c, err := set.Add(scope, tt.cond, yamldoc.Pos{})
		require.NoError(t, err, tt.cond)
		ev := event.Event{Data: []byte(`{"n":21,"top":[{"value":"amy","count":3}]}`)}
		assert.Equal(t, tt.want, c.Eval(&predicate.Event{Ev: &ev}, nil), tt.cond)
	}
	_, err := set.Add(scope, "m > 20", yamldoc.Pos{File: "r.yaml", Line: 3, Col: 5})
	require.ErrorContains(t, err, "r.yaml:3:5")

	tmpl, err := set.CompileTemplate(scope, "${n} from ${top[0].value}", yamldoc.Pos{})
	require.NoError(t, err)
	text, err := tmpl.Eval(predicate.Vars{Values: map[string]any{"n": 21, "top": []any{map[string]any{"value": "amy"}}}})
	require.NoError(t, err)
	assert.Equal(t, "21 from amy", text)
	_, err = tmpl.Eval(predicate.Vars{})
	require.ErrorContains(t, err, "n is missing")
}

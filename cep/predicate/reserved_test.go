package predicate

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
)

// No element can be called what a condition calls by that name.
func TestFunctionsAreReserved(t *testing.T) {
	env, err := newEnv(0)
	require.NoError(t, err)
	var names []string
	for name := range env.Functions() {
		names = append(names, name)
	}
	for _, m := range env.Macros() {
		names = append(names, m.Function())
	}
	names = append(names, attributes()...)
	for _, name := range names {
		if strings.ContainsAny(name, "@_!-") || slices.Contains(timeParts(), name) {
			continue // operators, hidden names, and what only follows a dot
		}
		assert.Contains(t, syntax.Reserved(), name)
	}
	assert.Contains(t, syntax.Reserved(), "exists_one")
}

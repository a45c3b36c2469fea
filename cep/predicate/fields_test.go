package predicate_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Sets built at once on the same fields number paths alike; run with -race.
func TestFieldsAreShared(t *testing.T) {
	fields := predicate.NewFields()
	formulas := make([][]predicate.Formula, 4)
	var wg sync.WaitGroup
	for g := range formulas {
		wg.Go(func() {
			set := predicate.NewSetOn(fields)
			for i := range 100 {
				src := fmt.Sprintf(`data.f%d == "x" && data.g%d > data.h`, (i+g*25)%50, i%10)
				f, exact, _, err := set.AddFormula(predicate.Scope{}, src, yamldoc.Pos{})
				assert.NoError(t, err)
				assert.True(t, exact)
				formulas[g] = append(formulas[g], f)
			}
		})
	}
	wg.Wait()
	paths := fields.Paths()
	assert.Len(t, paths, 50+10+1)
	for i, p := range paths {
		assert.Equal(t, i, fields.Intern(p))
	}
	ev := &event.Event{Data: []byte(`{"f7":"x","g2":2,"g7":2,"h":1}`)}
	seen := &predicate.Event{Ev: ev, Fields: event.NewPathSet(paths).Scan(ev, nil)}
	for _, list := range formulas {
		held := 0
		for _, f := range list {
			require.Equal(t, predicate.FormulaAnd, f.Kind)
			a := f.Kids[0].Atom
			require.Equal(t, paths[a.Field()], a.Path())
			if f.Holds(seen) {
				held++
			}
		}
		assert.Positive(t, held)
	}
}

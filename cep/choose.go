package cep

import (
	"strings"

	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/cep/cea"
	"github.com/rhost/rhost/cep/dfa"
	"github.com/rhost/rhost/cep/engine"
)

// choose gives the first engine that can follow a pattern, the most frugal first,
// and says why it was chosen and what kept the others from it. All give the same
// answers.
func choose(steps []engine.Step, tr engine.Traits, pol engine.Policy) (e engine.Engine, why string, err error) {
	var unfit []string
	for _, c := range []struct {
		name    string
		compile func([]engine.Step, engine.Traits, engine.Policy) (engine.Engine, error)
	}{{"dfa", dfa.Compile}, {"cea", cea.Compile}, {"nfa", nfa}} {
		e, err = c.compile(steps, tr, pol)
		if err == nil {
			return e, strings.Join(append([]string{e.Plan().Why}, unfit...), "; "), nil
		}
		unfit = append(unfit, "not "+c.name+": "+err.Error())
	}
	return nil, "", err
}

func nfa(steps []engine.Step, tr engine.Traits, pol engine.Policy) (engine.Engine, error) {
	n, err := automaton.Compile(steps, tr)
	if err != nil {
		return nil, err
	}
	return automaton.NewMachine(n, pol)
}

package analysis

import (
	"strings"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// effects reports where two rules that match together do what goes against each
// other, as far as their texts tell it.
func (k *checker) effects(r, other *syntax.Rule) {
	mine, _ := r.Steps()
	theirs, _ := other.Steps()
	if mine == nil || theirs == nil || len(mine.Items)*len(theirs.Items) > 10_000 {
		return
	}
	for _, a := range mine.Items {
		for _, b := range theirs.Items {
			what, fix := against(a, b)
			if what == "" {
				continue
			}
			w := k.warn(r, a.Pos, CodeEffects, fix, "%s (%s), which matches the same events, %s", other.Name, b.Pos, what)
			w.Rules = []string{other.Name}
			return
		}
	}
}

// against says how step b goes against step a; "" if it does not.
func against(a, b *yamldoc.Node) (what, fix string) {
	if plugin := a.Get("run"); plugin != nil && b.Get("run") != nil && plugin.Text == b.Get("run").Text {
		if stepsText(a.Get("with")) != stepsText(b.Get("with")) {
			return "runs " + plugin.Text + " with other arguments", "let one rule run it, or let the conditions exclude each other"
		}
		return "", ""
	}
	mine, theirs := a.Get("file"), b.Get("file")
	if mine == nil || theirs == nil || len(mine.Keys) != 1 || len(theirs.Keys) != 1 {
		return "", ""
	}
	x, y := mine.Keys[0], theirs.Keys[0]
	if touched(x) == "" || touched(x) != touched(y) || x.Key == y.Key || !takesAway(x.Key) && !takesAway(y.Key) {
		return "", ""
	}
	return "does " + y.Key + " where this does " + x.Key + ", to " + touched(x), "do both in one rule, in the order that is meant"
}

// touched is the file that an operation reads or changes.
func touched(op yamldoc.Entry) string {
	for _, key := range []string{"path", "from"} {
		if n := op.Value.Get(key); n != nil {
			return strings.TrimSpace(n.Text)
		}
	}
	return ""
}

func takesAway(operation string) bool { return operation == "delete" || operation == "move" }

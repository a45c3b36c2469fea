package analysis

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// overlaps finds rules that match together.
type overlaps struct {
	seen map[string]*reading // the first rule that waits for something, by what
	bare []*reading          // rules of one condition, each condition once
}

// keep compares a rule with those before that wait for the very same, and keeps
// it to be compared with others.
func (k *checker) keep(rd *reading) {
	key := rd.key()
	if first, ok := k.overlaps.seen[key]; ok {
		w := k.warn(rd.rule, rd.rule.Pos, CodeSame, "join them, or let their conditions differ",
			"waits for the same as %s (%s)", first.rule.Name, first.rule.Pos)
		w.Rules = []string{first.rule.Name}
		k.effects(rd.rule, first.rule)
		return
	}
	k.overlaps.seen[key] = rd
	if c := rd.conds; rd.rule.When.Bare() && len(c) == 1 && rd.rule.When.Score == "" && c[0].tests {
		k.overlaps.bare = append(k.overlaps.bare, rd)
	}
}

// key is equal for rules that wait for the same.
func (rd *reading) key() string {
	w := &rd.rule.When
	var b strings.Builder
	if w.Bare() && len(w.By) == 0 && w.Score == "" && len(rd.conds) == 1 {
		return "\x00" + rd.conds[0].canonical() // as most of very many are
	}
	fmt.Fprintf(&b, "%s|%v|%v|%v %v %v|%v|%v|%v|%s %v", w.Pattern.Shape(), w.By, w.Within, w.Skip, w.SkipTo, w.Strict, w.Emit, w.OnTimeout, w.Limit, w.Score, w.AtLeast)
	for i := range rd.conds {
		b.WriteString("\x00" + rd.conds[i].canonical())
	}
	switch {
	case w.Window != nil:
		b.WriteString("\x00" + w.Window.Text)
		for _, l := range w.Window.Let {
			b.WriteString("\x00" + l.Name + "=" + l.Text)
		}
	case w.Schedule != nil:
		s := w.Schedule
		fmt.Fprintf(&b, "\x00%s|%s|%v|%v", s.Cron, s.Timezone, s.Missed, s.DST)
	case w.State != nil:
		s := w.State
		fmt.Fprintf(&b, "\x00%s|%v|%v|%v|%v|%s|%v|%v", s.Text, s.Test, s.Low, s.High, s.Value, s.Regexp, s.Tolerance, s.For)
	}
	return b.String()
}

// canonical is equal for conditions of the same tests, in whatever order.
func (c *Condition) canonical() string {
	if !c.exact {
		return c.Text
	}
	return c.tree.canonical()
}

func (t *tree) canonical() string {
	if len(t.kids) == 0 {
		return t.String()
	}
	texts := make([]string, len(t.kids))
	for i := range t.kids {
		texts[i] = t.kids[i].canonical()
	}
	slices.Sort(texts)
	return fmt.Sprintf("%d(%s)", t.kind, strings.Join(texts, "\x01"))
}

// The bounds on comparing rules by their conditions.
const (
	maxCandidates = 32  // rules that one is compared with
	maxValues     = 256 // constants of a test under which a rule is filed
)

// compare looks for bare rules whose condition implies another's. A weaker
// condition tests no field that the stronger one leaves alone, so each rule is
// filed under the test of its own that is rarest, and looked up by all tests of
// the other.
func (k *checker) compare() {
	count := make(map[string]int)
	for _, rd := range k.overlaps.bare {
		for _, way := range ways(&rd.conds[0].tree) {
			for _, key := range way {
				for _, one := range key {
					count[one]++
				}
			}
		}
	}
	filed := make(map[string][]*reading)
	for _, rd := range k.overlaps.bare {
		if !rd.conds[0].exact {
			continue // it may ask for more than its tests
		}
		for _, way := range ways(&rd.conds[0].tree) {
			for _, one := range rarest(way, count) {
				filed[one] = append(filed[one], rd)
			}
		}
	}
	for _, list := range filed { // the weakest first: they cover the most
		slices.SortStableFunc(list, func(a, b *reading) int { return len(a.conds[0].Text) - len(b.conds[0].Text) })
	}
	for _, rd := range k.overlaps.bare {
		k.covered(rd, filed)
	}
}

// ways gives, for each alternative of a condition, the keys of each of its tests.
func ways(t *tree) [][][]string {
	if t.kind != predicate.FormulaOr {
		return [][][]string{testKeys(t)}
	}
	var all [][][]string
	for i := range t.kids {
		all = append(all, testKeys(&t.kids[i]))
	}
	return all
}

// testKeys gives, for each single test of a conjunction, what to file it under:
// the values that it takes, where they are few, or only the field.
func testKeys(t *tree) (all [][]string) {
	for _, p := range t.parts() {
		if p.kind != predicate.FormulaAtom {
			continue
		}
		a := p.lit.atom
		path := a.Path().String()
		values := a.Values()
		pins := p.lit.can == isTrue && (a.Op() == predicate.OpEq || a.Op() == predicate.OpIn) && !a.Fold()
		if !pins || len(values) > maxValues {
			all = append(all, []string{path})
			continue
		}
		keys := make([]string, 0, len(values))
		for _, v := range values {
			if key, ok := predicate.AppendKey(append([]byte(path), '='), v); ok {
				keys = append(keys, string(key))
			}
		}
		all = append(all, keys)
	}
	return all
}

func rarest(way [][]string, count map[string]int) (best []string) {
	least := 0
	for _, keys := range way {
		n := 0
		for _, key := range keys {
			n += count[key]
		}
		if best == nil || n < least {
			best, least = keys, n
		}
	}
	return best
}

// covered looks for a rule that matches whenever rd does.
func (k *checker) covered(rd *reading, filed map[string][]*reading) {
	c := &rd.conds[0]
	assumed := newSolver()
	if !assumed.all([]tree{c.tree}) {
		return
	}
	left := maxCandidates
	try := func(key string) *reading {
		for _, other := range filed[key] {
			if left--; left < 0 {
				return nil
			}
			assumed.cost = perQuestion
			if other != rd && sameKeys(rd.rule, other.rule) && !assumed.beside(other.conds[0].opposite()) {
				return other
			}
		}
		return nil
	}
	for _, p := range testKeys(&tree{kind: predicate.FormulaAnd, kids: c.tree.parts()}) {
		for _, key := range append(p[:min(1, len(p)):1], path(p)...) {
			if other := try(key); other != nil {
				k.report(rd, other)
				return
			}
		}
	}
}

// path gives the key of the field of a test that is filed under a value.
func path(keys []string) []string {
	if len(keys) == 0 {
		return nil
	}
	if name, _, ok := strings.Cut(keys[0], "="); ok {
		return []string{name}
	}
	return nil
}

// sameKeys reports whether two bare rules leave out the same events for want of a
// key: those without any leave out none.
func sameKeys(r, cover *syntax.Rule) bool {
	return len(cover.When.By) == 0 || fmt.Sprint(r.When.By) == fmt.Sprint(cover.When.By)
}

func (k *checker) report(rd, other *reading) {
	do, _ := rd.rule.Steps()
	same, _ := other.rule.Steps()
	code, fix := CodeCovered, "if one is enough, exclude these events from the other"
	what := "each of its events matches %s (%s) as well"
	if stepsText(do) == stepsText(same) && (do != nil || saysSame(rd.rule, other.rule)) {
		code, fix, what = CodeShadowed, "remove it, or let it do something else", "adds nothing: each of its events matches %s (%s), which does the same"
	}
	w := k.warn(rd.rule, rd.rule.Pos, code, fix, what, other.rule.Name, other.rule.Pos)
	w.Rules = []string{other.rule.Name}
	if code == CodeCovered {
		k.effects(rd.rule, other.rule)
	}
}

// saysSame reports whether two rules say the same of their matches: where a rule
// takes no steps, that is what it is for.
func saysSame(a, b *syntax.Rule) bool {
	return a.Severity == b.Severity && a.Owner == b.Owner && a.Priority == b.Priority &&
		slices.Equal(a.Tags, b.Tags) && maps.Equal(a.Labels, b.Labels)
}

func stepsText(n *yamldoc.Node) string {
	b, err := json.Marshal(n.Any())
	if err != nil { // a number that JSON lacks
		return fmt.Sprint(n.Any())
	}
	return string(b)
}

package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host/workflow"
)

// What a snapshot says of rules is turned back into rule sets and programs here: of
// those in force the digest and the order, of those of the past the text alone.

// restore makes the rule set that a snapshot says was in force.
func (l *ruleLibrary) restore(ctx context.Context, s *laneState) (*RuleSet, error) {
	if s.row == "" {
		return noRules()
	}
	if set := l.prepared(s.digest, s.order); set != nil {
		own := *set
		own.row, own.edited = s.row, s.edited
		return &own, nil
	}
	files, err := l.files(ctx, &RuleSet{parts: l.lately()}, s.digest)
	if err != nil {
		return nil, fmt.Errorf("rules %s: %w", s.digest, err)
	}
	set := &RuleSet{Files: files, Digest: s.digest, row: s.row, edited: s.edited}
	if err := set.read(files, l.lately()); err != nil {
		return nil, fmt.Errorf("rules %s: %w", s.digest, err)
	}
	rules, err := inOrder(set.all(), s.order)
	if err == nil {
		set.Program, err = cep.Compile(rules)
	}
	if err == nil {
		err = set.check(&RuleSet{}, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("rules %s: %w", s.digest, err)
	}
	return set, nil
}

// prepared finds, among the sets that are ready, one of that digest and order.
func (l *ruleLibrary) prepared(digest string, order []string) *RuleSet {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, set := range l.ready {
		if set.Digest == digest && slices.Equal(set.order(), order) {
			return set
		}
	}
	return nil
}

// inOrder puts rules into the order of the names; nil leaves them as they are.
func inOrder(rules []*cep.Rule, names []string) ([]*cep.Rule, error) {
	if names == nil {
		return rules, nil
	}
	byName := make(map[string]*cep.Rule, len(rules))
	for _, r := range rules {
		byName[r.Name] = r
	}
	ordered := make([]*cep.Rule, 0, len(names))
	for _, name := range names {
		r := byName[name]
		if r == nil {
			return nil, fmt.Errorf("%w: it has rule %s in another place than its files", errSnapshot, name)
		}
		delete(byName, name)
		ordered = append(ordered, r)
	}
	if len(byName) > 0 {
		return nil, fmt.Errorf("%w: it leaves out %d rules of its files", errSnapshot, len(byName))
	}
	return ordered, nil
}

// older compiles rule versions that drain, each by itself.
func (l *ruleLibrary) older(sources []cep.Source) ([]*cep.Program, error) {
	var list []*cep.Program
	for _, s := range sources {
		r, err := onlyRule(s)
		if err != nil {
			return nil, err
		}
		p, err := cep.Compile([]*cep.Rule{r})
		if err != nil {
			return nil, fmt.Errorf("rule %s, which was changed while it had partial matches open: %w", r.Name, err)
		}
		list = append(list, p)
	}
	return list, nil
}

func onlyRule(s cep.Source) (*cep.Rule, error) {
	var rules []*cep.Rule
	var errs []error
	for r, err := range s.Rules() {
		rules, errs = append(rules, r), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("a rule of the past: %w", err)
	}
	if len(rules) != 1 {
		return nil, fmt.Errorf("%w: the text of one rule has %d", errSnapshot, len(rules))
	}
	return rules[0], nil
}

// remember notes what a rule of the past does.
func (l *ruleLibrary) remember(s cep.Source) error {
	r, err := onlyRule(s)
	if err != nil {
		return err
	}
	def, err := new(partReader).steps(r)
	if err != nil {
		return fmt.Errorf("rule %s of the past: %w", r.Name, err)
	}
	if def == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.came++
	n := &noted{def: def, source: s, past: l.came}
	if l.flows[def.Digest()] == nil {
		l.flows[def.Digest()] = n
	}
	if l.versions[r.Version] == nil {
		l.versions[r.Version] = n
	}
	return nil
}

// noted is a definition, and the rule it is of.
type noted struct {
	def    *workflow.Definition
	rule   *cep.Rule  // while it is in the set noted last
	source cep.Source // from then on
	past   int        // when it ceased to be in the set noted last; 0: it is in there
	came   int        // when it was noted
}

// text gives the rule's own text.
func (n *noted) text() cep.Source {
	if n.rule == nil {
		return n.source
	}
	s := n.rule.Source()
	s.Text = strings.Clone(s.Text) // which would keep the whole file alive
	return s
}

// sources gives the texts of the definitions that are needed and not current.
func (l *ruleLibrary) sources(needed, current map[string]bool) []cep.Source {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []cep.Source
	for _, digest := range slices.Sorted(maps.Keys(needed)) {
		if n := l.flows[digest]; n != nil && !current[digest] {
			list = append(list, n.text())
		}
	}
	return list
}

// reached tells how far the library has come, for prune.
func (l *ruleLibrary) reached() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.came
}

// prune forgets definitions of the past that were neither needed nor draining when
// the library had come so far.
func (l *ruleLibrary) prune(needed map[string]bool, draining []*cep.Rule, came int) {
	keep := make(map[string]bool, len(draining))
	for _, r := range draining {
		keep[r.Version] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	over := func(n *noted) bool { return n.past > 0 && n.past <= came }
	used := maps.Clone(needed)
	maps.DeleteFunc(l.versions, func(version string, n *noted) bool {
		gone := over(n) && !keep[version]
		if !gone {
			used[n.def.Digest()] = true
		}
		return gone
	})
	maps.DeleteFunc(l.flows, func(digest string, n *noted) bool { return over(n) && !used[digest] })
}

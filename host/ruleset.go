package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/yamldoc"
)

// RuleFile is one file of rule documents, or of what stands beside rules: a lookup
// table or a schema.
type RuleFile struct {
	Name string `json:"name"` // relative to the app folder, with slashes
	Text string `json:"text"`
}

// RuleSet is the rules of an app, compiled: what is in force between two
// revisions of the log. It is immutable.
type RuleSet struct {
	Digest  string
	Files   []RuleFile
	Program *cep.Program
	Tables  *cep.Tables // what conditions see as table.NAME

	flows map[string]*workflow.Definition // by rule version; rules without `do:` have none
}

// names lists the rules, sorted.
func (r *RuleSet) names() []string {
	names := []string{} // never nil: it is printed as JSON
	for _, rule := range r.Program.Rules() {
		names = append(names, rule.Name)
	}
	slices.Sort(names)
	return names
}

// flow returns the definition that a rule's matches start, or nil.
func (r *RuleSet) flow(rule *cep.Rule) *workflow.Definition { return r.flows[rule.Version] }

// encode is the form in which a rule set is kept under its digest.
func (r *RuleSet) encode() ([]byte, error) { return json.Marshal(r.Files) }

// CompileRules compiles rule files, their conditions, patterns and steps, with the
// tables and schemas beside them. It reports every problem of every file.
func CompileRules(files []RuleFile) (*RuleSet, error) {
	set := &RuleSet{Files: files, flows: make(map[string]*workflow.Definition)}
	var rules []*cep.Rule
	var errs []error
	beside := materials{tables: make(map[string]*cep.Table)}
	for _, f := range files {
		if ok, err := beside.add(f); ok {
			errs = append(errs, err)
			continue
		}
		parsed, err := cep.ParseRules(f.Name, []byte(f.Text))
		errs = append(errs, err)
		rules = append(rules, parsed...)
	}
	// Rules that were read are compiled even when others were not, so that every
	// problem shows at once.
	program, err := cep.Compile(rules)
	errs = append(errs, err, beside.check(rules))
	shared := cep.NewTemplates()
	for _, r := range rules {
		do, onFailure := r.Steps()
		if do == nil && onFailure == nil {
			continue
		}
		def, err := workflow.Parse(do, onFailure, templates{shared, r})
		errs = append(errs, err)
		set.flows[r.Version] = def
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	set.Program, set.Tables = program, cep.NewTables(beside.tables)
	encoded, err := set.encode()
	if err != nil {
		return nil, fmt.Errorf("encode rules: %w", err)
	}
	set.Digest = sandbox.Digest(encoded)
	return set, nil
}

// decodeRules is the inverse of encode.
func decodeRules(b []byte) (*RuleSet, error) {
	var files []RuleFile
	if err := json.Unmarshal(b, &files); err != nil {
		return nil, fmt.Errorf("decode rules: %w", err)
	}
	return CompileRules(files)
}

// checkPlugins reports the steps that call a plugin which is not there.
func (r *RuleSet) checkPlugins(have func(name string) bool) error {
	var errs []error
	for _, rule := range r.Program.Rules() {
		def := r.flow(rule)
		if def == nil {
			continue
		}
		for _, name := range def.Plugins() {
			if !have(name) {
				errs = append(errs, fmt.Errorf("%s: rule %s: no plugin is called %s; add plugins/%s.lua, .js or .wasm, or correct the name", rule.Pos, rule.Name, name, name))
			}
		}
	}
	return errors.Join(errs...)
}

// ruleLibrary finds rule sets by digest: those seen so far in memory, older ones
// among the blobs of the log. It is safe for concurrent use.
type ruleLibrary struct {
	blobs blobs

	mu    sync.Mutex
	sets  map[string]*RuleSet             // guarded by mu; by digest
	flows map[string]*workflow.Definition // guarded by mu; by digest of the definition
}

// blobs is the part of the log that keeps content by digest.
type blobs interface {
	PutBlob(ctx context.Context, digest string, b []byte) error
	GetBlob(ctx context.Context, digest string) ([]byte, error)
}

func newRuleLibrary(b blobs) *ruleLibrary {
	return &ruleLibrary{blobs: b, sets: make(map[string]*RuleSet), flows: make(map[string]*workflow.Definition)}
}

// keep stores a rule set for good, so that a revision may name it.
func (l *ruleLibrary) keep(ctx context.Context, set *RuleSet) error {
	encoded, err := set.encode()
	if err != nil {
		return err
	}
	if err := l.blobs.PutBlob(ctx, set.Digest, encoded); err != nil {
		return fmt.Errorf("keep rules: %w", err)
	}
	l.know(set)
	return nil
}

// load finds the rule set of a digest.
func (l *ruleLibrary) load(ctx context.Context, digest string) (*RuleSet, error) {
	l.mu.Lock()
	set, ok := l.sets[digest]
	l.mu.Unlock()
	if ok {
		return set, nil
	}
	encoded, err := l.blobs.GetBlob(ctx, digest)
	if err != nil {
		return nil, err
	}
	set, err = decodeRules(encoded)
	if err != nil {
		return nil, err
	}
	l.know(set)
	return set, nil
}

func (l *ruleLibrary) know(set *RuleSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sets[set.Digest] = set
	for _, def := range set.flows {
		l.flows[def.Digest()] = def
	}
}

// definition has the signature of workflow.Options.Definition. An execution is
// pinned to the digest: two rule versions whose steps are the same share one.
func (l *ruleLibrary) definition(_, _, digest string) (*workflow.Definition, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	def, ok := l.flows[digest]
	return def, ok
}

// templates compiles the `${…}` of one rule's steps.
type templates struct {
	set  *cep.Templates
	rule *cep.Rule
}

func (t templates) Template(n *yamldoc.Node) (workflow.Template, error) {
	tmpl, err := t.set.New(t.rule, n)
	if err != nil {
		return nil, err
	}
	return template{tmpl}, nil
}

type template struct{ *cep.Template }

// StepRefs lets workflow.Parse refuse a template that reads a step which has not
// run by then.
func (t template) StepRefs() []string { return t.Refs().Steps }

func (t template) Eval(env workflow.Env) (any, error) {
	vars, ok := env.Match.(*matchVars)
	if !ok {
		return nil, errors.New("the match is not available")
	}
	return t.Template.Eval(cep.Vars{Event: vars.event, Bind: vars.bind, Values: vars.values, Steps: env.Steps})
}

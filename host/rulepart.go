package host

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

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

// part is one file of a rule set, read. It is immutable, and belongs to every set
// that has the file as it is.
type part struct {
	RuleFile
	blob   string // digest of the text, when that is kept on its own
	rules  []*cep.Rule
	flows  map[string]*workflow.Definition // by rule version; rules without `do:` have none
	calls  []call
	table  *cep.Table
	schema *cep.Schema
}

// call is a plugin that a rule's steps name.
type call struct {
	rule   *cep.Rule
	plugin string
}

// ownBlob is from which length on a file is kept as a blob of its own, so that a
// change of another file does not write it again.
const ownBlob = 16 << 10

// partReader reads the files of a rule set.
type partReader struct {
	was    map[string]*part // read before, by name
	older  []*part          // those of the same name as one of was, and another text
	shared *cep.Templates   // of all rules read
}

// read gives a file's part: the one there was, when the text is the same. With an
// error, which has every problem of the file, comes what could be read.
func (r *partReader) read(f RuleFile) (*part, error) {
	was := r.was[f.Name]
	if was != nil && was.Text == f.Text {
		return was, nil
	}
	if i := slices.IndexFunc(r.older, func(p *part) bool { return p.Name == f.Name && p.Text == f.Text }); i >= 0 {
		return r.older[i], nil
	}
	p := &part{RuleFile: f}
	if len(f.Text) >= ownBlob {
		p.blob = sandbox.Digest([]byte(f.Text))
	}
	folder, base, _ := strings.Cut(f.Name, "/")
	name := strings.TrimSuffix(base, filepath.Ext(base))
	var err error
	switch folder {
	case "tables":
		p.table, err = cep.ParseTable(name, f.Name, []byte(f.Text))
	case "schemas":
		p.schema, err = cep.ParseSchema(f.Name, []byte(f.Text))
	default:
		err = r.rules(p, was)
	}
	return p, err
}

// rules reads the rules of a file, and the steps of those that are new in it.
func (r *partReader) rules(p, was *part) error {
	parsed, err := cep.ParseRules(p.Name, []byte(p.Text))
	errs := []error{err}
	p.rules, p.flows = parsed, make(map[string]*workflow.Definition)
	before := make(map[string]*cep.Rule)
	if was != nil {
		for _, rule := range was.rules {
			before[rule.Name] = rule
		}
	}
	for i, rule := range parsed {
		if old := before[rule.Name]; old != nil && old.Version == rule.Version {
			if old.Pos == rule.Pos {
				p.rules[i] = old
			}
			if def := was.flows[rule.Version]; def != nil {
				p.take(rule, def)
			}
			continue
		}
		def, err := r.steps(rule)
		errs = append(errs, err)
		if def != nil {
			p.take(rule, def)
		}
	}
	return errors.Join(errs...)
}

func (p *part) take(rule *cep.Rule, def *workflow.Definition) {
	p.flows[rule.Version] = def
	for _, name := range def.Plugins() {
		p.calls = append(p.calls, call{rule, name})
	}
}

// steps reads what a rule does; nil for one that does nothing.
func (r *partReader) steps(rule *cep.Rule) (*workflow.Definition, error) {
	do, onFailure := rule.Steps()
	if do == nil && onFailure == nil {
		return nil, nil
	}
	if r.shared == nil {
		r.shared = cep.NewTemplates()
	}
	return workflow.Parse(do, onFailure, templates{r.shared, rule})
}

// onItsOwn reads a rule again from a copy of its text alone. A rule keeps alive
// the text it was read from, which of one in a large file would be that file.
func onItsOwn(rule *cep.Rule) *cep.Rule {
	source := rule.Source()
	source.Text = strings.Clone(source.Text)
	for own, err := range source.Rules() {
		if err == nil && own.Version == rule.Version {
			return own
		}
	}
	return rule
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

// change is what is different between two rule sets.
type change struct {
	added, altered, gone []string // rules
	same                 int      // how many others there are
	beside               []string // tables and schemas: +name ~name -name
}

// note files a rule as added, altered or the same, by the versions there were,
// and takes it out of these. It reports whether the rule is to be compiled.
func (c *change) note(r *cep.Rule, versions map[string]string) bool {
	version, known := versions[r.Name]
	delete(versions, r.Name)
	switch {
	case !known:
		c.added = append(c.added, r.Name)
	case version != r.Version:
		c.altered = append(c.altered, r.Name)
	default:
		return false
	}
	return true
}

// none reports whether nothing is different.
func (c *change) none() bool {
	return len(c.added)+len(c.altered)+len(c.gone)+len(c.beside) == 0
}

// maxNamed is how many rules a change names.
const maxNamed = 20

// String says it in a few words.
func (c *change) String() string {
	var parts []string
	more := 0
	for _, list := range []struct {
		sign  string
		names []string
	}{{"+", c.added}, {"~", c.altered}, {"-", c.gone}, {"", c.beside}} {
		room := min(maxNamed-len(parts), len(list.names))
		for _, name := range list.names[:room] {
			parts = append(parts, list.sign+name)
		}
		more += len(list.names) - room
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(append(parts, fmt.Sprintf("%d unchanged", c.same)), " ")
}

// differentFiles names the tables and schemas that are new, changed or gone.
func differentFiles(old, now []RuleFile) (parts []string) {
	texts := make(map[string]string)
	for _, f := range old {
		if !strings.HasPrefix(f.Name, "rules/") {
			texts[f.Name] = f.Text
		}
	}
	for _, f := range now {
		text, known := texts[f.Name]
		delete(texts, f.Name)
		switch {
		case strings.HasPrefix(f.Name, "rules/"):
		case !known:
			parts = append(parts, "+"+f.Name)
		case text != f.Text:
			parts = append(parts, "~"+f.Name)
		}
	}
	for name := range texts {
		parts = append(parts, "-"+name)
	}
	slices.Sort(parts)
	return parts
}

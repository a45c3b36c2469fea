package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/sandbox"
)

// RuleSet is the rules of an app, compiled: what is in force between two
// revisions of the log. It is immutable.
//
// A rule set is made from the one before it, and shares with that all it does not
// change. Where rules have their places, and so in which order they match, follows
// from the row of revisions that led to it, which every replay of the log repeats.
type RuleSet struct {
	Digest  string
	Files   []RuleFile
	Program *cep.Program
	Tables  *cep.Tables // what conditions see as table.NAME

	parts   []*part // of Files, in their order
	schemas *cep.Schemas
	row     string // of all revisions up to this one; "" before any
	edited  int    // rules changed since Program was compiled as a whole
	change  change // from the set before
}

// freshAfter is how many rules may change before a program is compiled anew as a
// whole, which frees what edits leave behind: places, numbers of conditions, and
// the paths that only rules of the past read.
const freshAfter = 4096

// CompileRules compiles rule files, their conditions, patterns and steps, with the
// tables and schemas beside them. It reports every problem of every file.
func CompileRules(files []RuleFile) (*RuleSet, error) { return (&RuleSet{}).update(files) }

// noRules is what is in force before any revision.
func noRules() (*RuleSet, error) {
	set, err := CompileRules(nil)
	if err != nil {
		return nil, err
	}
	set.row = ""
	return set, nil
}

// update gives the rule set of other files. Of files that are as they were, in s
// or among those known, it looks at nothing but the text, and of the others it
// compiles the rules that changed. It reports every problem, as CompileRules does.
func (s *RuleSet) update(files []RuleFile, known ...*part) (*RuleSet, error) {
	now := &RuleSet{Files: files}
	errs := []error{now.read(files, append(slices.Clone(known), s.parts...))}
	// Rules that were read are compiled even when others were not, so that every
	// problem shows at once.
	put, err := now.compare(s)
	if err == nil {
		err = now.compile(s, put)
	}
	errs = append(errs, err, now.check(s, put))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	encoded, err := now.encode()
	if err != nil {
		return nil, err
	}
	now.Digest = sandbox.Digest(encoded)
	now.row = s.next(now.Digest)
	return now, nil
}

// read reads the files, except those that were read before.
func (s *RuleSet) read(files []RuleFile, before []*part) error {
	r := partReader{was: make(map[string]*part, len(before))}
	for _, p := range before {
		if r.was[p.Name] != nil && r.was[p.Name].Text != p.Text {
			r.older = append(r.older, r.was[p.Name])
		}
		r.was[p.Name] = p
	}
	var errs []error
	for _, f := range files {
		p, err := r.read(f)
		errs = append(errs, err)
		s.parts = append(s.parts, p)
	}
	return errors.Join(errs...)
}

// next is the row of the set that follows with a digest.
func (s *RuleSet) next(digest string) string { return sandbox.Digest([]byte(s.row + " " + digest)) }

// with gives the set with its program in another form.
func (s *RuleSet) with(p *cep.Program) *RuleSet {
	other := *s
	other.Program = p
	return &other
}

// rules visits the rules as the files have them.
func (s *RuleSet) rules(visit func(*cep.Rule)) {
	for _, p := range s.parts {
		for _, r := range p.rules {
			visit(r)
		}
	}
}

func (s *RuleSet) all() []*cep.Rule {
	var all []*cep.Rule
	s.rules(func(r *cep.Rule) { all = append(all, r) })
	return all
}

// compare finds the rules that are not in was, and notes what is different. Two
// rules of one name are its only error; then it gives all rules.
func (s *RuleSet) compare(was *RuleSet) (put []*cep.Rule, err error) {
	s.change.beside = differentFiles(was.Files, s.Files)
	moved := differentParts(was.parts, s.parts)
	versions := make(map[string]string) // before, of rules in files that are not as they were
	for _, p := range was.parts {
		if moved[p] {
			for _, r := range p.rules {
				versions[r.Name] = r.Version
			}
		}
	}
	if len(moved) > 0 && s.ambiguous(moved) {
		all := s.all()
		_, err := cep.Compile(all) // which says it best
		return all, err
	}
	total := 0
	for _, p := range s.parts {
		total += len(p.rules)
		if !moved[p] {
			continue
		}
		for _, r := range p.rules {
			if s.change.note(r, versions) {
				put = append(put, r)
			}
		}
	}
	s.change.gone = slices.Sorted(maps.Keys(versions))
	s.change.same = total - len(put)
	return put, nil
}

// differentParts gives the parts that only one of two sets has.
func differentParts(a, b []*part) map[*part]bool {
	different := make(map[*part]bool)
	for _, p := range a {
		different[p] = true
	}
	for _, p := range b {
		if different[p] {
			delete(different, p)
		} else {
			different[p] = true
		}
	}
	return different
}

// ambiguous reports whether a rule of the parts read anew has the name of another.
func (s *RuleSet) ambiguous(moved map[*part]bool) bool {
	fresh := make(map[string]bool)
	for _, p := range s.parts {
		if !moved[p] {
			continue
		}
		for _, r := range p.rules {
			if fresh[r.Name] {
				return true
			}
			fresh[r.Name] = true
		}
	}
	for _, p := range s.parts {
		if !moved[p] && slices.ContainsFunc(p.rules, func(r *cep.Rule) bool { return fresh[r.Name] }) {
			return true
		}
	}
	return false
}

// compile makes the program, from that of was where that is less work.
func (s *RuleSet) compile(was *RuleSet, put []*cep.Rule) (err error) {
	total := s.change.same + len(put)
	edited := was.edited + len(put) + len(s.change.gone)
	if was.Program == nil || was.Program.Len() == 0 || edited > max(freshAfter, total) {
		s.Program, err = cep.Compile(s.all())
		return err
	}
	s.edited = edited
	own := make([]*cep.Rule, 0, len(put))
	for _, r := range put {
		own = append(own, onItsOwn(r))
	}
	s.Program, err = was.Program.Edit(own, s.change.gone)
	return err
}

// check joins the tables and schemas, and holds rules against them: all rules
// when these have changed, else those that did.
func (s *RuleSet) check(was *RuleSet, put []*cep.Rule) error {
	beside := materials{tables: make(map[string]*cep.Table)}
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, beside.add(p))
	}
	rules := put
	if len(s.change.beside) == 0 && was.Tables != nil {
		s.Tables, s.schemas = was.Tables, was.schemas
	} else {
		rules = s.all()
		s.Tables = cep.NewTables(beside.tables)
		if len(beside.schemas) > 0 {
			var err error
			s.schemas, err = cep.NewSchemas(beside.schemas...)
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return cep.Check(rules, slices.Collect(maps.Keys(beside.tables)), s.schemas).Err()
}

// names lists the rules, sorted.
func (s *RuleSet) names() []string {
	names := []string{} // never nil: it is printed as JSON
	s.rules(func(r *cep.Rule) { names = append(names, r.Name) })
	slices.Sort(names)
	return names
}

// checkPlugins reports the steps that call a plugin which is not there.
func (s *RuleSet) checkPlugins(have func(name string) bool) error {
	var errs []error
	for _, p := range s.parts {
		for _, c := range p.calls {
			if !have(c.plugin) {
				errs = append(errs, fmt.Errorf("%s: rule %s: no plugin is called %s; add plugins/%s.lua, .js or .wasm, or correct the name", c.rule.Pos, c.rule.Name, c.plugin, c.plugin))
			}
		}
	}
	return errors.Join(errs...)
}

// keptFile is a file of a rule set as it is kept under the digest of that: with
// its text, or, when that is long, the digest of the text.
type keptFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Blob string `json:"blob,omitempty"`
}

// encode is the form in which a rule set is kept under its digest.
func (s *RuleSet) encode() ([]byte, error) {
	kept := make([]keptFile, len(s.parts))
	for i, p := range s.parts {
		kept[i] = keptFile{Name: p.Name, Text: p.Text}
		if p.blob != "" {
			kept[i].Text, kept[i].Blob = "", p.blob
		}
	}
	encoded, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encode rules: %w", err)
	}
	return encoded, nil
}

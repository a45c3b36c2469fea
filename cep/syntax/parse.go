package syntax

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/rhost/rhost/yamldoc"
)

// MaxProblems is how many problems of one file Parse tells before it gives up on
// the rest of the file.
const MaxProblems = 1000

// Parse reads the rule documents of a file. The error is yamldoc.Errors with
// every problem of every document, in the order they stand in the file; the
// rules without problems are given beside it. The name is only for positions.
//
// Source.Rules reads the same documents one by one.
func Parse(file string, src []byte) ([]*Rule, error) {
	var rules []*Rule
	var errs yamldoc.Errors
	names := make(map[string]yamldoc.Pos)
	for doc := range (Source{file, 1, string(src)}).documents() {
		rule, bad := doc.rule()
		if rule != nil && rule.Name != "" {
			if first, ok := names[rule.Name]; ok {
				bad = append(bad, yamldoc.Errorf(rule.Pos, "rule", CodeDuplicate, "rename one of them",
					"%s is also the name of the rule at %s", rule.Name, first))
			} else {
				names[rule.Name] = rule.Pos
			}
		}
		if len(bad) == 0 && rule != nil {
			rules = append(rules, rule)
		}
		if errs = append(errs, bad...); len(errs) >= MaxProblems {
			last := errs[len(errs)-1].Pos
			errs = append(errs, yamldoc.Errorf(last, "", yamldoc.CodeLimit, "mend these first", "%d problems; the documents behind this one were not read", len(errs)))
			break
		}
	}
	return rules, errs.Err()
}

// noMeta is the Meta of rules that say nothing of themselves.
var noMeta = new(Meta) //nolint:gochecknoglobals // shared by all such rules, and never changed

func (r *reader) rule(doc *yamldoc.Node) *Rule {
	rule := &Rule{Pos: doc.Pos, Meta: noMeta, When: When{Details: plain}, text: r.text}
	if doc.Kind != yamldoc.Map {
		r.fail(doc.Pos, "", CodeType, "start with `rule: NAME`", "a rule is a map of keys, not %s", doc.Kind)
		return rule
	}
	r.keys(doc, "", ruleKeys())
	rule.Name = r.name(doc)
	rule.Mode = Mode(r.choice(doc, "", "mode", modeNames(), "canary"))
	do, onFailure := r.steps(doc, "do"), r.steps(doc, "on_failure")
	rule.steps = do != nil || onFailure != nil
	if when := doc.Get("when"); when == nil {
		r.fail(doc.Pos, "when", CodeRequired, `write a condition, such as when: type == "order.created"`, "is missing")
	} else {
		rule.When = r.when(when)
	}
	if hasMeta(doc) {
		rule.Meta = r.meta(doc, &rule.When)
	}
	if len(r.errs) == 0 {
		rule.Version = version(rule, do, onFailure)
	}
	return rule
}

// hasMeta reports whether a document has keys of Meta.
func hasMeta(doc *yamldoc.Node) bool {
	for _, e := range doc.Keys {
		switch e.Key {
		case "rule", "mode", "when", "do", "on_failure":
		default:
			return true
		}
	}
	return false
}

func (r *reader) meta(doc *yamldoc.Node, w *When) *Meta {
	m := &Meta{
		Description: r.label(doc, "description"),
		Severity:    r.label(doc, "severity"),
		Labels:      r.labels(doc.Get("labels")),
		Owner:       r.label(doc, "owner"),
		Runbook:     r.label(doc, "runbook"),
		Priority:    Priority(r.choice(doc, "", "priority", priorityNames())),
		Tags:        r.texts(doc.Get("tags"), "tags"),
		Tests:       r.tests(doc.Get("tests"), w),
	}
	if doc.Get("on_change") != nil {
		m.OnChange = Keep + OnChange(r.choice(doc, "", "on_change", onChangeNames()))
	}
	return m
}

// Steps gives what follows a match, as written: the lists under `do` and
// `on_failure`, each nil when absent. A rule keeps only their text, and Steps
// reads it anew at every call; the nodes are the caller's.
func (r *Rule) Steps() (do, onFailure *yamldoc.Node) {
	if !r.steps {
		return nil, nil
	}
	doc := r.again()
	var again reader // what it would report was reported
	return again.steps(doc, "do"), again.steps(doc, "on_failure")
}

// again reads the document of a rule once more.
func (r *Rule) again() *yamldoc.Node {
	doc, errs := r.Source().tree()
	if len(errs) > 0 {
		panic("syntax: a document that was read before cannot be read again: " + errs.Error())
	}
	return doc
}

// Long gives the place of a key in the long form of an element or group; ok is
// false where it is not written there. It reads the document anew at every call.
func (r *Rule) Long(name, key string) (pos yamldoc.Pos, ok bool) {
	long := r.again().Get("when").Get("define").Get(name)
	if long == nil || long.Get(key) == nil {
		return pos, false
	}
	return entry(long, key).Pos, true
}

// maxName bounds the names of rules, which become parts of keys and topics.
const maxName = 200

func (r *reader) name(doc *yamldoc.Node) string {
	n := doc.Get("rule")
	if n == nil {
		r.fail(doc.Pos, "rule", CodeRequired, "give the rule a name: rule: NAME", "is missing")
		return ""
	}
	name := r.scalar(n, "rule")
	if name == "" {
		return ""
	}
	bad := strings.IndexFunc(name, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("._-/:", c)
	})
	switch {
	case len(name) > maxName:
		r.fail(n.Pos, "rule", CodeName, "shorten it", "the name is %d bytes long; the limit is %d", len(name), maxName)
	case bad >= 0:
		r.fail(n.Pos, "rule", CodeName, "use letters, digits and . _ - / :; a text for people goes into description",
			"%q cannot be in a name", []rune(clip(name[bad:]))[0])
	}
	return name
}

// label gives the scalar under a key, or "".
func (r *reader) label(n *yamldoc.Node, key string) string {
	if v := n.Get(key); v != nil {
		return r.scalar(v, key)
	}
	return ""
}

func (r *reader) labels(n *yamldoc.Node) map[string]string {
	if n == nil || n.Kind == yamldoc.Null {
		return nil
	}
	if n.Kind != yamldoc.Map {
		r.fail(n.Pos, "labels", CodeType, "write NAME: TEXT under it", "must be a map, not %s", n.Kind)
		return nil
	}
	labels := make(map[string]string, len(n.Keys))
	for _, e := range n.Keys {
		labels[r.own(e.Key, e.Pos)] = r.scalar(e.Value, join("labels", e.Key))
	}
	return labels
}

func (r *reader) texts(n *yamldoc.Node, key string) []string {
	if n == nil || n.Kind == yamldoc.Null {
		return nil
	}
	if n.Kind != yamldoc.List {
		r.fail(n.Pos, key, CodeType, "write [A, B]", "must be a list, not %s", n.Kind)
		return nil
	}
	var out []string
	for i, item := range n.Items {
		out = append(out, r.scalar(item, fmt.Sprintf("%s[%d]", key, i)))
	}
	return out
}

// steps gives a list of steps as it is: host/workflow reads it.
func (r *reader) steps(doc *yamldoc.Node, key string) *yamldoc.Node {
	n := doc.Get(key)
	if n == nil || n.Kind == yamldoc.Null {
		return nil
	}
	if n.Kind != yamldoc.List {
		r.fail(n.Pos, key, CodeType, "write `- run: PLUGIN` on a line of its own below it", "must be a list of steps, not %s", n.Kind)
		return nil
	}
	return n
}

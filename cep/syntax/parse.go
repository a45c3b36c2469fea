package syntax

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/rhost/rhost/yamldoc"
)

// Parse reads the rule documents of a file. The error is yamldoc.Errors with
// every problem of every document, in the order they stand in the file; the
// rules without problems are given beside it. The name is only for positions.
func Parse(file string, src []byte) ([]*Rule, error) {
	docs, err := yamldoc.Parse(file, src)
	var errs yamldoc.Errors
	if err != nil {
		errs = append(errs, asErrors(err)...)
	}
	lines := strings.Split(string(src), "\n")
	var rules []*Rule
	names := make(map[string]yamldoc.Pos)
	for _, doc := range docs {
		r := reader{lines: lines}
		rule := r.rule(file, doc)
		if first, ok := names[rule.Name]; ok && rule.Name != "" {
			r.fail(rule.Pos, "rule", CodeDuplicate, "rename one of them", "%s is also the name of the rule at %s", rule.Name, first)
		} else {
			names[rule.Name] = rule.Pos
		}
		if len(r.errs) > 0 {
			errs = append(errs, r.errs...)
			continue
		}
		rule.Version = version(rule)
		rules = append(rules, rule)
	}
	return rules, errs.Err()
}

func asErrors(err error) yamldoc.Errors {
	if errs, ok := err.(yamldoc.Errors); ok { //nolint:errorlint // yamldoc returns it bare
		return errs
	}
	return yamldoc.Errors{yamldoc.Errorf(yamldoc.Pos{}, "", CodeType, "", "%v", err)}
}

// reader reads one document and collects what is wrong with it.
type reader struct {
	lines []string // of the whole file
	errs  yamldoc.Errors
}

func (r *reader) fail(pos yamldoc.Pos, key, code, fix, format string, args ...any) {
	r.errs = append(r.errs, yamldoc.Errorf(pos, key, code, fix, format, args...))
}

const laterFix = "leave it out until a release that knows it"

func (r *reader) later(pos yamldoc.Pos, key, what string) {
	r.fail(pos, key, CodeLater, laterFix, "%s is not supported yet", what)
}

func (r *reader) rule(file string, doc *yamldoc.Node) *Rule {
	rule := &Rule{File: file, Pos: doc.Pos}
	if doc.Kind != yamldoc.Map {
		r.fail(doc.Pos, "", CodeType, "start with `rule: NAME`", "a rule is a map of keys, not %s", doc.Kind)
		return rule
	}
	r.keys(doc, "", ruleKeys())
	rule.Name = r.name(doc)
	rule.Description = r.text(doc, "description")
	rule.Mode = Mode(r.choice(doc, "", "mode", modeNames(), "canary"))
	rule.Severity = r.text(doc, "severity")
	rule.Labels = r.labels(doc.Get("labels"))
	rule.Owner = r.text(doc, "owner")
	rule.Runbook = r.text(doc, "runbook")
	rule.Priority = Priority(r.choice(doc, "", "priority", priorityNames()))
	rule.Tags = r.texts(doc.Get("tags"), "tags")
	rule.Do = r.steps(doc, "do")
	rule.OnFailure = r.steps(doc, "on_failure")
	rule.Tests = r.tests(doc.Get("tests"))
	if when := doc.Get("when"); when == nil {
		r.fail(doc.Pos, "when", CodeRequired, `write a condition, such as when: type == "order.created"`, "is missing")
	} else {
		rule.When = r.when(when)
	}
	return rule
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
			"%q cannot be in a name", []rune(name[bad:])[0])
	}
	return name
}

// keys reports the keys of a map that do not exist, and those that come later.
func (r *reader) keys(n *yamldoc.Node, under string, k keys) {
	for _, e := range n.Keys {
		switch {
		case slices.Contains(k.later, e.Key):
			r.later(e.Pos, join(under, e.Key), e.Key)
		case !slices.Contains(k.known, e.Key):
			r.fail(e.Pos, join(under, e.Key), CodeKey, yamldoc.Suggest(e.Key, k.known), "unknown key")
		}
	}
}

func join(under, key string) string {
	if under == "" {
		return key
	}
	return under + "." + key
}

// text gives the scalar under a key, or "".
func (r *reader) text(n *yamldoc.Node, key string) string {
	if v := n.Get(key); v != nil {
		return r.scalar(v, key)
	}
	return ""
}

// scalar gives a node's text as written.
func (r *reader) scalar(n *yamldoc.Node, key string) string {
	switch n.Kind {
	case yamldoc.String, yamldoc.Number, yamldoc.Bool:
		if n.Text == "" {
			r.fail(n.Pos, key, CodeValue, "write a text or leave the key out", "is empty")
		}
		return n.Text
	default:
		r.fail(n.Pos, key, CodeType, "write a text", "must be a text, not %s", n.Kind)
		return ""
	}
}

// choice gives the index of the value under a key in options, of which the
// first is the default.
func (r *reader) choice(n *yamldoc.Node, under, key string, options []string, later ...string) int {
	v := n.Get(key)
	if v == nil {
		return 0
	}
	key = join(under, key)
	text := r.scalar(v, key)
	i := slices.Index(options, text)
	switch {
	case text == "" || i >= 0:
	case slices.Contains(later, text):
		r.later(v.Pos, key, text)
	default:
		r.fail(v.Pos, key, CodeValue, suggest(text, options), "%q is not one of its values", text)
	}
	return max(i, 0)
}

// suggest is the fix for a word that should have been one of options.
func suggest(text string, options []string) string {
	if guess := yamldoc.Suggest(text, options); strings.HasPrefix(guess, "did you mean") {
		return guess
	}
	return "write " + strings.Join(options, " or ")
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
		labels[e.Key] = r.scalar(e.Value, join("labels", e.Key))
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

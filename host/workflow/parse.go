package workflow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// Codes of the problems that Parse reports.
const (
	codeType      = "workflow-type"      // a value of the wrong type
	codeMissing   = "workflow-missing"   // a key that is needed
	codeKey       = "workflow-key"       // a key that nobody knows
	codeLater     = "workflow-later"     // a key of a later release
	codeValue     = "workflow-value"     // a value that cannot be
	codeDuplicate = "workflow-duplicate" // something said twice
	codeTemplate  = "workflow-template"  // a `${…}` that cannot be compiled
	codeReference = "workflow-reference" // a `${…}` that reads a step which has not run by then
)

// Parse compiles the `do:` and `on_failure:` of a rule; either may be nil, for
// absent. c compiles what holds `${…}`. The error is a yamldoc.Errors with
// everything that is wrong.
//
// The arguments that a Command carries have these shapes:
//
//	run     the value of with, or nil
//	emit    {"type", "data", "subject"}    never seen in a Command
//	notify  {"topic", "with"}              never seen in a Command
//	http    {"method", "url", "headers", "body"}
//	file    {"copy": {"from", "to"}}, {"move": {"from", "to"}}, {"tag": {"path", "tags"}} or {"delete": {"path"}};
//	        for the undo that comes with it {"revert": …}, the value of "undo" in the step's output
func Parse(do, onFailure *yamldoc.Node, c Compiler) (*Definition, error) {
	p := &parser{compiler: c, ids: make(map[string]yamldoc.Pos)}
	p.explicitIDs(do)
	p.explicitIDs(onFailure)
	d := &Definition{byID: make(map[string]*Step)}
	d.steps = p.steps("do", do)
	p.late = true
	d.onFailure = p.steps("on_failure", onFailure)
	if len(p.errs) > 0 {
		return nil, p.errs.Err()
	}
	for _, s := range slices.Concat(d.steps, d.onFailure) {
		d.byID[s.ID] = s
	}
	digest, err := digestOf(do, onFailure)
	if err != nil {
		return nil, err
	}
	d.digest = digest
	return d, nil
}

// digestOf hashes what was written, layout and comments aside.
func digestOf(do, onFailure *yamldoc.Node) (string, error) {
	text, err := json.Marshal([]any{"workflow/1", plain(do), plain(onFailure)})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func plain(n *yamldoc.Node) any {
	if n == nil {
		return nil
	}
	return n.Any()
}

// parser collects every problem of one definition.
type parser struct {
	compiler Compiler
	errs     yamldoc.Errors
	ids      map[string]yamldoc.Pos // where each id was given
	before   []string               // ids whose results a template may read by now
	late     bool                   // in on_failure
}

func (p *parser) fail(pos yamldoc.Pos, key, code, fix, format string, args ...any) {
	p.errs = append(p.errs, yamldoc.Errorf(pos, key, code, fix, format, args...))
}

// adopt keeps an error of the compiler, with its own positions if it has any.
func (p *parser) adopt(pos yamldoc.Pos, key string, err error) {
	var many yamldoc.Errors
	var one *yamldoc.Error
	switch {
	case errors.As(err, &many):
		p.errs = append(p.errs, many...)
	case errors.As(err, &one):
		p.errs = append(p.errs, one)
	default:
		p.fail(pos, key, codeTemplate, "", "%s", err)
	}
}

// explicitIDs takes down the ids that steps give themselves, so that the ones
// made up for the others keep clear of them.
func (p *parser) explicitIDs(steps *yamldoc.Node) {
	if steps == nil || steps.Kind != yamldoc.List {
		return
	}
	for _, n := range steps.Items {
		id := n.Get("id")
		if id == nil {
			continue
		}
		if id.Kind != yamldoc.String || !stepID.MatchString(id.Text) {
			p.fail(id.Pos, "id", codeValue, "use letters, digits, '-' and '_', a letter first, at most 64 of them",
				"%q is no step id", id.Text)
			continue
		}
		if first, taken := p.ids[id.Text]; taken {
			p.fail(id.Pos, "id", codeDuplicate, "give each step an id of its own", "%q is the id of the step at %s too", id.Text, first)
			continue
		}
		p.ids[id.Text] = id.Pos
	}
}

var (
	stepID     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
	pluginName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// idFor returns the id of a step: its own, or its plugin or action, numbered
// where there are several.
func (p *parser) idFor(n *yamldoc.Node, s *Step) string {
	if id := n.Get("id"); id != nil {
		return id.Text
	}
	base := string(s.Action)
	if s.Action == ActionRun && stepID.MatchString(s.Plugin) {
		base = s.Plugin
	}
	id := base
	for i := 2; ; i++ {
		if _, taken := p.ids[id]; !taken {
			p.ids[id] = n.Pos
			return id
		}
		id = base + "-" + strconv.Itoa(i)
	}
}

func (p *parser) steps(key string, n *yamldoc.Node) []*Step {
	if n == nil {
		return nil
	}
	if n.Kind != yamldoc.List {
		p.fail(n.Pos, key, codeType, "write a list, one \"- run: plugin\" a step", "the steps must be a list")
		return nil
	}
	if len(n.Items) == 0 {
		p.fail(n.Pos, key, codeValue, "add a step or remove the key", "the list of steps is empty")
	}
	var steps []*Step
	for _, item := range n.Items {
		if s := p.step(item); s != nil {
			steps = append(steps, s)
		}
	}
	return steps
}

// step parses one step of a list, its undo included. It returns nil when the
// step is too broken to go on with.
func (p *parser) step(n *yamldoc.Node) *Step {
	action, ok := p.actionOf(n, "id", "undo")
	if !ok {
		return nil
	}
	s := &Step{Action: action, onFailure: p.late}
	if action == ActionRun {
		s.Plugin = p.plugin(n.Get("run"))
	}
	s.ID = p.idFor(n, s)
	p.fill(n, s)
	p.before = append(p.before, s.ID)
	p.undo(n.Get("undo"), s)
	return s
}

// undo parses the undo of s, which may read what s itself gave.
func (p *parser) undo(n *yamldoc.Node, s *Step) {
	switch {
	case n == nil:
		return
	case p.late:
		p.fail(n.Pos, "undo", codeValue, "remove it", "steps of on_failure are never undone")
		return
	case n.Kind == yamldoc.String && n.Text == "none":
		if s.Action != ActionFile {
			p.fail(n.Pos, "undo", codeValue, "remove it", "only file steps have an undo that can be turned off")
		}
		s.keep = true
		return
	}
	action, ok := p.actionOf(n)
	if !ok {
		return
	}
	s.Undo = &Step{ID: s.ID, Action: action}
	if action == ActionRun {
		s.Undo.Plugin = p.plugin(n.Get("run"))
	}
	p.fill(n, s.Undo)
}

// plugin checks a reference to a plugin.
func (p *parser) plugin(n *yamldoc.Node) string {
	if n.Kind != yamldoc.String {
		p.fail(n.Pos, "run", codeType, "write the plugin's name: run: lock-account", "must be the name of a plugin")
		return ""
	}
	name, _, versioned := strings.Cut(n.Text, "@")
	if versioned {
		p.fail(n.Pos, "run", codeLater, "write "+name+" alone, which runs its current version",
			"a plugin version (%s) is not supported yet", n.Text)
		return name
	}
	if !pluginName.MatchString(name) {
		p.fail(n.Pos, "run", codeValue, "use the name of a file or folder under plugins/, without its ending", "%q is no plugin name", name)
	}
	return name
}

package workflow

import "time"

// Definition is the compiled `do:` and `on_failure:` of a rule. It is immutable
// and safe for concurrent use.
type Definition struct {
	digest    string
	steps     []*Step // `do:`, in order
	onFailure []*Step // `on_failure:`, in order
	byID      map[string]*Step
}

// Step is one step of a definition. It is immutable.
type Step struct {
	ID      string
	Action  Action
	Plugin  string // for ActionRun
	Retry   Retry
	Timeout time.Duration // of one attempt
	Undo    *Step         // nil: none of its own

	args      argument
	onFailure bool
	// keep says that a file step has no undo, not even the one that comes with it.
	keep bool
}

// DefaultTimeout is how long an attempt may take where a step does not say.
const DefaultTimeout = 30 * time.Second

// Digest identifies the definition: "sha256:…" over what was written, whatever
// its layout and comments.
func (d *Definition) Digest() string { return d.digest }

// Steps returns the steps of `do:`, in order. The slice is not to be changed.
func (d *Definition) Steps() []*Step { return d.steps }

// OnFailure returns the steps of `on_failure:`, in order. The slice is not to be
// changed.
func (d *Definition) OnFailure() []*Step { return d.onFailure }

// Plugins returns the names of the plugins that the definition calls, undo and
// on_failure steps included, each once, in order of appearance.
func (d *Definition) Plugins() []string {
	var names []string
	seen := make(map[string]bool)
	d.each(func(s *Step) {
		if s.Action == ActionRun && !seen[s.Plugin] {
			seen[s.Plugin] = true
			names = append(names, s.Plugin)
		}
	})
	return names
}

// each visits every step: a step, then its undo.
func (d *Definition) each(visit func(*Step)) {
	for _, list := range [][]*Step{d.steps, d.onFailure} {
		for _, s := range list {
			visit(s)
			if s.Undo != nil {
				visit(s.Undo)
			}
		}
	}
}

// step returns the step with the given id, or nil.
func (d *Definition) step(id string) *Step { return d.byID[id] }

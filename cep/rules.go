package cep

import (
	"maps"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/cep/trigger"
	"github.com/rhost/rhost/cep/window"
)

// Rule is a parsed rule document. It is immutable.
type Rule = syntax.Rule

// Source is the text of one rule or of several, and where it stands.
type Source = syntax.Source

// Test is one entry of a rule's `tests:`.
type Test = syntax.Test

// Mode says how far a rule's matches go.
type Mode = syntax.Mode

// The modes of rules.
const (
	Live   = syntax.Live   // matches run their actions
	Shadow = syntax.Shadow // matches are recorded and have no effects
	Off    = syntax.Off    // the rule sees no events
)

// Position is where an event stands in the log. Positions are part of a match's
// identity.
type Position = engine.Position

// ParseRules reads the rule documents of a file, whose name is only used for
// positions. The error is yamldoc.Errors with every problem of every document;
// the rules without problems are given beside it.
func ParseRules(file string, src []byte) ([]*Rule, error) { return syntax.Parse(file, src) }

// Codes explains the codes of problems that ParseRules, Compile and NewTemplate
// report, by code.
func Codes() map[string]string {
	all := syntax.Codes()
	maps.Copy(all, predicate.Codes())
	maps.Copy(all, window.Codes())
	maps.Copy(all, trigger.Codes())
	maps.Copy(all, map[string]string{
		codeTable:    "A condition names a lookup table that does not exist. Tables are the files under tables/, by their names without ending.",
		codeElements: "A pattern has more different conditions than the core can follow. Split the rule, or join conditions with || where they may share an element.",
	})
	return all
}

const (
	codeElements = "rule-elements"
	codeTable    = "rule-table"
)

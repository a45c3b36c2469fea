package predicate

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	celast "cel.dev/cel-go/common/ast"

	"github.com/rhost/rhost/yamldoc"
)

// source is one CEL text on its way through parse, rewrite and check.
type source struct {
	text  string
	pos   yamldoc.Pos // of its first character
	scope Scope
	env   *cel.Env
	ast   *celast.AST
	errs  yamldoc.Errors

	elements   bool     // names an element
	usesEvent  bool     // of a template: names the trigger
	usedElems  []int    // indices in scope, in the order met
	usedSteps  []string // of a template: ids of steps, in the order met
	wholeSteps bool     // of a template: steps other than by name
}

// fail notes a problem at an expression.
func (s *source) fail(id int64, code, fix, format string, args ...any) {
	loc := s.ast.SourceInfo().GetStartLocation(id)
	s.errs = append(s.errs, yamldoc.Errorf(s.at(loc.Line(), loc.Column()), "", code, fix, format, args...))
}

// at turns a place in the text (line from 1, column from 0) into one in the
// file. In YAML all lines of a text that has several are indented alike.
func (s *source) at(line, col int) yamldoc.Pos {
	p := s.pos
	p.Line += max(line-1, 0)
	p.Col += max(col, 0)
	return p
}

// parse reads, rewrites and checks the text; s.ast is then the checked tree.
func (s *source) parse() error {
	if err := s.bounds(); err != nil {
		return yamldoc.Errors{err}
	}
	parsed, issues := s.env.Parse(s.text)
	if issues.Err() != nil {
		return s.syntaxErrors(issues.Errors())
	}
	s.ast = parsed.NativeRep()
	if s.rewrite(); len(s.errs) > 0 {
		return s.errs
	}
	checked, issues := s.env.Check(parsed)
	if issues.Err() != nil {
		return s.typeErrors(issues.Errors())
	}
	s.ast = checked.NativeRep()
	return nil
}

// bounds refuses what is too large or too deep before a parser sees it.
func (s *source) bounds() *yamldoc.Error {
	if strings.TrimSpace(s.text) == "" {
		return yamldoc.Errorf(s.pos, "", CodeSyntax, s.example(), "is empty")
	}
	if len(s.text) > MaxSource {
		return yamldoc.Errorf(s.pos, "", CodeTooLarge, "split it over several rules, or keep to fields tested against constants, which may be longer",
			"is %d bytes long; the limit is %d", len(s.text), MaxSource)
	}
	if at := tooDeep(s.text); at >= 0 {
		p := s.pos
		p.Col += at
		return yamldoc.Errorf(p, "", CodeTooLarge, "write it with fewer brackets inside brackets",
			"has more than %d brackets inside brackets", MaxNesting)
	}
	return nil
}

func (s *source) example() string {
	if s.scope.Under == NoElement {
		return "write an expression such as ${event.data.user}"
	}
	return `write a condition such as type == "order.created"`
}

// tooDeep gives the offset of the first bracket beyond the limit, or -1.
func tooDeep(text string) int {
	depth := 0
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '[' || c == '{':
			if depth++; depth > MaxNesting {
				return i
			}
		case c == ')' || c == ']' || c == '}':
			depth--
		}
	}
	return -1
}

// syntaxErrors puts cel-go's complaints into the words of this house. Only the
// first counts: the others mostly follow from it.
func (s *source) syntaxErrors(list []*common.Error) error {
	e := list[0]
	msg := strings.TrimPrefix(e.Message, "Syntax error: ")
	msg, _, _ = strings.Cut(msg, " expecting ")
	msg = strings.NewReplacer("at '<EOF>'", "at the end", "'<EOF>'", "at the end").Replace(msg)
	for _, limit := range []string{"expression code point size exceeds", "recursion", "node limit", "node count", "expression node"} {
		if strings.Contains(msg, limit) {
			s.add(e, CodeTooLarge, "split it over several rules", "is too large or too deep: "+msg)
			return s.errs
		}
	}
	if msg == badHas {
		s.add(e, CodeType, "write has(data.user), has(ext.region) or has(subject)", msg)
		return s.errs
	}
	s.add(e, CodeSyntax, s.syntaxFix(msg), "is not CEL: "+msg)
	return s.errs
}

// syntaxFix guesses which habit of another language led here.
func (s *source) syntaxFix(msg string) string {
	word, _ := quoted(msg, "input '")
	switch {
	case strings.Contains(msg, "token recognition error at: '="):
		return "= is written =="
	case strings.Contains(msg, "token recognition error at: '\""), strings.Contains(msg, "token recognition error at: ''"):
		return "close every text with the quote it began with"
	case strings.Contains(msg, "reserved identifier"):
		return `CEL keeps this word for itself; a field of that name is written data["NAME"]`
	case word == "and" || word == "AND":
		return "and is written &&"
	case word == "or" || word == "OR":
		return "or is written ||"
	case word == "contains" || word == "startsWith" || word == "endsWith" || word == "matches":
		return "write data.x." + word + `("…")`
	case word == "is" || word == "eq":
		return word + " is written =="
	case strings.HasPrefix(strings.TrimSpace(s.text), "not "):
		return "not is written !"
	case strings.Contains(s.text, "''"):
		return `a quote inside a text is written \\' or stands in a text with the other quotes`
	}
	return `conditions look like type == "a" && data.n > 1`
}

func (s *source) add(e *common.Error, code, fix, msg string) {
	s.errs = append(s.errs, yamldoc.Errorf(s.at(e.Location.Line(), e.Location.Column()), "", code, fix, "%s", msg))
}

// typeErrors does the same for the checker's.
func (s *source) typeErrors(list []*common.Error) error {
	for _, e := range list {
		code, fix, msg := s.typeError(e)
		s.add(e, code, fix, msg)
	}
	return s.errs
}

func (s *source) typeError(e *common.Error) (code, fix, text string) {
	msg := e.Message
	if name, ok := quoted(msg, "undeclared reference to '"); ok {
		if s.charAt(e.Location) == '(' {
			return CodeUndefined, "see the functions that conditions have in the manual", "there is no function " + name
		}
		return s.undeclared(name)
	}
	if strings.Contains(msg, "type 'list(rhost.Event)' does not support field selection") {
		return CodeType, "choose one: last(x).data.y, first(x).data.y, x[0].data.y; or sum, avg, min, max over all", "the element is a list of events, which has no fields"
	}
	if field, ok := quoted(msg, "undefined field '"); ok {
		return CodeUndefined, "events have " + strings.Join(attributes(), ", ") + "; what is in the payload is written data." + field,
			"an event has no field " + field
	}
	if rest, ok := strings.CutPrefix(msg, "found no matching overload for "); ok {
		return CodeType, overloadFix(rest), overload(rest)
	}
	if found, ok := quoted(msg, "expected type 'bool' but found '"); ok {
		return CodeType, "compare it with something, as in data.size > 10", "a condition must be true or false, and this is a " + typeNames(found)
	}
	return CodeType, "compare values of one type", typeNames(msg)
}

func (s *source) undeclared(name string) (code, fix, text string) {
	text = name + " is not defined here"
	switch {
	case slices.Contains([]string{"vars", "tenant"}, name):
		return CodeLater, "leave it out until a release that knows it", name + " is not supported yet"
	case s.scope.Under != NoElement && (name == "event" || name == "steps"):
		return CodeUndefined, "in a condition the event under test has no name: write data.x, not event.data.x; steps exist only in actions", text
	}
	var names []string
	for _, e := range s.scope.Elements {
		names = append(names, e.Name)
	}
	fix = "a payload field is written data." + name
	if len(names) > 0 {
		fix += "; the elements are " + strings.Join(names, ", ")
	}
	return CodeUndefined, fix, text
}

// overload says "cannot compare string with number" for cel-go's
// "'_==_' applied to '(string, double)'".
func overload(rest string) string {
	fn, _ := quoted(rest, "'")
	args, _ := quoted(rest, "applied to '")
	args = typeNames(args)
	if operator := strings.Trim(fn, "_"); strings.HasPrefix(fn, "_") || strings.HasPrefix(fn, "@") || strings.HasPrefix(fn, "!") || strings.HasPrefix(fn, "-") {
		operator = strings.TrimPrefix(operator, "@")
		if fn == "_[_]" {
			operator = "[ ]"
		}
		return fmt.Sprintf("%s does not work on %s", operator, strings.ReplaceAll(args, ".(", " and ("))
	}
	return fmt.Sprintf("%s does not take %s", fn, args)
}

func overloadFix(rest string) string {
	switch {
	case strings.Contains(rest, "'_[_]'"):
		return "lists take a number in brackets, maps a text"
	case strings.Contains(rest, "'_==_'"), strings.Contains(rest, "'_!=_'"), strings.Contains(rest, "'_<"), strings.Contains(rest, "'_>"):
		return `compare values of one type; convert with double(…), string(…), timestamp("…") or duration("…")`
	case strings.Contains(rest, "Timestamp") || strings.Contains(rest, "Duration"):
		return `spans of time are written duration("5m"), times timestamp("…")`
	case strings.Contains(rest, "'_&&_'"), strings.Contains(rest, "'_||_'"), strings.Contains(rest, "'!_'"):
		return "both sides must be conditions, true or false"
	}
	return "convert with double(…), string(…), timestamp(…) or duration(…)"
}

// typeNames replaces CEL's names of types by those the manual uses.
func typeNames(msg string) string {
	return strings.NewReplacer(
		"list(rhost.Event)", "list of events", "rhost.Event", "event",
		"google.protobuf.Timestamp", "timestamp", "google.protobuf.Duration", "duration",
		"double", "number", "dyn", "any", "string", "text", "bool", "truth",
	).Replace(msg)
}

// charAt gives the character at a place in the text, or 0.
func (s *source) charAt(loc common.Location) byte {
	lines := strings.Split(s.text, "\n")
	if loc.Line() < 1 || loc.Line() > len(lines) {
		return 0
	}
	line := []rune(lines[loc.Line()-1])
	if loc.Column() < 0 || loc.Column() >= len(line) || line[loc.Column()] > 0x7f {
		return 0
	}
	return byte(line[loc.Column()])
}

// quoted gives what stands in single quotes behind a prefix, which ends with the
// opening one.
func quoted(s, prefix string) (string, bool) {
	_, rest, ok := strings.Cut(s, prefix)
	if !ok {
		return "", false
	}
	in, _, ok := strings.Cut(rest, "'")
	return in, ok
}

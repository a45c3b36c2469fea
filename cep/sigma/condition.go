package sigma

import (
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// detection holds the selections of one rule, converted when first asked for.
type detection struct {
	node  *yamldoc.Node
	scope *scope
	done  map[string]expr
	many  map[[2]string]expr // what `1 of pattern` stands for
}

// notSelection reports whether a key of a detection or a filter names no selection.
func notSelection(key string) bool {
	return key == "condition" || key == "timeframe" || key == "rules"
}

// names gives the selections whose name matches a pattern; "them" is all but
// those that start with an underscore.
func (d *detection) names(pattern string) []string {
	var out []string
	p := parsePattern(strings.ReplaceAll(strings.ReplaceAll(pattern, `\`, `\\`), "?", `\?`))
	for _, e := range d.node.Keys {
		switch {
		case notSelection(e.Key):
		case pattern == "them" && !strings.HasPrefix(e.Key, "_"):
			out = append(out, e.Key)
		case pattern != "them" && wildMatch(p, e.Key):
			out = append(out, e.Key)
		}
	}
	return out
}

// wildMatch is pattern.matches without going back further than the last star,
// as names may be long.
func wildMatch(p pattern, s string) bool {
	if len(p) > 0 && p[0].wild == 0 {
		rest, ok := strings.CutPrefix(s, p[0].text)
		if !ok {
			return false
		}
		p, s = p[1:], rest
	} else if len(p) == 0 {
		return s == ""
	}
	for len(p) > 0 { // p starts with a star
		if p = p[1:]; len(p) == 0 {
			return true
		}
		if len(p) == 1 {
			return strings.HasSuffix(s, p[0].text)
		}
		i := strings.Index(s, p[0].text)
		if i < 0 {
			return false
		}
		s, p = s[i+len(p[0].text):], p[1:]
	}
	return s == ""
}

// selection gives one selection.
func (d *detection) selection(name string) (expr, error) {
	if e, ok := d.done[name]; ok {
		return e, nil
	}
	e, err := d.scope.selection(d.node.Get(name))
	if err != nil {
		return nil, err
	}
	d.done[name] = e
	return e, nil
}

// selection converts a map, whose entries must all hold, or a list of maps and
// keywords, of which one must.
func (s *scope) selection(n *yamldoc.Node) (expr, error) {
	switch n.Kind {
	case yamldoc.Map:
		if len(n.Keys) == 0 {
			return nil, troublef(n, "selection", "write FIELD: VALUE", "the selection is empty")
		}
		var kids []expr
		for _, e := range n.Keys {
			k, err := s.field(e)
			if err != nil {
				return nil, err
			}
			kids = append(kids, k)
		}
		return allOf(kids...), nil
	case yamldoc.List:
		return s.list(n)
	case yamldoc.String, yamldoc.Number, yamldoc.Bool:
		return s.search(n, n, modifiers{})
	default:
		return nil, troublef(n, "selection", "write FIELD: VALUE", "the selection is empty")
	}
}

func (s *scope) list(n *yamldoc.Node) (expr, error) {
	var kids []expr
	words := &yamldoc.Node{Kind: yamldoc.List, Pos: n.Pos}
	for _, item := range n.Items {
		switch item.Kind {
		case yamldoc.Map:
			k, err := s.selection(item)
			if err != nil {
				return nil, err
			}
			kids = append(kids, k)
		case yamldoc.String, yamldoc.Number, yamldoc.Bool:
			words.Items = append(words.Items, item)
		default:
			return nil, troublef(item, "selection", "write a map or a keyword", "the list holds %s", item.Kind)
		}
	}
	if len(words.Items) > 0 {
		k, err := s.search(words, words, modifiers{})
		if err != nil {
			return nil, err
		}
		kids = append(kids, k)
	}
	if len(kids) == 0 {
		return nil, troublef(n, "selection", "write FIELD: VALUE", "the selection is empty")
	}
	return eitherOf(kids...), nil
}

// condition parses a condition over the selections.
func (d *detection) condition(n *yamldoc.Node, src string) (expr, error) {
	if len(src) > maxSource {
		return nil, troublef(n, "condition", "split the rule", "the condition has %d bytes; the limit is %d", len(src), maxSource)
	}
	p := conditionParser{d: d, node: n, tokens: tokenize(src)}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.at < len(p.tokens) {
		return nil, p.fail("write and or or before it", "%q is not expected here", p.peek())
	}
	return e, nil
}

// tokenize splits a condition at blanks and brackets.
func tokenize(src string) []string {
	return strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", "|", " | ").Replace(src))
}

type conditionParser struct {
	d      *detection
	node   *yamldoc.Node
	tokens []string
	at     int
}

func (p *conditionParser) fail(fix, format string, args ...any) error {
	return troublef(p.node, "condition", fix, format, args...)
}

func (p *conditionParser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

// take moves past a word, whatever its case.
func (p *conditionParser) take(word string) bool {
	if strings.EqualFold(p.peek(), word) && p.at < len(p.tokens) {
		p.at++
		return true
	}
	return false
}

func (p *conditionParser) or(depth int) (expr, error) {
	return p.chain("or", depth, p.and, eitherOf)
}

func (p *conditionParser) and(depth int) (expr, error) {
	return p.chain("and", depth, p.not, allOf)
}

func (p *conditionParser) chain(word string, depth int, next func(int) (expr, error), join func(...expr) expr) (expr, error) {
	var kids []expr
	for {
		k, err := next(depth)
		if err != nil {
			return nil, err
		}
		kids = append(kids, k)
		if !p.take(word) {
			return join(kids...), nil
		}
	}
}

func (p *conditionParser) not(depth int) (expr, error) {
	if depth > maxDepth {
		return nil, p.fail("flatten it", "more than %d brackets and nots in one another", maxDepth)
	}
	if p.take("not") {
		e, err := p.not(depth + 1)
		if err != nil {
			return nil, err
		}
		return not(e), nil
	}
	if p.take("(") {
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.fail("close it", "a bracket is not closed")
		}
		return e, nil
	}
	return p.operand()
}

// operand reads a selection's name or `1 of pattern`.
func (p *conditionParser) operand() (expr, error) {
	word := p.peek()
	switch strings.ToLower(word) {
	case "":
		return nil, p.fail("write the name of a selection", "the condition ends too early")
	case "and", "or", "of", ")", "|":
		return nil, p.fail("write the name of a selection", "%q is not expected here", word)
	}
	p.at++
	if !p.take("of") {
		if p.d.node.Get(word) == nil || notSelection(word) {
			names := p.d.names("*")
			return nil, p.fail(yamldoc.Suggest(word, names), "there is no selection %s", word)
		}
		return p.d.selection(word)
	}
	if p.peek() == "" {
		return nil, p.fail("write them, or a pattern such as selection_*", "nothing follows %s of", word)
	}
	pattern := p.peek()
	p.at++
	if strings.EqualFold(pattern, "them") {
		pattern = "them"
	}
	names := p.d.names(pattern)
	if len(names) == 0 {
		return nil, p.fail("name selections that exist", "no selection is meant by %s", pattern)
	}
	key := [2]string{strings.ToLower(word), pattern}
	if e, ok := p.d.many[key]; ok {
		return e, nil
	}
	var kids []expr
	for _, name := range names {
		e, err := p.d.selection(name)
		if err != nil {
			return nil, err
		}
		kids = append(kids, e)
	}
	e, err := p.quantified(word, kids)
	if err == nil {
		p.d.many[key] = e
	}
	return e, err
}

func (p *conditionParser) quantified(word string, kids []expr) (expr, error) {
	switch strings.ToLower(word) {
	case "all":
		return allOf(kids...), nil
	case "1", "any", "one":
		return eitherOf(kids...), nil
	}
	n := 0
	for _, c := range word {
		if c < '0' || c > '9' || n > maxCombos {
			return nil, p.fail("write 1, all or any", "%q of is not known", word)
		}
		n = n*10 + int(c-'0')
	}
	switch {
	case n < 1:
		return nil, p.fail("write 1, all or any", "%q of is not known", word)
	case n > len(kids):
		return nil, p.fail("write all", "%s of %d selections cannot hold", word, len(kids))
	}
	sets := combinations(len(kids), n)
	if sets == nil {
		return nil, p.fail("write the combinations out", "%s of %d selections are more than %d combinations", word, len(kids), maxCombos)
	}
	var out []expr
	for _, set := range sets {
		var some []expr
		for _, i := range set {
			some = append(some, kids[i])
		}
		out = append(out, allOf(some...))
	}
	return eitherOf(out...), nil
}

// combinations gives the ways of choosing k of n; nil when there are too many.
func combinations(n, k int) [][]int {
	if k > 16 && k < n {
		return nil
	}
	var out [][]int
	var choose func(from int, chosen []int) bool
	choose = func(from int, chosen []int) bool {
		if len(chosen) == k {
			out = append(out, append([]int(nil), chosen...))
			return len(out) <= maxCombos
		}
		for i := from; i <= n-(k-len(chosen)); i++ {
			if !choose(i+1, append(chosen, i)) {
				return false
			}
		}
		return true
	}
	if !choose(0, make([]int, 0, k)) {
		return nil
	}
	return out
}

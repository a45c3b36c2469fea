package syntax_test

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// generator draws patterns that are correct, in any spelling.
type generator struct {
	t      *rapid.T
	define []string
	n      int // of names so far
	budget int // of elements that are still to come
}

func (g *generator) pick(what string, options ...string) string {
	return rapid.SampledFrom(options).Draw(g.t, what)
}

// rule draws a whole document.
func (g *generator) rule() string {
	pattern := g.seq(3, true)
	within := g.pick("within", "1m", "{gap: 5s}")
	return fmt.Sprintf("rule: r\nwhen:\n  within: %s\n  pattern: %q\n  define:\n%s", within, pattern, strings.Join(g.define, ""))
}

// name draws a new element or, of the depth that is left, a named group.
func (g *generator) name(depth int) string {
	g.n++
	name := fmt.Sprintf("e%d", g.n)
	if depth > 0 && rapid.IntRange(0, 5).Draw(g.t, "named") == 0 {
		pattern := g.seq(depth-1, false)
		g.define = append(g.define, fmt.Sprintf("    %s: {pattern: %q, repeat: %s, wait: 1s}\n", name, pattern, g.pick("repeat", "next", "then", "any")))
		return name
	}
	g.budget--
	form := g.pick("form", `    %s: data.%[1]s`, `    %s: {where: 'data.%[1]s', repeat: any}`, `    %s: {where: 'data.%[1]s', wait: 3s, repeat: next}`)
	g.define = append(g.define, fmt.Sprintf(form, name)+"\n")
	return name
}

// seq draws a sequence. A negative element never ends a group, and follows only
// what is surely there.
func (g *generator) seq(depth int, top bool) string {
	text, certain := g.alt(depth)
	for more := rapid.IntRange(0, 3).Draw(g.t, "more"); more > 0 && g.budget > 0; more-- {
		if certain && rapid.IntRange(0, 3).Draw(g.t, "not") == 0 {
			text += g.pick("not link", " then not ", " next not ") + g.element()
			if !top || more > 1 {
				next, sure := g.alt(depth)
				text, certain = text+" then "+next, sure
				continue
			}
			return text
		}
		next, sure := g.alt(depth)
		text, certain = text+g.pick("link", " then ", " next ", "\tthen  any ")+next, sure
	}
	return text
}

// element draws one that is bare enough to follow not.
func (g *generator) element() string {
	g.n++
	name := fmt.Sprintf("e%d", g.n)
	g.define = append(g.define, fmt.Sprintf("    %s: data.%[1]s\n", name))
	return name
}

// alt draws alternatives or a conjunction; certain reports whether a match always
// has something of it.
func (g *generator) alt(depth int) (text string, certain bool) {
	text, certain = g.unit(depth)
	if depth == 0 || rapid.IntRange(0, 3).Draw(g.t, "several") > 0 {
		return text, certain
	}
	mark := g.pick("mark", "|", "&")
	all, some := certain, certain
	for range rapid.IntRange(1, 2).Draw(g.t, "operands") {
		next, sure := g.unit(depth - 1)
		text += g.pick("space", "", " ") + mark + next
		all, some = all && sure, some || sure
	}
	if mark == "|" {
		return text, all
	}
	return text, some
}

func (g *generator) unit(depth int) (text string, certain bool) {
	quantifiers := []string{"", "", "", "?", "*", "+", "{2}", "{2,}", "{1,3}", "{0,3}", "{ 0 , 1 }", "{0,}", "{1}"}
	if depth == 0 || rapid.IntRange(0, 2).Draw(g.t, "group") > 0 {
		text, certain = g.name(depth), false // a named group may have nothing
		if strings.Contains(g.define[len(g.define)-1], " "+text+": data.") || strings.Contains(g.define[len(g.define)-1], text+": {where") {
			certain = true
		}
	} else {
		text = "(" + g.pick("space", "", " ") + g.seq(depth-1, false) + ")"
	}
	q := g.pick("quantifier", quantifiers...)
	if strings.HasPrefix(q, "?") || strings.HasPrefix(q, "*") || strings.HasPrefix(strings.ReplaceAll(q, " ", ""), "{0") {
		certain = false
	}
	return text + q, certain
}

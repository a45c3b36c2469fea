package syntax

import (
	"fmt"
	"strconv"
	"strings"
)

// quantified reports whether a quantifier is the next token.
func (p *parser) quantified() bool {
	return p.tok == "?" || p.tok == "*" || p.tok == "+" || strings.HasPrefix(p.tok, "{")
}

// quantifier reads what may stand behind a name or a bracket into t.
func (p *parser) quantifier(t *Term) {
	if !p.quantified() {
		return
	}
	switch p.tok {
	case "?":
		t.Optional = true
	case "*":
		t.Optional, t.Max = true, Unbounded
	case "+":
		t.Max = Unbounded
	default:
		if msg, fix := t.times(p.tok); msg != "" {
			p.fail(p.at, CodePattern, fix, "%s", msg)
			return
		}
	}
	p.advance()
	if p.quantified() {
		p.fail(p.at, CodePattern, "keep one of them, or put brackets around the first", "%s follows another quantifier", p.tok)
	}
}

// times reads {n}, {n,} and {n,m}.
func (t *Term) times(tok string) (msg, fix string) {
	fix = "write {2}, {2,} or {2,5}"
	in, closed := strings.CutSuffix(tok[1:], "}")
	if !closed {
		return "{ is not closed", fix
	}
	low, high, both := strings.Cut(in, ",")
	low, high = strings.TrimSpace(low), strings.TrimSpace(high)
	n, ok := repetitions(low)
	m := n
	switch {
	case both && high == "":
		m = Unbounded
	case both:
		var ok2 bool
		m, ok2 = repetitions(high)
		ok = ok && ok2
	}
	switch {
	case !ok:
		return fmt.Sprintf("%s is no number of repetitions", clip(tok)), fix + ", with numbers up to " + strconv.Itoa(MaxStates)
	case m == 0:
		return fmt.Sprintf("%s would never be there", tok), "remove the element, or use then not"
	case m != Unbounded && m < n:
		return fmt.Sprintf("%s asks for at least %d and at most %d", tok, n, m), fmt.Sprintf("write {%d,%d}", m, n)
	}
	t.Min, t.Max = max(n, 1), m
	t.Optional = t.Optional || n == 0
	return "", ""
}

func repetitions(s string) (int, bool) {
	if s == "" || len(s) > 6 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= MaxStates
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

package index

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// glob is a regular expression of texts with anything between, which needs no
// automaton: the texts must come in that order.
type glob struct {
	pieces  []string // in the variant, each behind the one before
	variant int      // asIs or folded, or lowered for a test of lower(value)
	start   bool     // the first piece begins the text
	end     bool     // the last piece ends it
	lines   bool     // a gap does not cross the end of a line
}

// readGlob recognises a glob. lower tells that the test is of lower(value).
func readGlob(re *syntax.Regexp, lower bool) (glob, bool) {
	var g glob
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	if folds(re) {
		if lower {
			return g, false // two foldings, one after the other
		}
		g.variant = folded
	} else if lower {
		g.variant = lowered
	}
	gap := true // something may come before the next piece
	for i, p := range parts {
		switch p.Op {
		case syntax.OpBeginText:
			if i != 0 {
				return g, false
			}
			g.start, gap = true, false
		case syntax.OpEndText:
			if i != len(parts)-1 {
				return g, false
			}
			g.end = !gap
		case syntax.OpStar:
			if k := p.Sub[0].Op; k != syntax.OpAnyChar && k != syntax.OpAnyCharNotNL {
				return g, false
			}
			g.lines = g.lines || p.Sub[0].Op == syntax.OpAnyCharNotNL
			if len(g.pieces) == 0 {
				g.start = false
			}
			gap = true
		case syntax.OpLiteral:
			if !gap && len(g.pieces) > 0 || !g.caseless(p) {
				return g, false
			}
			g.pieces = append(g.pieces, pieceOf(p.Rune, g.variant))
			gap = false
		default:
			return g, false
		}
	}
	return g, len(g.pieces) > 0
}

// caseless reports whether folding a literal changes nothing of its meaning.
func (g *glob) caseless(p *syntax.Regexp) bool {
	if g.variant != folded || p.Flags&syntax.FoldCase != 0 {
		return true
	}
	for _, r := range p.Rune {
		if unicode.SimpleFold(r) != r {
			return false
		}
	}
	return true
}

// folds reports whether any literal of an expression is written under (?i).
func folds(re *syntax.Regexp) bool {
	if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase != 0 {
		return true
	}
	return slices.ContainsFunc(re.Sub, folds)
}

func pieceOf(runes []rune, variant int) string {
	if variant == folded {
		return string(appendVariant(nil, string(runes), folded))
	}
	return string(runes)
}

// matchGlob decides a glob on a text of its variant. It looks for each piece
// where it comes first, which leaves most room for the others.
func matchGlob(s string, start, end bool, n int, piece func(int) string) bool {
	from := 0
	if start {
		p := piece(0)
		if !strings.HasPrefix(s, p) {
			return false
		}
		s, from = s[len(p):], 1
		if end && n == 1 {
			return s == ""
		}
	}
	if end {
		n--
		p := piece(n)
		if !strings.HasSuffix(s, p) {
			return false
		}
		s = s[:len(s)-len(p)]
	}
	for i := from; i < n; i++ {
		p := piece(i)
		at := strings.Index(s, p)
		if at < 0 {
			return false
		}
		s = s[at+len(p):]
	}
	return true
}

// The bounds on what a regular expression is filed under.
const (
	minNeed   = 2  // bytes of a literal worth looking for
	maxNeeds  = 16 // alternatives
	needDepth = 64 // levels of the expression
)

// needs gives texts of which every match holds at least one, and the variant in
// which to look for them; none when the expression has no such texts.
func needs(re *syntax.Regexp, lower bool) (list []string, variant int) {
	variant = asIs
	switch {
	case folds(re) && lower:
		return nil, asIs
	case folds(re):
		variant = folded
	case lower:
		variant = lowered
	}
	list = needsOf(re, variant, 0)
	if len(list) == 0 || shortest(list) < minNeed {
		return nil, asIs
	}
	return list, variant
}

func needsOf(re *syntax.Regexp, variant, depth int) []string {
	if depth > needDepth {
		return nil
	}
	switch re.Op {
	case syntax.OpLiteral:
		return []string{pieceOf(re.Rune, variant)}
	case syntax.OpCapture, syntax.OpPlus:
		return needsOf(re.Sub[0], variant, depth+1)
	case syntax.OpRepeat:
		if re.Min < 1 {
			return nil
		}
		return needsOf(re.Sub[0], variant, depth+1)
	case syntax.OpConcat:
		var best []string
		for _, k := range re.Sub {
			if list := needsOf(k, variant, depth+1); shortest(list) > shortest(best) {
				best = list
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, k := range re.Sub {
			list := needsOf(k, variant, depth+1)
			if len(list) == 0 || len(all)+len(list) > maxNeeds {
				return nil
			}
			all = append(all, list...)
		}
		return all
	default:
		return nil
	}
}

func shortest(list []string) int {
	if len(list) == 0 {
		return 0
	}
	n := len(list[0])
	for _, s := range list {
		n = min(n, len(s))
	}
	return n
}

// The bits of a glob's shape, beside its variant.
const (
	shapeStart = 4 << iota
	shapeEnd
	shapeLines
)

// shape packs what there is to a glob beside its pieces.
func (g *glob) shape() uint32 {
	bits := uint32(g.variant)
	if g.start {
		bits |= shapeStart
	}
	if g.end {
		bits |= shapeEnd
	}
	if g.lines {
		bits |= shapeLines
	}
	return bits
}

// shapePiece is where a shape keeps which piece a glob is sought by.
const shapePiece = 5

// pieceKind says where in a value a piece of a glob stands.
type pieceKind int

const (
	pieceStart pieceKind = iota
	pieceEnd
	pieceInside
)

// globParts gives the shape of a glob and where its pieces stand; list is the
// atom's constant.
func globParts(list []uint32) (shape uint32, pieces []uint32) { return list[2], list[3:] }

func kindOfPiece(shape uint32, i, n int) pieceKind {
	switch {
	case i == 0 && shape&shapeStart != 0:
		return pieceStart
	case i == n-1 && shape&shapeEnd != 0:
		return pieceEnd
	default:
		return pieceInside
	}
}

// globKey gives the piece by which a glob is sought.
func globKey(list []uint32) (at uint32, kind pieceKind) {
	shape, pieces := globParts(list)
	i := int(shape >> shapePiece)
	return pieces[i], kindOfPiece(shape, i, len(pieces))
}

package yamldoc

import (
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// builder makes our tree of the library's.
type builder struct {
	*section
	errs Errors
}

func (b *builder) at(tk *token.Token) Pos {
	if tk == nil || tk.Position == nil {
		return b.pos(1, 1)
	}
	return b.pos(tk.Position.Line, tk.Position.Column)
}

func (b *builder) report(e *Error) {
	if len(b.errs) < maxErrors {
		b.errs = append(b.errs, e)
	}
}

func (b *builder) refuse(tk *token.Token, path, fix, format string, args ...any) {
	b.report(Errorf(b.at(tk), path, CodeRefused, fix, format, args...))
}

// checkTokens refuses what is not taken here before the library's parser sees
// it, and what would keep that parser busy: its work on a map or on empty values
// grows with their square.
func (b *builder) checkTokens(tokens token.Tokens) {
	if len(tokens) > MaxTokens {
		b.report(Errorf(b.at(tokens[MaxTokens]), "", CodeLimit, "split it with --- lines, or keep data in a file of its own",
			"the document has more than %d keys, values and marks", MaxTokens))
		return
	}
	for _, tk := range tokens {
		switch tk.Type {
		case token.TagType:
			b.refuseText(tk, "tags (!x)")
		case token.AnchorType:
			b.refuseText(tk, "anchors (&x)")
		case token.AliasType:
			b.refuseText(tk, "aliases (*x)")
		case token.MergeKeyType:
			b.refuse(tk, "", "write the keys out", "merge keys (<<) are not taken here")
		case token.DirectiveType:
			b.refuse(tk, "", "remove the line", "directives (%%YAML, %%TAG) are not taken here")
		default: // taken
		}
	}
}

// refuseText is refuse for a mark that may be the start of a text, such as the
// ! of a condition.
func (b *builder) refuseText(tk *token.Token, what string) {
	e := Errorf(b.at(tk), "", CodeRefused, "write the value out", "%s are not taken here", what)
	if key, value, col, ok := b.keyed(e.Pos.Line); ok && col == e.Pos.Col {
		e.Code, e.Key, e.Fix = CodeQuote, key, "if it is a text, quote it: "+key+": "+quote(value)
	}
	b.report(e)
}

// node converts one value; path and depth say where it is. After an error it
// may give a node that is not complete; the document is refused anyway.
func (b *builder) node(n ast.Node, path string, depth int) *Node {
	if depth > MaxDepth {
		b.report(b.tooDeep(b.at(n.GetToken()), path))
		return &Node{}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return b.mapping(n, path, depth)
	case *ast.MappingValueNode:
		m := &Node{Kind: Map}
		b.entry(m, n, path, depth, map[string]Pos{})
		return m
	case *ast.SequenceNode:
		return b.list(n, path, depth)
	case *ast.LiteralNode:
		return &Node{Kind: String, Style: Literal, Pos: b.at(n.Start), Text: n.Value.Value}
	case *ast.StringNode:
		if n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType {
			return &Node{Kind: String, Style: Quoted, Pos: b.at(n.Token), Text: n.Value}
		}
		return b.plain(n.Token, n.Value)
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		tk := n.GetToken()
		if tk.Type == token.ImplicitNullType {
			return &Node{Pos: b.at(tk)}
		}
		return b.plain(tk, tk.Value)
	default:
		b.refuse(n.GetToken(), path, "write a text, a number, a list or a map", "YAML of this sort (%s) is not taken here", n.Type())
	}
	return &Node{Pos: b.at(n.GetToken())}
}

// plain makes a scalar that had no quotes.
func (b *builder) plain(tk *token.Token, text string) *Node {
	n := &Node{Kind: resolve(text), Pos: b.at(tk), Text: text}
	if n.Kind == Null {
		n.Text = ""
	}
	if n.Kind != Null && b.hashes {
		n.source = b.cut(n)
	}
	return n
}

// rest gives the line from pos on.
func (b *builder) rest(pos Pos) string {
	i := pos.Line - b.line
	if i < 0 || i >= len(b.lines) {
		return ""
	}
	line := b.lines[i]
	for col := 1; col < pos.Col && line != ""; col++ {
		_, size := utf8.DecodeRuneInString(line)
		line = line[size:]
	}
	return line
}

// cut gives the source of a plain scalar whose last line has a comment behind
// it, and "" when there is none. It follows the text, which may have been folded
// from several lines, through the source.
func (b *builder) cut(n *Node) string {
	source, left := "", n.Text
	for pos := n.Pos; left != "" && pos.Line-b.line < len(b.lines); pos = (Pos{b.file, pos.Line + 1, 1}) {
		line := strings.TrimSpace(b.rest(pos))
		source += " " + line
		if left == line {
			return ""
		}
		if at := comment(line); at >= 0 && left == strings.TrimSpace(line[:at]) {
			return source[1:]
		}
		if !strings.HasPrefix(left, line) {
			return "" // in brackets, where the scalar ends before its line does
		}
		left = strings.TrimLeft(left[len(line):], " \n")
	}
	return ""
}

// comment finds the start of what may be a comment.
func comment(line string) int {
	for i := 1; i < len(line); i++ {
		if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			return i - 1
		}
	}
	return -1
}

func (b *builder) list(n *ast.SequenceNode, path string, depth int) *Node {
	l := &Node{Kind: List, Pos: b.at(n.Start), Items: make([]*Node, 0, len(n.Values))}
	if n.IsFlowStyle {
		l.Style, l.source = Flow, b.rest(l.Pos)
	}
	for i, v := range n.Values {
		l.Items = append(l.Items, b.node(v, item(path, i), depth+1))
	}
	return l
}

func (b *builder) mapping(n *ast.MappingNode, path string, depth int) *Node {
	m := &Node{Kind: Map, Pos: b.at(n.Start), Keys: make([]Entry, 0, len(n.Values))}
	if n.IsFlowStyle {
		m.Style, m.source = Flow, b.rest(m.Pos)
	}
	seen := make(map[string]Pos, len(n.Values))
	for _, v := range n.Values {
		b.entry(m, v, path, depth, seen)
	}
	return m
}

func (b *builder) entry(m *Node, v *ast.MappingValueNode, path string, depth int, seen map[string]Pos) {
	tk := v.Key.GetToken()
	pos := b.at(tk)
	if len(m.Keys) == 0 && m.Style != Flow {
		m.Pos = pos // the library puts a block map at its first colon
	}
	switch v.Key.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
	default:
		b.refuse(tk, path, "write the key as a text", "a key of this sort (%s) is not taken here", v.Key.Type())
		return
	}
	key := tk.Value
	at := join(path, key)
	if first, ok := seen[key]; ok {
		b.report(Errorf(pos, at, CodeDuplicate, "keep one of them", "the key is there twice, first at line %d", first.Line))
		return
	}
	seen[key] = pos
	value := b.node(v.Value, at, depth+1)
	if value.Kind == Null && v.Value.GetToken().Type == token.ImplicitNullType {
		value.Pos = pos // where there is nothing, the key is the place to look at
	}
	m.Keys = append(m.Keys, Entry{Key: key, Pos: pos, Value: value})
}

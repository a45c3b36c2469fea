package draw

import (
	"fmt"
	"strings"
)

// Mermaid writes a graph as a stateDiagram of Mermaid (https://mermaid.js.org).
func (g *Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	if g.Title != "" {
		fmt.Fprintf(&b, "    %%%% %s\n", strings.Join(strings.Fields(g.Title), " "))
	}
	for i, n := range g.Nodes {
		label := n.Label
		switch n.Kind {
		case Final:
			label += ": match"
		case Forbidden:
			label += ": dropped"
		case Pending:
			label += ": match when time is up"
		case Plain:
		}
		fmt.Fprintf(&b, "    state \"%s\" as s%d\n", mermaidText(label), i)
		if n.Start {
			fmt.Fprintf(&b, "    [*] --> s%d\n", i)
		}
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "    s%d --> s%d", e.From, e.To)
		if e.Label != "" {
			b.WriteString(": " + mermaidText(e.Label))
		}
		b.WriteByte('\n')
	}
	for i, n := range g.Nodes {
		if n.Kind == Final {
			fmt.Fprintf(&b, "    s%d --> [*]\n", i)
		}
	}
	for _, note := range g.Notes {
		fmt.Fprintf(&b, "    %%%% %s\n", strings.Join(strings.Fields(note), " "))
	}
	return b.String()
}

// mermaidText writes what means something to Mermaid, or to the HTML it makes, as
// the number of its character.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("\\n")
		case r < ' ':
			b.WriteByte(' ')
		case strings.ContainsRune("\"#;:<>{}[]&\\`%", r):
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

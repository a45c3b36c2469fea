package draw

import (
	"fmt"
	"html"
	"strings"
	"unicode"
)

// The colours are written out rather than kept in variables, which many programs
// that show pictures do not know.
const style = `<style>
svg{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.title{font-weight:600;font-size:14px}.node{stroke-width:1.5}.edge{fill:none;stroke-width:1.3}.pending{stroke-dasharray:4 3}.quiet{stroke-dasharray:3 3}
.paper,.node{fill:#fff}text,.head{fill:#1f2328}.note,.soft,.quiethead{fill:#59636e}
.node,.edge{stroke:#1f2328}.quiet{stroke:#59636e}.final{stroke:#1a7f37}.forbidden{stroke:#cf222e}.pending{stroke:#9a6700}
@media(prefers-color-scheme:dark){
.paper,.node{fill:#0d1117}text,.head{fill:#e6edf3}.note,.soft,.quiethead{fill:#9198a1}
.node,.edge{stroke:#e6edf3}.quiet{stroke:#9198a1}.final{stroke:#3fb950}.forbidden{stroke:#f85149}.pending{stroke:#d29922}
}
</style>
<defs><marker id="h" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker><marker id="q" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="quiethead" d="M0 0L8 4L0 8z"/></marker></defs>
`

// SVG draws a graph. The picture needs nothing beside itself and follows the
// colour scheme of whoever looks at it. The error is ErrTooLarge.
func (g *Graph) SVG() ([]byte, error) {
	l, err := lay(g)
	if err != nil {
		return nil, err
	}
	wide := max(l.wide, charWide*1.2*float64(columns(g.Title))+2*gap)
	for _, n := range g.Notes {
		wide = max(wide, charWide*float64(columns(clipNote(n)))+2*gap)
	}
	high := l.high + lineHigh*float64(len(g.Notes))
	if len(g.Notes) > 0 {
		high += gap / 2
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f">`+"\n", wide, high, wide, high)
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(g.Title))
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect class="paper" width="%.0f" height="%.0f"/>`+"\n", wide, high)
	fmt.Fprintf(&b, `<text class="title" x="%.0f" y="24">%s</text>`+"\n", gap, escape(g.Title))
	for i := range g.Edges {
		if len(l.way[i]) > 0 {
			l.edge(&b, i)
		}
	}
	for i := range l.boxes {
		switch bx := &l.boxes[i]; {
		case bx.node >= 0:
			l.node(&b, bx)
		case bx.label:
			l.label(&b, bx)
		}
	}
	for i, n := range g.Notes {
		fmt.Fprintf(&b, `<text class="note" x="%.0f" y="%.0f">%s</text>`+"\n", gap, l.high+lineHigh*float64(i)+4, escape(clipNote(n)))
	}
	b.WriteString("</svg>\n")
	return []byte(b.String()), nil
}

// edge draws a line through the points of an edge.
func (l *layout) edge(b *strings.Builder, i int) {
	way := l.way[i]
	up := l.turned[i]
	first, last := &l.boxes[way[0]], &l.boxes[way[len(way)-1]]
	type point struct{ x, y float64 }
	pts := []point{{first.x, first.y + radius + 1}}
	for _, k := range way[1 : len(way)-1] {
		bx := &l.boxes[k]
		pts = append(pts, point{bx.x, bx.y - bx.high}, point{bx.x, bx.y + bx.high})
	}
	pts = append(pts, point{last.x, last.y - radius - 2})
	if up {
		pts[0].y++
		for x, y := 0, len(pts)-1; x < y; x, y = x+1, y-1 {
			pts[x], pts[y] = pts[y], pts[x]
		}
	}
	class, head := "edge", "h"
	if l.g.Edges[i].Quiet {
		class, head = "edge quiet", "q"
	}
	fmt.Fprintf(b, `<path class="%s" marker-end="url(#%s)" d="M%.1f %.1f`, class, head, pts[0].x, pts[0].y)
	for k := 1; k < len(pts); k++ {
		p, q := pts[k-1], pts[k]
		mid := (p.y + q.y) / 2
		fmt.Fprintf(b, "C%.1f %.1f %.1f %.1f %.1f %.1f", p.x, mid, q.x, mid, q.x, q.y)
	}
	b.WriteString("\"/>\n")
}

// label writes the text of an edge over its line.
func (l *layout) label(b *strings.Builder, bx *box) {
	e := &l.g.Edges[bx.edge]
	if e.Label == "" {
		return
	}
	fmt.Fprintf(b, `<rect class="paper" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, bx.x-bx.left+3, bx.y-bx.high+2, bx.left+bx.right-6, 2*bx.high-4)
	lines(b, e, bx.x, bx.y, "middle")
}

// node draws a state, with the edges to itself at its right.
func (l *layout) node(b *strings.Builder, bx *box) {
	n := &l.g.Nodes[bx.node]
	if n.Start {
		fmt.Fprintf(b, `<circle class="head" cx="%.1f" cy="%.1f" r="4"/><path class="edge" marker-end="url(#h)" d="M%.1f %.1fV%.1f"/>`+"\n",
			bx.x, bx.y-radius-24, bx.x, bx.y-radius-20, bx.y-radius-2)
	}
	class, says := "node", ""
	switch n.Kind {
	case Final:
		class, says = "node final", "match"
	case Forbidden:
		class, says = "node forbidden", "dropped: what must not happen did"
	case Pending:
		class, says = "node pending", "match when time is up"
	case Plain:
	}
	b.WriteString("<g>")
	if says != "" {
		fmt.Fprintf(b, "<title>%s</title>", says)
	}
	fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="%.0f"/>`, class, bx.x, bx.y, radius)
	if n.Kind == Final {
		fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="%.0f"/>`, class, bx.x, bx.y, radius-4)
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text></g>`+"\n", bx.x, bx.y+4, escape(n.Label))
	loops := l.loops[bx.node]
	total := 0
	for _, i := range loops {
		_, k := size(l.g.Edges[i].Label)
		total += k
	}
	if len(loops) == 0 {
		return
	}
	quiet := true
	for _, i := range loops {
		quiet = quiet && l.g.Edges[i].Quiet
	}
	class, head := "edge", "h"
	if quiet {
		class, head = "edge quiet", "q"
	}
	x := bx.x + radius
	fmt.Fprintf(b, `<path class="%s" marker-end="url(#%s)" d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f"/>`,
		class, head, x-3, bx.y-9, x+loopWide-6, bx.y-20, x+loopWide-6, bx.y+20, x-1, bx.y+10)
	y := bx.y - float64(total)*lineHigh/2
	for _, i := range loops {
		_, k := size(l.g.Edges[i].Label)
		lines(b, &l.g.Edges[i], x+loopWide-6, y+float64(k)*lineHigh/2, "start")
		y += float64(k) * lineHigh
	}
}

// lines writes the lines of a label around a middle.
func lines(b *strings.Builder, e *Edge, x, y float64, anchor string) {
	class := ""
	if e.Quiet {
		class = ` class="soft"`
	}
	fmt.Fprintf(b, `<text%s text-anchor="%s"><title>%s</title>`, class, anchor, escape(e.Label))
	all := strings.Split(e.Label, "\n")
	for i, line := range all {
		fmt.Fprintf(b, `<tspan x="%.1f" y="%.1f">%s</tspan>`, x, y+lineHigh*(float64(i)-float64(len(all))/2)+lineHigh-4, escape(clipLine(line)))
	}
	b.WriteString("</text>\n")
}

func clipNote(s string) string {
	if r := []rune(s); len(r) > 110 {
		return string(r[:109]) + "…"
	}
	return s
}

// escape makes text safe inside XML: what XML cannot hold becomes a question mark.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || r == unicode.ReplacementChar || r&0xfffe == 0xfffe || r >= 0xd800 && r < 0xe000) {
			return '?'
		}
		return r
	}, s)
	return html.EscapeString(s)
}

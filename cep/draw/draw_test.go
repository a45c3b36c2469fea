package draw_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/draw"
	"github.com/rhost/rhost/cep/engine"
)

// strict is fail then not up then ok, as the DFA draws it.
func strict() engine.Graph {
	return engine.Graph{
		Nodes: []engine.GraphNode{{Name: "0", Start: true}, {Name: "1"}, {Name: "2", Final: true}, {Name: "3", Forbidden: true}, {Name: "4", Pending: true}},
		Edges: []engine.GraphEdge{
			{From: 0, To: 1, Kind: "take", Elem: 0, If: "c1"},
			{From: 1, To: 1, Kind: "ignore", Elem: -1, If: "!c3 & !c2"},
			{From: 1, To: 3, Kind: "proceed", Elem: -1, If: "c2"},
			{From: 1, To: 2, Kind: "take", Elem: 2, If: "c3 & !c2|c4"},
			{From: 1, To: 4, Kind: "proceed", Elem: -1},
			{From: 4, To: 0, Kind: "take", Elem: -1, If: "c9"},
		},
	}
}

func TestOf(t *testing.T) {
	g := draw.Of("r · dfa", strict(), []string{"fail", "up", "ok"}, []string{"fail", "up", "ok", "ok.until"})
	var labels []string
	for _, e := range g.Edges {
		labels = append(labels, e.Label)
	}
	assert.Equal(t, []string{"fail", "skip if not ok and not up", "up", "ok if not up or ok.until", "at once", "any event if c9"}, labels)
	assert.Equal(t, []draw.Kind{draw.Plain, draw.Plain, draw.Final, draw.Forbidden, draw.Pending},
		[]draw.Kind{g.Nodes[0].Kind, g.Nodes[1].Kind, g.Nodes[2].Kind, g.Nodes[3].Kind, g.Nodes[4].Kind})
}

func TestRenumber(t *testing.T) {
	g := draw.Renumber(engine.Graph{
		Nodes: []engine.GraphNode{{Name: "0"}, {Name: "1"}, {Name: "2", Start: true}, {Name: "3", Final: true}},
		Edges: []engine.GraphEdge{{From: 0, To: 3, If: "c3"}, {From: 2, To: 0, If: "c1"}, {From: 2, To: 2, If: "!c1"}},
	})
	assert.Equal(t, engine.Graph{
		Nodes: []engine.GraphNode{{Name: "0", Start: true}, {Name: "1"}, {Name: "2", Final: true}, {Name: "3"}},
		Edges: []engine.GraphEdge{{From: 0, To: 1, If: "c1"}, {From: 0, To: 0, If: "!c1"}, {From: 1, To: 2, If: "c3"}},
	}, g)
}

func TestParallelEdgesAreJoined(t *testing.T) {
	g := draw.Of("", engine.Graph{
		Nodes: []engine.GraphNode{{Name: "0", Start: true}, {Name: "1", Final: true}},
		Edges: []engine.GraphEdge{{From: 0, To: 1, Kind: "take", Elem: 0, If: "c1"}, {From: 0, To: 1, Kind: "take", Elem: 1, If: "c2"}, {From: 0, To: 1, Kind: "ignore", Elem: -1}},
	}, []string{"a", "b"}, []string{"a", "b"})
	require.Len(t, g.Edges, 2)
	assert.Equal(t, "a\nb", g.Edges[0].Label)
	assert.True(t, g.Edges[1].Quiet)
}

func TestMermaid(t *testing.T) {
	g := draw.Of("r · dfa", strict(), []string{"fail", "up", "ok"}, []string{"fail", "up", "ok", "ok.until"})
	g.Notes = []string{"fail: type == \"x\"\nand more"}
	assert.Equal(t, `stateDiagram-v2
    %% r · dfa
    state "0" as s0
    [*] --> s0
    state "1" as s1
    state "2#58; match" as s2
    state "3#58; dropped" as s3
    state "4#58; match when time is up" as s4
    s0 --> s1: fail
    s1 --> s1: skip if not ok and not up
    s1 --> s3: up
    s1 --> s2: ok if not up or ok.until
    s1 --> s4: at once
    s4 --> s0: any event if c9
    s2 --> [*]
    %% fail: type == "x" and more
`, g.Mermaid())
}

// texts gives the texts of a picture, which must be well-formed.
func texts(t require.TestingT, svg []byte) (all []string) {
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err, "the picture is XML")
		if data, ok := tok.(xml.CharData); ok && strings.TrimSpace(string(data)) != "" {
			all = append(all, string(data))
		}
	}
}

func TestSVG(t *testing.T) {
	g := draw.Of(`<script>"r"&`, strict(), []string{"fail", "up", "ok"}, []string{"fail", "up", "ok", "ok.until"})
	g.Notes = []string{"fail: data.x < 3 && data.y == \"\x00\ufffe\""}
	svg, err := g.SVG()
	require.NoError(t, err)
	assert.NotContains(t, string(svg), "<script")
	assert.Contains(t, texts(t, svg), `<script>"r"&`)
	assert.Contains(t, texts(t, svg), "ok if not up or ok.until")
	assert.Contains(t, texts(t, svg), `fail: data.x < 3 && data.y == "??"`)
	assert.Contains(t, string(svg), "prefers-color-scheme:dark")
	again, err := g.SVG()
	require.NoError(t, err)
	assert.Equal(t, svg, again)
}

func TestEmpty(t *testing.T) {
	g := draw.Graph{}
	svg, err := g.SVG()
	require.NoError(t, err)
	texts(t, svg)
}

func TestTooLarge(t *testing.T) {
	g := draw.Graph{Nodes: make([]draw.Node, 1000)}
	_, err := g.SVG()
	require.ErrorIs(t, err, draw.ErrTooLarge)
	g = draw.Graph{Nodes: make([]draw.Node, 300)}
	for i := range 300 {
		for k := range 300 {
			g.Edges = append(g.Edges, draw.Edge{From: i, To: k})
		}
	}
	_, err = g.SVG()
	require.ErrorIs(t, err, draw.ErrTooLarge)
}

// Whatever the graph and the words in it, the picture is XML, and no label lies
// on another one.
func TestAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "nodes")
		g := draw.Graph{Title: rapid.String().Draw(t, "title")}
		for i := range n {
			g.Nodes = append(g.Nodes, draw.Node{Label: strconv.Itoa(i), Start: i == 0, Kind: draw.Kind(rapid.IntRange(0, 3).Draw(t, "kind"))})
		}
		for i := range rapid.IntRange(0, 25).Draw(t, "edges") {
			g.Edges = append(g.Edges, draw.Edge{
				From: rapid.IntRange(0, n-1).Draw(t, "from"), To: rapid.IntRange(0, n-1).Draw(t, "to"),
				Label: fmt.Sprintf("e%d %s", i, rapid.StringN(0, 30, -1).Draw(t, "label")), Quiet: rapid.Bool().Draw(t, "quiet"),
			})
		}
		svg, err := g.SVG()
		require.NoError(t, err)
		texts(t, svg)
		var boxes [][4]float64
		for line := range strings.Lines(string(svg)) {
			_, rest, ok := strings.Cut(line, `<rect class="paper" x="`)
			if !ok {
				continue
			}
			var b [4]float64
			_, err := fmt.Sscanf(rest, `%g" y="%g" width="%g" height="%g"`, &b[0], &b[1], &b[2], &b[3])
			require.NoError(t, err)
			for _, o := range boxes {
				over := math.Min(b[0]+b[2], o[0]+o[2])-math.Max(b[0], o[0]) > 1 && math.Min(b[1]+b[3], o[1]+o[3])-math.Max(b[1], o[1]) > 1
				require.False(t, over, "labels lie on each other: %v %v", b, o)
			}
			boxes = append(boxes, b)
		}
	})
}

// Package draw shows the automaton of a rule: as Mermaid text, for documents, and
// as an SVG picture that stands by itself.
//
// Of turns an engine.Graph into a Graph with words in it: what each edge does,
// with the names of elements in the place of numbers. Mermaid and SVG write that
// down. Both escape everything that comes from a rule, and give the same output
// for the same graph.
//
// The picture is laid out in layers, from the start at the top to the end at the
// bottom (Sugiyama, Tagawa and Toda 1981): edges that lead back are turned round,
// nodes get the layer of the longest way to them, edges over several layers pass
// through points of their own, and an order with few crossings is found by
// putting each node between its neighbours. Labels are nodes too, in layers
// between the others, so they never lie on one another. Graphs too large to be
// looked at are refused.
//
// The package is pure, and its values are plain data.
package draw

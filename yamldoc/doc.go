// Package yamldoc reads YAML that people write by hand: rule files, rhost.yaml,
// manifests. It keeps the position of everything and is strict, so that a typing
// mistake is an error that names file, line, column and the fix.
//
// Parse splits a file into its documents and gives each as a tree of Nodes.
// Decode fills a Go struct from a Node and refuses keys that the struct does not
// have. A caller with a grammar of its own walks the Nodes instead, and says
// what is wrong with Errorf. All three report every problem they find, as
// Errors.
//
// # The YAML it takes
//
// Maps with unique keys, lists, and scalars as YAML 1.2's core schema sees
// them; no anchors, aliases, tags, merge keys, directives or keys that are not
// plain texts. "yes" and "010" are texts, "1e9" and "20_000_000" are numbers.
// Documents are split at lines that start with "---" and parsed one by one,
// which keeps the cost of a large file linear and a mistake in one document from
// hiding the others.
//
// YAML damages some texts that are not quoted: it takes what follows " #" for a
// comment and "!x" for a tag. Where that breaks the syntax, Parse says how to
// quote. Where it does not, Node.PlainText finds it; whoever reads a condition or
// another free text calls it instead of reading Node.Text.
//
// Nodes are plain data, safe to share as long as nobody writes to them.
//
// # Speed
//
// A document in the YAML that nearly everyone writes is read in a pass of our
// own, many times faster than the library behind this package reads it; whatever
// that pass does not know to the letter, and every error, is the library's. The
// trees are the same. Who has files of very many documents takes them one by one
// from Split, in parallel if need be, and keeps what is needed of each with
// Node.Clone.
package yamldoc

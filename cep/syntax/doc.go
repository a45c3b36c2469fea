// Package syntax reads rule documents: YAML in, checked Rule values out, and
// every problem of a file reported at once with its place, fix and code.
package syntax

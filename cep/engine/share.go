package engine

import "time"

// Sharer is an Engine whose beginning other rules may have, too. Rules that begin
// alike can go on from one common State, the trunk, until a condition of their own
// sets them apart.
type Sharer interface {
	// Branch is about the beginning that ends before the first of the rule's own
	// conditions: those after the first k. ok is false where a match or a partial
	// match could be given out without one of them, or where one must be looked at
	// to know what a run is worth: such a beginning cannot be shared.
	Branch(k int) (b Branch, ok bool)
}

// Branch leads from the beginning of a rule to the whole rule. It is immutable.
type Branch interface {
	// Text is the same for two branches, of whichever rules, whose trunks do the
	// same as long as their conditions up to k decide the same.
	Text() string

	// Trunk gives an Engine that does what the rule's own does for as long as no
	// condition of the rule's own holds. It gives nothing out, its States are
	// Keyed, and those of one Text can read each other's snapshots.
	Trunk() Engine

	// Concerns reports whether the event of a turn meets a condition of the rule's
	// own that may matter to what the trunk has open for a key, or to what begins.
	// The turn is that of the rule, but for its Values, which are the trunk's.
	Concerns(t *Turn, trunk State, key []byte) bool

	// Fork copies what the trunk has open for a key to a State of the rule's own
	// Engine, unless that has the key already. The two go on independently. It gives
	// the number of partial matches it copied.
	Fork(trunk, own State, key []byte) (runs int)

	// Same reports whether what the rule's own State has open for a key has become
	// what a copy of the trunk's would be.
	Same(trunk, own State, key []byte, now time.Time) bool
}

// Keyed is a State that can be asked about its keys, and told to forget one.
type Keyed interface {
	// Len is the number of keys that anything is kept for.
	Len() int

	// Has reports whether anything is kept for a key.
	Has(key []byte) bool

	// SizeOf is the part of a key in Size.
	SizeOf(key []byte) Size

	// EachKey visits the keys in order.
	EachKey(visit func(key []byte))

	// Drop forgets a key.
	Drop(key []byte)
}

package predicate

// Tri is the outcome of a condition. Unknown is what a missing field or a type
// mismatch gives; at the top of a condition it counts as False, yet callers can
// tell the two apart. The order False < Unknown < True makes `&&` the minimum,
// `||` the maximum and `!` the sign change.
type Tri int8

// The three outcomes.
const (
	False   Tri = -1
	Unknown Tri = 0
	True    Tri = 1
)

// String gives "false", "unknown" or "true".
func (t Tri) String() string {
	switch {
	case t < 0:
		return "false"
	case t > 0:
		return "true"
	}
	return "unknown"
}

// Not is the negation; Unknown stays Unknown.
func (t Tri) Not() Tri { return -t }

// TriOf turns a truth value into a Tri.
func TriOf(b bool) Tri {
	if b {
		return True
	}
	return False
}

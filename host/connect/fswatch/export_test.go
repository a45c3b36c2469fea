package fswatch

// Ready makes the source tell when it notices changes.
func (s *Source) Ready(f func()) { s.ready = f }

// Entropy is entropy.
func Entropy(b []byte) float64 { return entropy(b) }

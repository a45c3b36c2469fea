package files

import "time"

// Hurry makes a source wait less, for tests.
func (s *Source) Hurry(poll, settle time.Duration) { s.poll, s.settle = poll, settle }

package eventlog

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestMayForget: what would take the majority away is refused.
func TestMayForget(t *testing.T) {
	server := func(name string) Joined { return Joined{name, serverID(name)} }
	for _, c := range []struct {
		name     string
		joined   string // a letter for each
		up, gone string
		want     error
	}{
		{"a fourth one", "abcd", "abc", "d", nil},
		{"a fourth one, and one is down", "abcd", "ab", "d", nil},
		{"one of three", "abc", "ab", "c", nil},
		{"the last one", "a", "", "a", ErrTooFew},
		{"one that is there", "abcd", "abcd", "d", ErrAnswers},
		{"two are down beside it", "abcd", "a", "d", ErrTooFew},
		{"two of five", "abcde", "abc", "d", nil},
		{"half of those that are left", "abcde", "ab", "e", ErrTooFew},
	} {
		var list []Joined
		for _, r := range c.joined {
			list = append(list, server(string(r)))
		}
		up := make(map[string]bool)
		for _, r := range c.up {
			up[serverID(string(r))] = true
		}
		err := mayForget(list, up, server(c.gone))
		if c.want == nil {
			assert.NoError(t, err, c.name)
			continue
		}
		assert.ErrorIs(t, err, c.want, c.name)
	}
}

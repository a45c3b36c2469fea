package sigma

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The expressions take what package netip takes, but for zones, which cidr()
// does not know.
func TestAddresses(t *testing.T) {
	parts := []string{"0", "1", "a", "fFfF", "12345", "::", ":", ":", ":", ".", "255", "256", "01", "1.2.3.4", "1:2:3", "%e"}
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 16).Draw(t, "parts"), "")
			_, err := netip.ParseAddr(s)
			require.Equal(t, err == nil && !strings.Contains(s, "%"), isAddress(s), s)
		}
	})
	for n := range 10 { // every place of :: among every number of groups
		for at := range n + 1 {
			for _, tail := range []string{"", "1.2.3.4"} {
				s := strings.Repeat("a:", at)
				s = strings.TrimSuffix(s, ":") + "::" + strings.Repeat("b:", n-at) + tail
				if tail == "" && n > at {
					s = strings.TrimSuffix(s, ":")
				}
				_, err := netip.ParseAddr(s)
				require.Equal(t, err == nil, isAddress(s), s)
			}
		}
		for _, s := range []string{strings.TrimSuffix(strings.Repeat("a:", n), ":"), strings.Repeat("a:", n) + "1.2.3.4"} {
			_, err := netip.ParseAddr(s)
			require.Equal(t, err == nil, isAddress(s), s)
		}
	}
	require.True(t, isNetwork("10.0.0.0/8"))
	require.True(t, isNetwork("::/0"))
	require.False(t, isNetwork("10.0.0.0/08"))
	require.False(t, isNetwork("10.0.0/8"))
	require.False(t, isNetwork("::1/129"))
}

package predicate

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPrefixContains(t *testing.T) {
	tests := []struct {
		net, ip string
		want    bool
	}{
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.1.2.3", "10.1.2.3", true},
		{"10.1.2.3", "10.1.2.4", false},
		{"192.168.1.128/25", "192.168.1.127", false},
		{"192.168.1.128/25", "192.168.1.128", true},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"2001:db8::/32", "2001:db8:ffff::1", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
		{"::/0", "fe80::1", true},
		{"::/0", "10.0.0.1", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"::ffff:0:0/96", "::ffff:10.1.2.3", true},
	}
	for _, tt := range tests {
		p, ok := parsePrefix(tt.net)
		require.True(t, ok, tt.net)
		a, ok := parseAddr(tt.ip)
		require.True(t, ok, tt.ip)
		assert.Equal(t, tt.want, p.contains(a), "%s contains %s", tt.net, tt.ip)
	}
}

// The standard library, which the core does without, reads the same addresses.
func FuzzAddr(f *testing.F) {
	for _, s := range []string{
		"1.2.3.4", "01.2.3.4", "1.2.3", "256.1.1.1", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::ffff:1.2.3.4",
		"1:2:3:4:5:6:1.2.3.4", "1::2::3", ":1", "1:", "12345::", "fe80::1%eth0", "10.0.0.0/8", "10.0.0.0/08", "::/129", "1.2.3.4/", "::1.2.3.4:5",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseAddr(s)
		want, err := netip.ParseAddr(s)
		require.Equal(t, err == nil && want.Zone() == "", ok, "parseAddr(%q)", s)
		if ok {
			require.Equal(t, want.AsSlice(), a.b[:a.n], "parseAddr(%q)", s)
		}
		p, ok := parsePrefix(s)
		wantPrefix, err := netip.ParsePrefix(s)
		require.Equal(t, err == nil || want.IsValid() && want.Zone() == "", ok, "parsePrefix(%q)", s)
		if err == nil {
			require.Equal(t, wantPrefix.Bits(), p.bits, "parsePrefix(%q)", s)
		}
	})
}

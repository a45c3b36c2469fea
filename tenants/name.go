package tenants

import (
	"fmt"
	"strconv"
)

// MaxNameLen is the length of the longest tenant name, in bytes.
const MaxNameLen = 40

// Name identifies a tenant: 1 to 40 of the characters a-z, 0-9 and '-'. Names
// compare with == and serve as map keys. The zero Name is no tenant.
type Name struct{ s string }

// ParseName checks s. Every Name but the zero one comes from here.
func ParseName(s string) (Name, error) {
	if s == "" {
		return Name{}, fmt.Errorf("tenant name is empty; use 1 to %d of a-z, 0-9 and '-'", MaxNameLen)
	}
	if len(s) > MaxNameLen {
		return Name{}, fmt.Errorf("tenant name of %d bytes is too long; at most %d are allowed", len(s), MaxNameLen)
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return Name{}, fmt.Errorf("tenant name %s: character %d is not allowed; use a-z, 0-9 and '-'",
				strconv.Quote(s), i+1)
		}
	}
	return Name{s}, nil
}

// Default is the tenant of a host that was told of no other.
func Default() Name { return Name{"default"} }

// String returns the name; "" for the zero Name.
func (n Name) String() string { return n.s }

// IsZero reports whether n is no tenant.
func (n Name) IsZero() bool { return n.s == "" }

// MarshalText gives the name. The zero Name has no text.
func (n Name) MarshalText() ([]byte, error) {
	if n.IsZero() {
		return nil, fmt.Errorf("tenant name is not set")
	}
	return []byte(n.s), nil
}

// UnmarshalText is ParseName for decoders.
func (n *Name) UnmarshalText(b []byte) error {
	parsed, err := ParseName(string(b))
	if err != nil {
		return err
	}
	*n = parsed
	return nil
}

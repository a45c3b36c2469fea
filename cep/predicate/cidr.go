package predicate

import (
	"strconv"
	"strings"
)

// addr is an IP address: 4 or 16 bytes. Go's net/netip would do, but the core
// stays clear of everything under net, and this needs no zones and no printing.
type addr struct {
	b [16]byte // an IPv4 address stands in the first four
	n int      // 4 or 16
}

// prefix is a network: the first bits of an address.
type prefix struct {
	addr
	bits int
}

// contains reports whether a lies in p. An IPv4 address written as IPv6
// (::ffff:a.b.c.d) lies in the networks of both kinds.
func (p prefix) contains(a addr) bool {
	if p.n == 4 && a.n == 16 {
		var ok bool
		if a, ok = a.unmap(); !ok {
			return false
		}
	}
	if a.n != p.n {
		return false
	}
	whole := p.bits / 8
	for i := range whole {
		if a.b[i] != p.b[i] {
			return false
		}
	}
	if rest := p.bits % 8; rest != 0 {
		return (a.b[whole]^p.b[whole])>>(8-rest) == 0
	}
	return true
}

// unmap gives the IPv4 address inside ::ffff:a.b.c.d.
func (a addr) unmap() (addr, bool) {
	for i := range 10 {
		if a.b[i] != 0 {
			return a, false
		}
	}
	if a.b[10] != 0xff || a.b[11] != 0xff {
		return a, false
	}
	v4 := addr{n: 4}
	copy(v4.b[:4], a.b[12:])
	return v4, true
}

// parsePrefix reads "10.0.0.0/8" or "2001:db8::/32"; an address alone is a
// network of one.
func parsePrefix(s string) (prefix, bool) {
	text, length, found := strings.Cut(s, "/")
	a, ok := parseAddr(text)
	if !ok {
		return prefix{}, false
	}
	p := prefix{addr: a, bits: a.n * 8}
	if !found {
		return p, true
	}
	bits, err := strconv.ParseUint(length, 10, 8)
	if err != nil || int(bits) > p.bits || len(length) > 1 && length[0] == '0' {
		return prefix{}, false
	}
	p.bits = int(bits)
	return p, true
}

func parseAddr(s string) (addr, bool) {
	if strings.IndexByte(s, ':') >= 0 {
		return parseIPv6(s)
	}
	return parseIPv4(s)
}

func parseIPv4(s string) (addr, bool) {
	a := addr{n: 4}
	for i := range 4 {
		end := strings.IndexByte(s, '.')
		if i == 3 {
			end = len(s)
		}
		if end < 1 || end > 3 {
			return addr{}, false
		}
		v := 0
		for _, c := range []byte(s[:end]) {
			if c < '0' || c > '9' {
				return addr{}, false
			}
			v = v*10 + int(c-'0')
		}
		if v > 255 || end > 1 && s[0] == '0' { // a leading zero is octal to some and decimal to others
			return addr{}, false
		}
		a.b[i] = byte(v)
		if i < 3 {
			s = s[end+1:]
		}
	}
	return a, true
}

// parseIPv6 reads groups of hex digits, one "::" for the longest run of zeros,
// and an IPv4 address at the end.
func parseIPv6(s string) (addr, bool) {
	a := addr{n: 16}
	at, gap := 0, -1
	if strings.HasPrefix(s, "::") {
		gap, s = 0, s[2:]
	}
	for s != "" && at < 16 {
		if at <= 12 && isDotted(s) {
			v4, ok := parseIPv4(s)
			if !ok {
				return addr{}, false
			}
			at += copy(a.b[at:], v4.b[:4])
			s = ""
			break
		}
		n, v := hexGroup(s)
		if n == 0 {
			return addr{}, false
		}
		a.b[at], a.b[at+1] = byte(v>>8), byte(v)
		at, s = at+2, s[n:]
		if s == "" {
			break
		}
		if s[0] != ':' || len(s) == 1 {
			return addr{}, false
		}
		s = s[1:]
		if s[0] == ':' {
			if gap >= 0 {
				return addr{}, false
			}
			gap, s = at, s[1:]
		}
	}
	switch {
	case s != "", gap < 0 && at != 16, gap >= 0 && at == 16:
		return addr{}, false
	case gap >= 0:
		tail := a.b[gap:at]
		copy(a.b[16-len(tail):], tail)
		clear(a.b[gap : 16-len(tail)])
	}
	return a, true
}

// isDotted reports whether the next group of s is the start of an IPv4 address.
func isDotted(s string) bool {
	dot := strings.IndexByte(s, '.')
	colon := strings.IndexByte(s, ':')
	return dot > 0 && (colon < 0 || dot < colon)
}

func hexGroup(s string) (n, v int) {
	for n < len(s) && n < 4 {
		c := s[n] | 0x20
		switch {
		case s[n] >= '0' && s[n] <= '9':
			v = v<<4 | int(s[n]-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | int(c-'a'+10)
		default:
			return n, v
		}
		n++
	}
	return n, v
}

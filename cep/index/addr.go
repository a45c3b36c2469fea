package index

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// addr is an IP address as two words; one of IPv4 as the low half of lo. The
// standard library's lives under net, which the core stays clear of.
type addr struct {
	hi, lo uint64
	v4     bool
}

// network is the addresses that share the first bits of one.
type network struct {
	addr
	bits int
}

// mask clears all but the first n bits.
func (a addr) mask(n int) addr {
	switch {
	case a.v4:
		a.lo = a.lo >> (32 - n) << (32 - n)
	case n <= 64:
		a.hi, a.lo = a.hi>>(64-n)<<(64-n), 0
	default:
		a.lo = a.lo >> (128 - n) << (128 - n)
	}
	return a
}

// contains reports whether an address of the same family lies in n.
func (n network) contains(a addr) bool { return a.mask(n.bits) == n.addr }

// holds is contains, also for IPv4 addresses written as IPv6.
func (n network) holds(a addr) bool {
	if n.v4 && !a.v4 {
		m, ok := a.unmap()
		return ok && n.contains(m)
	}
	return n.v4 == a.v4 && n.contains(a)
}

// unmap gives the IPv4 address inside ::ffff:a.b.c.d.
func (a addr) unmap() (addr, bool) {
	return addr{lo: a.lo & 0xffffffff, v4: true}, !a.v4 && a.hi == 0 && a.lo>>32 == 0xffff
}

func parseNetwork(s string) (network, bool) {
	text, length, found := strings.Cut(s, "/")
	a, ok := parseAddr(text)
	if !ok {
		return network{}, false
	}
	whole := 128
	if a.v4 {
		whole = 32
	}
	n := network{a, whole}
	if found {
		bits, err := strconv.ParseUint(length, 10, 8)
		if err != nil || int(bits) > whole || len(length) > 1 && length[0] == '0' {
			return network{}, false
		}
		n.bits = int(bits)
	}
	n.addr = a.mask(n.bits)
	return n, true
}

// parseAddr reads an address without zone.
func parseAddr(s string) (addr, bool) {
	if strings.IndexByte(s, ':') < 0 {
		v, ok := parseDotted(s)
		return addr{lo: uint64(v), v4: true}, ok
	}
	return parseColons(s)
}

// parseDotted reads four decimal numbers without leading zeros.
func parseDotted(s string) (uint32, bool) {
	var sum uint32
	for i := range 4 {
		end := 0
		var v uint32
		for end < len(s) && end < 3 && s[end]-'0' <= 9 {
			v = v*10 + uint32(s[end]-'0')
			end++
		}
		if end == 0 || v > 255 || end > 1 && s[0] == '0' {
			return 0, false
		}
		s, sum = s[end:], sum<<8|v
		if i == 3 {
			break
		}
		if s == "" || s[0] != '.' {
			return 0, false
		}
		s = s[1:]
	}
	return sum, s == ""
}

// parseColons reads eight groups of hex digits; "::" once stands for the zeros
// that are missing, and the last two groups may be an IPv4 address.
func parseColons(s string) (addr, bool) {
	head, tail, gap := strings.Cut(s, "::")
	var b [16]byte
	n, ok := parseGroups(b[:], head, !gap)
	if !ok || !gap {
		return addrOf(&b), ok && n == 16
	}
	var t [16]byte
	m, ok := parseGroups(t[:], tail, true)
	if !ok || n+m > 14 {
		return addr{}, false
	}
	copy(b[16-m:], t[:m])
	return addrOf(&b), true
}

func addrOf(b *[16]byte) addr {
	return addr{hi: binary.BigEndian.Uint64(b[:8]), lo: binary.BigEndian.Uint64(b[8:])}
}

// parseGroups reads groups separated by single colons into b.
func parseGroups(b []byte, s string, last bool) (n int, ok bool) {
	for s != "" {
		group, rest, more := strings.Cut(s, ":")
		if n >= len(b) || more && rest == "" {
			return 0, false
		}
		if !more && last && strings.IndexByte(group, '.') >= 0 {
			v, ok := parseDotted(group)
			if !ok || n+4 > len(b) {
				return 0, false
			}
			binary.BigEndian.PutUint32(b[n:], v)
			return n + 4, true
		}
		v, ok := parseHex(group)
		if !ok {
			return 0, false
		}
		binary.BigEndian.PutUint16(b[n:], v)
		n, s = n+2, rest
	}
	return n, true
}

func parseHex(s string) (uint16, bool) {
	if len(s) == 0 || len(s) > 4 {
		return 0, false
	}
	var v uint16
	for i := range len(s) {
		c := s[i]
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' < 6:
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | uint16(c)
	}
	return v, true
}

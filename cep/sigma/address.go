package sigma

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// What cidr() takes for an address, as regular expressions: it is unknown for
// every other text, which a negation has to tell apart. The core stays clear of
// package net, so they serve to check networks as well.
const (
	octet   = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	dottedQ = octet + `(\.` + octet + `){3}`
	hexGrp  = `[0-9a-fA-F]{1,4}`
)

// ipv4 is a.b.c.d without leading zeros.
func ipv4() string { return "^" + dottedQ + "$" }

// ipv6 is eight groups, or fewer around one "::".
func ipv6() string {
	alts := []string{"(H:){7}H", "::((H:){0,6}H)?"}
	for left := 1; left <= 7; left++ {
		alt := "H::"
		if left > 1 {
			alt = fmt.Sprintf("(H:){%d}H::", left-1)
		}
		if left < 7 {
			alt += fmt.Sprintf("((H:){0,%d}H)?", 6-left)
		}
		alts = append(alts, alt)
	}
	return "^(" + strings.ReplaceAll(strings.Join(alts, "|"), "H", hexGrp) + ")$"
}

// ipv6v4 is IPv6 with an IPv4 address for the last two groups.
func ipv6v4() string {
	alts := []string{"(H:){6}", "::(H:){0,5}"}
	for left := 1; left <= 5; left++ {
		alt := "H::"
		if left > 1 {
			alt = fmt.Sprintf("(H:){%d}H::", left-1)
		}
		if left < 5 {
			alt += fmt.Sprintf("(H:){0,%d}", 5-left)
		}
		alts = append(alts, alt)
	}
	return "^(" + strings.ReplaceAll(strings.Join(alts, "|"), "H", hexGrp) + ")" + dottedQ + "$"
}

// notAddress is true of a text for which cidr() is unknown.
func notAddress(path string) string {
	var parts []string
	for _, re := range []string{ipv4(), ipv6(), ipv6v4()} {
		parts = append(parts, "!"+path+".matches("+celText(re)+")")
	}
	return "(" + strings.Join(parts, " && ") + ")"
}

// isNetwork reports whether s is an address, with or without a prefix length.
func isNetwork(s string) bool {
	ip, length, found := strings.Cut(s, "/")
	bits := uint64(32)
	switch {
	case regexp.MustCompile(ipv4()).MatchString(ip):
	case regexp.MustCompile(ipv6()).MatchString(ip), regexp.MustCompile(ipv6v4()).MatchString(ip):
		bits = 128
	default:
		return false
	}
	if !found {
		return true
	}
	n, err := strconv.ParseUint(length, 10, 8)
	return err == nil && n <= bits && (len(length) == 1 || length[0] != '0')
}

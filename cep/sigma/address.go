package sigma

import (
	"regexp"
	"strconv"
	"strings"
)

// What cidr() takes for an address, as regular expressions: it is unknown for
// every other text, which a negation has to tell apart. The core stays clear of
// package net, so they serve to check networks as well.
const (
	octet = `(25[0-5]|(2[0-4]|1\d|[1-9])?\d)`
	group = `[\da-f]{1,4}`

	// What ends in an IPv4 address, alone or behind groups of IPv6, where the
	// others then take anything of its shape.
	endsInIPv4 = `(^|:)(` + octet + `\.){3}` + octet + `$`
	quad       = `\d+\.[\d.]+`

	// An IPv6 address has eight groups, of which an IPv4 address can stand for the
	// last two …
	isFull = `(?i)^(` + group + `:){6}(` + group + `:` + group + `|` + quad + `)$`
	// … or "::" in one place, and fewer groups. These are two questions: one
	// expression for both would need an alternative for every place.
	isShort = `(?i)^(` + group + `(:` + group + `)*)?::((` + group + `:)*(` + group + `|` + quad + `))?$`
	isFew   = `(?i)^:{0,2}((` + group + `:{0,2}){0,7}|(` + group + `:{0,2}){0,5}` + quad + `)$`
)

// notAddress is true of a text for which cidr() is unknown.
func notAddress(path string) string {
	is := func(re string) string { return path + ".matches(" + celText(re) + ")" }
	dots, colons := path+`.contains(".")`, path+`.contains(":")`
	return "!((" + is(endsInIPv4) + " || !" + dots + ") && (" + is(isFull) + " || " + is(isShort) + " && " + is(isFew) +
		") || " + is(endsInIPv4) + " && !" + colons + ")"
}

// isAddress is the same question here.
func isAddress(s string) bool {
	is := func(re string) bool { return regexp.MustCompile(re).MatchString(s) }
	return (is(endsInIPv4) || !strings.Contains(s, ".")) && (is(isFull) || is(isShort) && is(isFew)) || is(endsInIPv4) && !strings.Contains(s, ":")
}

// isNetwork reports whether s is an address, with or without a prefix length.
func isNetwork(s string) bool {
	ip, length, found := strings.Cut(s, "/")
	if !isAddress(ip) {
		return false
	}
	bits := uint64(32)
	if strings.Contains(ip, ":") {
		bits = 128
	}
	if !found {
		return true
	}
	n, err := strconv.ParseUint(length, 10, 8)
	return err == nil && n <= bits && (len(length) == 1 || length[0] != '0')
}

package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config says where requests may go, and how large and slow they may be.
type Config struct {
	// Hosts are the hosts that may be asked: "api.example.com",
	// "*.example.com" for those beneath it, "*" for all, or an address. Each may
	// name a port; without one, 80 and 443 are meant. A literal address is allowed
	// even where it is private.
	Hosts []string
	// Private are networks with special addresses that may be dialled
	// nevertheless, such as "10.1.0.0/16".
	Private []string

	Timeout      time.Duration // of a request in all, redirects included; 0: 30 s
	MaxRequest   int64         // bytes of a request's body; 0: 512 KiB
	MaxResponse  int64         // bytes of a response's body, decompressed; 0: 256 KiB
	MaxRedirects int           // 0: 5
}

const (
	defaultTimeout     = 30 * time.Second
	defaultMaxRequest  = 512 << 10
	defaultMaxResponse = 256 << 10
	defaultRedirects   = 5
)

// WithDefaults fills the zero fields of c.
func (c Config) WithDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.MaxRequest == 0 {
		c.MaxRequest = defaultMaxRequest
	}
	if c.MaxResponse == 0 {
		c.MaxResponse = defaultMaxResponse
	}
	if c.MaxRedirects == 0 {
		c.MaxRedirects = defaultRedirects
	}
	return c
}

// Validate reports everything wrong with c, under the keys operators type.
func (c Config) Validate() error {
	_, _, err := c.parse()
	errs := []error{err}
	for _, f := range []struct {
		key   string
		value int64
	}{
		{"timeout", int64(c.Timeout)},
		{"max_request", c.MaxRequest},
		{"max_response", c.MaxResponse},
		{"max_redirects", int64(c.MaxRedirects)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s: is below 0; leave it out for the default", f.key))
		}
	}
	return errors.Join(errs...)
}

func (c Config) parse() (hosts []host, private []netip.Prefix, err error) {
	var errs []error
	for i, s := range c.Hosts {
		h, err := parseHost(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("hosts[%d]: %w", i, err))
		}
		hosts = append(hosts, h)
		if h.addr.IsValid() {
			private = append(private, netip.PrefixFrom(h.addr, h.addr.BitLen()))
		}
	}
	for i, s := range c.Private {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("private[%d]: %q is no network; write an address and its bits, such as 10.1.0.0/16", i, s))
			continue
		}
		private = append(private, p.Masked())
	}
	return hosts, private, errors.Join(errs...)
}

// host is one entry of Hosts.
type host struct {
	name    string // lower case; with beneath, the part after "*."; "" with beneath: any
	beneath bool
	addr    netip.Addr // when it is a literal
	port    string     // "": 80 and 443
}

const hostForms = `write a name, "*.name", "*" or an address, and a port if it is not 80 or 443`

func parseHost(s string) (host, error) {
	bad := fmt.Errorf("%q is no host; %s", s, hostForms)
	name, port := s, ""
	if n, p, err := net.SplitHostPort(s); err == nil {
		name, port = n, p
		if strings.Contains(p, "/") {
			return host{}, bad
		}
		if number, err := strconv.ParseUint(p, 10, 16); err != nil || number == 0 || p != strconv.FormatUint(number, 10) {
			return host{}, fmt.Errorf("%q: %q is no port", s, p)
		}
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Zone() != "" {
			return host{}, bad
		}
		return host{name: addr.Unmap().String(), addr: addr.Unmap(), port: port}, nil
	}
	h := host{name: strings.ToLower(name), port: port}
	if h.name == "*" {
		return host{beneath: true, port: port}, nil
	}
	if rest, ok := strings.CutPrefix(h.name, "*."); ok {
		h.name, h.beneath = rest, true
	}
	if !isName(h.name) {
		return host{}, bad
	}
	return h, nil
}

// isName reports whether s may be the name of a host, in ASCII.
func isName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// allows reports whether h covers a host, given in lower case, and a port.
func (h host) allows(name, port string) bool {
	if h.port == "" && port != "80" && port != "443" || h.port != "" && h.port != port {
		return false
	}
	switch {
	case h.beneath && h.name == "":
		return true
	case h.beneath:
		return strings.HasSuffix(name, "."+h.name)
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Unmap() == h.addr
	}
	return name == h.name
}

// ports returns every port that some host may be asked at.
func ports(hosts []host) []int {
	all := []int{80, 443}
	for _, h := range hosts {
		if n, err := strconv.Atoi(h.port); err == nil && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/doyensec/safeurl"
)

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// guard returns a dialer that connects to public addresses and to those in
// private. The address is checked when it is dialled, after all names are
// resolved. A list of allowed networks makes safeurl refuse all others, so two
// of its dialers are tried in turn; what the first refuses was never dialled.
func guard(ports []int, private []netip.Prefix) dialer {
	public := dialerOf(safeurl.GetConfigBuilder().SetAllowedPorts(ports...).EnableIPv6(true).SetBlockedIPsCIDR(special()...).Build())
	if len(private) == 0 {
		return public
	}
	networks := make([]string, len(private))
	for i, p := range private {
		networks[i] = p.String()
	}
	inside := dialerOf(safeurl.GetConfigBuilder().SetAllowedPorts(ports...).EnableIPv6(true).SetAllowedIPsCIDR(networks...).Build())
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := public(ctx, network, address)
		if _, blocked := errors.AsType[*safeurl.AllowedIPError](err); blocked {
			return inside(ctx, network, address)
		}
		return conn, err
	}
}

// special are networks that safeurl lets through and that lead inside or
// nowhere.
func special() []string {
	return []string{
		"::/96",          // IPv4 addresses in a deprecated form of IPv6
		"64:ff9b:1::/48", // translation to local IPv4 addresses
		"fec0::/10",      // deprecated site-local addresses
		"3fff::/20",      // documentation
		"5f00::/16",      // segment routing
	}
}

func dialerOf(cfg *safeurl.Config) dialer {
	t, ok := safeurl.Client(cfg).Client.Transport.(*http.Transport)
	if !ok {
		panic("egress: safeurl has no transport with a dialer")
	}
	return t.DialContext
}

// perAddress is how long one of several addresses of a name is tried.
const perAddress = 5 * time.Second

// resolved looks names up and dials their addresses in turn, without the zones
// that a local resolver may give: safeurl panics over an address with one, in a
// goroutine where nobody could recover.
func resolved(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		name, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			return nil, err
		}
		failed := fmt.Errorf("%s has no address", name)
		for i, a := range addrs {
			one := net.JoinHostPort(a.Unmap().WithZone("").String(), port)
			conn, err := dialOne(ctx, dial, network, one, i+1 == len(addrs))
			if err == nil {
				return conn, nil
			}
			failed = err
		}
		return nil, failed
	}
}

// dialOne dials an address, for no longer than its share of the time unless it
// is the last.
func dialOne(ctx context.Context, dial dialer, network, address string, last bool) (net.Conn, error) {
	if !last {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, perAddress)
		defer cancel()
	}
	return dial(ctx, network, address)
}

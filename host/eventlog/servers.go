package eventlog

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Servers says how to reach servers elsewhere. Whoever runs them decides whether
// they sync before they acknowledge: sync_interval must be "always".
type Servers struct {
	// URLs are those of some of the servers, such as nats://host:4222 or
	// tls://host:4222. The others are learned from them.
	URLs []string
	// Creds names a file with a JWT and its key, NKey one with the seed of a key.
	// Token is a secret itself. At most one of them is set.
	Creds string
	NKey  string
	Token string
	// TLS has the CA of the servers, and the certificate to show them if they ask
	// for one. Empty names: the system's CAs, and none to show.
	TLS TLSFiles
}

func (s *Servers) validate() (errs []error) {
	if len(s.URLs) == 0 {
		errs = append(errs, errors.New("servers.urls: name at least one"))
	}
	for i, text := range s.URLs {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "":
			errs = append(errs, fmt.Errorf("servers.urls[%d]: it is not a URL such as nats://host:4222", i))
		case u.Scheme != "nats" && u.Scheme != "tls":
			errs = append(errs, fmt.Errorf("servers.urls[%d]: its scheme is %q, not nats or tls", i, u.Scheme))
		}
	}
	if s.Creds != "" && s.NKey != "" || s.Token != "" && s.Creds+s.NKey != "" {
		errs = append(errs, errors.New("servers: creds, nkey and token exclude each other"))
	}
	if (s.TLS.Cert == "") != (s.TLS.Key == "") {
		errs = append(errs, errors.New("servers.tls: cert and key belong together"))
	}
	return errs
}

// list is all URLs in one text.
func (s *Servers) list() string { return strings.Join(s.URLs, ",") }

// String is list without passwords.
func (s *Servers) String() string {
	urls := make([]string, len(s.URLs))
	for i, text := range s.URLs {
		if u, err := url.Parse(text); err == nil {
			urls[i] = u.Redacted()
		}
	}
	return strings.Join(urls, ",")
}

// options are those of every connection.
func (s *Servers) options() ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Timeout(5 * time.Second), nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, time.Second),
		// A server that was cut off is given up before an acknowledgement is.
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		// Who was let in before may be again: when credentials have expired, and the file
		// holds new ones.
		nats.IgnoreAuthErrorAbort(),
	}
	if s.Creds != "" {
		opts = append(opts, nats.UserCredentials(s.Creds))
	}
	if s.NKey != "" {
		o, err := nats.NkeyOptionFromSeed(s.NKey)
		if err != nil {
			return nil, fmt.Errorf("servers.nkey: read %s: %w", s.NKey, err)
		}
		opts = append(opts, o)
	}
	if s.Token != "" {
		opts = append(opts, nats.Token(s.Token))
	}
	if s.TLS.CA != "" {
		opts = append(opts, nats.RootCAs(s.TLS.CA))
	}
	if s.TLS.Cert != "" {
		opts = append(opts, nats.ClientCert(s.TLS.Cert, s.TLS.Key))
	}
	return opts, nil
}

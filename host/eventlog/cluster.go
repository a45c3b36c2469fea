package eventlog

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// Cluster makes the server in this process one of several that store together.
type Cluster struct {
	// Name is that of the cluster, the same on all of its servers.
	Name string
	// Node is the name of this server. No other may have it, and it must stay the
	// same: what the server stores is known to the others by it.
	Node string
	// Listen is the address, host:port, at which the others reach this server.
	Listen string
	// Peers are the addresses of all servers, this one among them.
	Peers []string
	// Secret is what the servers prove to each other that they belong together.
	// It is sent to peers, in the clear without TLS.
	Secret string
	// NKey, in place of Secret, names a file with the seed of a key that this server
	// alone has, and NKeys are the public keys of all servers. It needs TLS: a server
	// proves that it has both the key and that of its certificate.
	NKey  string
	NKeys []string
	// TLS is for the connections between the servers. Both sides have to show a
	// certificate that CA has signed.
	TLS TLSFiles
}

// TLSFiles names files in PEM format. Empty names: no TLS.
type TLSFiles struct {
	CA, Cert, Key string
}

func (f TLSFiles) set() bool { return f != TLSFiles{} }

const (
	routeUser = "rhost"
	// minSecret is short enough to type and too long to be guessed over a network.
	minSecret  = 16
	tlsTimeout = 5 // seconds for a handshake
)

func (c *Cluster) validate() (errs []error) {
	if c.Name == "" || c.Node == "" {
		errs = append(errs, errors.New("cluster: name and node must not be empty"))
	}
	for i, addr := range append([]string{c.Listen}, c.Peers...) {
		if _, err := routePort(addr); err != nil {
			key := "cluster.listen"
			if i > 0 {
				key = fmt.Sprintf("cluster.peers[%d]", i-1)
			}
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	if len(c.Peers) < 2 {
		errs = append(errs, errors.New("cluster.peers: name all servers, three of them or more"))
	}
	if c.NKey != "" || len(c.NKeys) > 0 {
		errs = append(errs, c.validateKeys()...)
	} else if len(c.Secret) < minSecret {
		errs = append(errs, fmt.Errorf("cluster.secret_file: the secret has %d bytes, at least %d are needed", len(c.Secret), minSecret))
	}
	if c.TLS.set() && (c.TLS.CA == "" || c.TLS.Cert == "" || c.TLS.Key == "") {
		errs = append(errs, errors.New("cluster.tls: ca, cert and key belong together"))
	}
	return errs
}

func (c *Cluster) validateKeys() (errs []error) {
	if c.Secret != "" {
		errs = append(errs, errors.New("cluster: secret_file and nkey_file exclude each other"))
	}
	if c.NKey == "" || len(c.NKeys) == 0 {
		errs = append(errs, errors.New("cluster: nkey_file, with this node's key, and nkeys, with the public keys of all nodes, belong together"))
	}
	if !c.TLS.set() {
		errs = append(errs, errors.New("cluster.nkey_file: it needs tls"))
	}
	for i, key := range c.NKeys {
		if !nkeys.IsValidPublicUserKey(key) {
			errs = append(errs, fmt.Errorf("cluster.nkeys[%d]: %q is no public key of a user or node; one begins with U", i, key))
		}
	}
	return errs
}

func routePort(addr string) (int, error) {
	_, digits, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("%q is not host:port", addr)
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("%q has no port from 1 to 65535", addr)
	}
	return int(port), nil
}

// join makes opts those of a server of the cluster. The server does not connect to
// others unless it listens for clients as well: it does so on this machine alone,
// at any port, for those who know the token that join returns.
func (c *Cluster) join(opts *server.Options) (token string, err error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", err
	}
	port, err := routePort(c.Listen)
	if err != nil {
		return "", err
	}
	opts.ServerName = c.Node
	opts.NoSystemAccount = false
	opts.DontListen, opts.Host, opts.Port = false, "127.0.0.1", server.RANDOM_PORT
	opts.Authorization = rand.Text()
	// Clients are gone when the server hands over; there is nobody to wait for.
	opts.LameDuckDuration, opts.LameDuckGracePeriod = time.Second, time.Millisecond
	pair, err := c.check(time.Now())
	if err != nil {
		return "", err
	}
	user, password, err := c.identity(pair)
	if err != nil {
		return "", err
	}
	if c.NKey != "" {
		opts.CustomRouterAuthentication = nodeKeys{c.Name, c.NKeys}
	}
	opts.Cluster = server.ClusterOpts{
		Name: c.Name, Host: host, Port: port,
		Username: user, Password: password, AuthTimeout: tlsTimeout,
		PingInterval: 2 * time.Second, MaxPingsOut: 2,
	}
	scheme := "nats"
	if c.TLS.set() {
		if opts.Cluster.TLSConfig, err = c.TLS.mutual(); err != nil {
			return "", fmt.Errorf("cluster.tls: %w", err)
		}
		opts.Cluster.TLSTimeout = tlsTimeout
		scheme = "tls"
	}
	for _, peer := range c.Peers {
		opts.Routes = append(opts.Routes, &url.URL{Scheme: scheme, User: url.UserPassword(user, password), Host: peer})
	}
	return opts.Authorization, nil
}

// mutual is the configuration of a side that shows its certificate and wants to
// see the other's.
func (f TLSFiles) mutual() (*tls.Config, error) {
	c, err := server.GenTLSConfig(&server.TLSConfigOpts{
		CertFile: f.Cert, KeyFile: f.Key, CaFile: f.CA, Verify: true,
	})
	if err != nil {
		return nil, err
	}
	c.RootCAs = c.ClientCAs
	return c, nil
}

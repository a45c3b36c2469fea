package eventlog

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	knockTimeout = 3 * time.Second
	maxInfo      = 64 << 10
)

// PeerStatus is how another server of the cluster answers.
type PeerStatus struct {
	Addr string
	// Err is nil when it lets this server in, an *AccessError when one of the two does
	// not take the other, and any other error when it cannot be reached.
	Err error
}

// Knock goes to each of the other servers of the cluster, as this one does when it
// runs, and tells how they answer. It takes three seconds at the most.
func (c *Cluster) Knock(ctx context.Context) []PeerStatus {
	ctx, cancel := context.WithTimeout(ctx, knockTimeout)
	defer cancel()
	var list []PeerStatus
	for _, addr := range c.Peers {
		if addr != c.Listen {
			list = append(list, PeerStatus{Addr: addr})
		}
	}
	var wg sync.WaitGroup
	for i := range list {
		wg.Go(func() { list[i].Err = c.knock(ctx, list[i].Addr) })
	}
	wg.Wait()
	return list
}

// knock connects to a server as another one would, up to the point where it is let in.
func (c *Cluster) knock(ctx context.Context, addr string) error {
	pair, err := c.check(time.Now())
	if err != nil {
		return err
	}
	user, password, err := c.identity(pair)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is kept
	if at, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(at); err != nil {
			return err
		}
	}
	if pair != nil {
		pool, err := c.TLS.pool()
		if err != nil {
			return err
		}
		t := tls.Client(conn, &tls.Config{
			ServerName: hostOf(addr), RootCAs: pool, Certificates: []tls.Certificate{*pair}, MinVersion: tls.VersionTLS12,
		})
		if err := t.HandshakeContext(ctx); err != nil {
			return c.refused(err)
		}
		conn = t
	}
	return c.refused(c.introduce(conn, user, password))
}

// introduce says who this is and waits for an answer.
func (c *Cluster) introduce(conn net.Conn, user, password string) error {
	in := bufio.NewReader(&limited{conn, maxInfo})
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	text, ok := strings.CutPrefix(line, "INFO ")
	var info struct {
		Cluster string `json:"cluster"`
		Node    string `json:"server_name"`
	}
	if err := json.Unmarshal([]byte(text), &info); !ok || err != nil {
		return errors.New("what answers there is no server of a cluster")
	}
	if info.Cluster != c.Name {
		return &AccessError{AccessPeers, "", fmt.Errorf("the cluster there is called %q, not %q", info.Cluster, c.Name), "correct name, or the address"}
	}
	if c.Node != "" && info.Node == c.Node {
		return &AccessError{AccessNode, "", fmt.Errorf("the node there is called %s as well", c.Node), "every node has a name of its own: correct node, here or there"}
	}
	hello, err := json.Marshal(map[string]any{"user": user, "pass": password, "tls_required": c.TLS.set(), "cluster": c.Name, "name": "knock"})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "CONNECT %s\r\nPING\r\n", hello); err != nil {
		return err
	}
	for {
		switch line, err := in.ReadString('\n'); {
		case err != nil:
			return err
		case strings.HasPrefix(line, "PONG"):
			return nil
		case strings.HasPrefix(line, "-ERR"):
			return fmt.Errorf("%w: %s", errTurnedAway, strings.TrimSpace(strings.TrimPrefix(line, "-ERR")))
		}
	}
}

// errTurnedAway is the answer of a server that does not let this one in.
var errTurnedAway = errors.New("it does not let this node in")

// refused tells what of the configuration is not as the other server's.
func (c *Cluster) refused(err error) error {
	access := func(key, file, fix string) error { return &AccessError{key, file, err, fix} }
	unknown, host, invalid, record := x509.UnknownAuthorityError{}, x509.HostnameError{}, x509.CertificateInvalidError{}, tls.RecordHeaderError{}
	timeout := net.Error(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTurnedAway) && c.NKey != "":
		return access(AccessNKey, c.NKey, "the other node does not know this key: list the keys of all nodes in nkeys, the same on each, and restart those that do not have it")
	case errors.Is(err, errTurnedAway):
		return access(AccessSecret, "", "the secrets differ: write the same into the file on all nodes, and restart those that have another")
	case errors.As(err, &unknown):
		return access(AccessCA, c.TLS.CA, "another CA signed the other node's certificate: name one CA on all nodes, which signed all certificates")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return access(AccessPeers, "", "have the certificate of that node renewed, and look at the clocks")
	case errors.As(err, &host):
		return access(AccessPeers, "", "have the certificate of that node made for the name that stands here")
	case strings.Contains(err.Error(), "remote error: tls:"):
		return access(AccessCert, c.TLS.Cert, "the other node does not take this certificate: name one CA on all nodes, which signed all certificates")
	case errors.As(err, &record):
		return access(AccessCert, c.TLS.Cert, "the other node does not speak TLS: name the same of ca, cert and key on all nodes, or on none")
	case !c.TLS.set() && (errors.As(err, &timeout) && timeout.Timeout()):
		return fmt.Errorf("it says nothing, as one does that is stopped, or that wants TLS: %w", err)
	}
	return err
}

// limited reads no more than so many bytes.
type limited struct {
	net.Conn
	left int
}

func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("the answer is too long")
	}
	n, err := l.Conn.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}

// hostOf is the host of host:port.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

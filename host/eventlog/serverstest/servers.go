package serverstest

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
)

// Config says which servers to start.
type Config struct {
	Number int    // 0: one
	TLS    *CA    // signs their certificate, and has to have signed those of callers; nil: no TLS
	NKey   string // public key of the user they let in
	Token  string
	Issuer *Issuer // of the JWTs that they take
	// Cert and Key are those of the servers; empty: the CA makes them.
	Cert, Key string
}

// Start starts servers and returns their URLs. They sync before they acknowledge.
func Start(t testing.TB, c Config) []string {
	t.Helper()
	n := max(c.Number, 1)
	if c.TLS != nil && c.Cert == "" {
		c.Cert, c.Key = c.TLS.Issue("server", nil)
	}
	var routes []*url.URL
	for range n {
		routes = append(routes, &url.URL{Scheme: "nats", Host: FreeAddr(t)})
	}
	var urls []string
	for i := range n {
		opts := c.options(t, i)
		if n > 1 {
			opts.Cluster = server.ClusterOpts{Name: "elsewhere", Host: "127.0.0.1", Port: portOf(t, routes[i].Host)}
			opts.Routes = routes
		}
		srv := start(t, opts)
		at := srv.ClientURL()
		if c.TLS != nil {
			at = strings.Replace(at, "nats://", "tls://", 1)
		}
		urls = append(urls, at)
	}
	return urls
}

func (c *Config) options(t testing.TB, i int) *server.Options {
	t.Helper()
	opts := &server.Options{
		ServerName: fmt.Sprint("elsewhere-", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, Authorization: c.Token,
		LameDuckDuration: time.Second, LameDuckGracePeriod: time.Millisecond,
	}
	if c.TLS != nil {
		var err error
		opts.TLSConfig, err = server.GenTLSConfig(&server.TLSConfigOpts{CertFile: c.Cert, KeyFile: c.Key, CaFile: c.TLS.File, Verify: true})
		require.NoError(t, err)
		opts.TLSVerify = true
	}
	if c.NKey != "" {
		opts.Nkeys = []*server.NkeyUser{{Nkey: c.NKey}}
	}
	if c.Issuer != nil {
		opts.TrustedOperators = []*jwt.OperatorClaims{c.Issuer.operator}
		opts.AccountResolver, opts.SystemAccount = c.Issuer.accounts, c.Issuer.system
	}
	return opts
}

func start(t testing.TB, opts *server.Options) *server.Server {
	t.Helper()
	srv, err := server.NewServer(opts)
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if opts.Cluster.Port == 0 {
		require.True(t, srv.ReadyForConnections(10*time.Second))
	}
	require.Eventually(t, func() bool { return srv.ClientURL() != "" && srv.Addr() != nil }, 10*time.Second, 5*time.Millisecond)
	return srv
}

// FreeAddr is an address that nobody listens at.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is at once
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func portOf(t testing.TB, addr string) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	require.NoError(t, err)
	return a.Port
}

// UserKey makes a key, and returns the file of its seed and its public part.
func UserKey(t testing.TB) (file, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	seed, err := pair.Seed()
	require.NoError(t, err)
	public, err = pair.PublicKey()
	require.NoError(t, err)
	return write(t, t.TempDir(), "user.nk", seed), public
}

// Issuer makes the JWTs of users of one account.
type Issuer struct {
	t        testing.TB
	operator *jwt.OperatorClaims
	accounts *server.MemAccResolver
	system   string
	account  nkeys.KeyPair
}

// NewIssuer makes an operator with one account, which may use JetStream.
func NewIssuer(t testing.TB) *Issuer {
	t.Helper()
	operator, err := nkeys.CreateOperator()
	require.NoError(t, err)
	i := &Issuer{t: t, accounts: &server.MemAccResolver{}, operator: jwt.NewOperatorClaims(publicOf(t, operator))}
	text, err := i.operator.Encode(operator)
	require.NoError(t, err)
	i.operator, err = jwt.DecodeOperatorClaims(text)
	require.NoError(t, err)
	for _, name := range []string{"SYS", "APP"} {
		pair, err := nkeys.CreateAccount()
		require.NoError(t, err)
		claims := jwt.NewAccountClaims(publicOf(t, pair))
		claims.Name = name
		if name == "APP" {
			i.account = pair
			claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
		} else {
			i.system = claims.Subject
		}
		text, err := claims.Encode(operator)
		require.NoError(t, err)
		require.NoError(t, i.accounts.Store(claims.Subject, text))
	}
	return i
}

// Credentials makes a user whose JWT lasts for so long, for ever with 0, and returns
// the content of a credentials file.
func (i *Issuer) Credentials(lasts time.Duration) []byte {
	i.t.Helper()
	user, err := nkeys.CreateUser()
	require.NoError(i.t, err)
	claims := jwt.NewUserClaims(publicOf(i.t, user))
	if lasts != 0 {
		claims.Expires = time.Now().Add(lasts).Unix()
	}
	text, err := claims.Encode(i.account)
	require.NoError(i.t, err)
	seed, err := user.Seed()
	require.NoError(i.t, err)
	b, err := jwt.FormatUserConfig(text, seed)
	require.NoError(i.t, err)
	return b
}

// CredentialsFile writes Credentials into a file.
func (i *Issuer) CredentialsFile(lasts time.Duration) string {
	i.t.Helper()
	return write(i.t, i.t.TempDir(), "user.creds", i.Credentials(lasts))
}

func publicOf(t testing.TB, pair nkeys.KeyPair) string {
	t.Helper()
	public, err := pair.PublicKey()
	require.NoError(t, err)
	return public
}

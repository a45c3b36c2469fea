package eventlog_test

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/serverstest"
)

// nodeKey makes a key of a node.
func nodeKey(t *testing.T) (file, public string) {
	t.Helper()
	seed, public, err := eventlog.NewNodeKey()
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "node.nk")
	require.NoError(t, os.WriteFile(file, append(seed, '\n'), 0o600))
	return file, public
}

// certified gives files with a certificate that ca has signed.
func certified(ca *serverstest.CA, name string, change func(*x509.Certificate)) eventlog.TLSFiles {
	cert, key := ca.Issue(name, change)
	return eventlog.TLSFiles{CA: ca.File, Cert: cert, Key: key}
}

// TestKnock: one who is not let in, or does not let in, is told which of its files is
// the reason, and one who is, is told so; nobody waits for long.
func TestKnock(t *testing.T) {
	ca, other := serverstest.NewCA(t), serverstest.NewCA(t)
	keyA, publicA := nodeKey(t)
	keyB, publicB := nodeKey(t)
	stranger, publicS := nodeKey(t)
	a, b, c := serverstest.FreeAddr(t), serverstest.FreeAddr(t), serverstest.FreeAddr(t)
	plain := serverstest.FreeAddr(t)
	begin := func(listen string, change func(*eventlog.Cluster)) {
		cfg := eventlog.Cluster{Name: "c", Node: "node-" + listen, Listen: listen, Peers: []string{listen, b, c}}
		change(&cfg)
		startEngine(t, eventlog.EngineConfig{Dir: filepath.Join(t.TempDir(), "log"), Cluster: &cfg})
	}
	tlsA := certified(ca, "a", nil)
	begin(a, func(o *eventlog.Cluster) { o.NKey, o.NKeys, o.TLS = keyA, []string{publicA, publicB}, tlsA })
	begin(plain, func(o *eventlog.Cluster) { o.Secret = "a secret of the nodes" })

	tlsB := certified(ca, "b", nil)
	bad := filepath.Join(t.TempDir(), "bad.pem")
	require.NoError(t, os.WriteFile(bad, []byte("nothing"), 0o600))
	for _, tt := range []struct {
		name, at  string
		with      eventlog.Cluster
		key, file string // of the AccessError; "": it is let in
		want      string
	}{
		{"the right key", a, eventlog.Cluster{NKey: keyB, NKeys: []string{publicA, publicB}, TLS: tlsB}, "", "", ""},
		{"the right secret", plain, eventlog.Cluster{Secret: "a secret of the nodes"}, "", "", ""},
		{"a key that is not known", a, eventlog.Cluster{NKey: stranger, NKeys: []string{publicA, publicS}, TLS: tlsB}, eventlog.AccessNKey, stranger, "list the keys of all nodes"},
		{"a key that it does not list", a, eventlog.Cluster{NKey: stranger, NKeys: []string{publicA}, TLS: tlsB}, eventlog.AccessNKeys, "", publicS},
		{"a secret for a key", a, eventlog.Cluster{Secret: "a secret of the nodes", TLS: tlsB}, eventlog.AccessSecret, "", "the secrets differ"},
		{"another secret", plain, eventlog.Cluster{Secret: "another secret of nodes"}, eventlog.AccessSecret, "", "the secrets differ"},
		{"another name", plain, eventlog.Cluster{Name: "d", Secret: "a secret of the nodes"}, eventlog.AccessPeers, "", `called "c", not "d"`},
		{"another node's name", plain, eventlog.Cluster{Node: "node-" + plain, Secret: "a secret of the nodes"}, eventlog.AccessNode, "", "is called node-" + plain + " as well"},
		{"a CA that did not sign theirs", a, eventlog.Cluster{NKey: keyB, NKeys: []string{publicA, publicB}, TLS: certified(other, "b", nil)}, eventlog.AccessCA, other.File, "another CA signed"},
		{"a CA that did not sign its own", a, eventlog.Cluster{NKey: keyB, NKeys: []string{publicA, publicB}, TLS: eventlog.TLSFiles{CA: other.File, Cert: tlsB.Cert, Key: tlsB.Key}}, eventlog.AccessCert, tlsB.Cert, "name the CA that signed it"},
		{"expired", a, eventlog.Cluster{NKey: keyB, NKeys: []string{publicA, publicB}, TLS: certified(ca, "old", serverstest.Expired)}, eventlog.AccessCert, "old.pem", "the certificate expired at"},
		{"for clients alone", a, eventlog.Cluster{NKey: keyB, NKeys: []string{publicA, publicB}, TLS: certified(ca, "client", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})}, eventlog.AccessCert, "client.pem", "client and for server authentication"},
		{"for another host", a, eventlog.Cluster{NKey: keyB, NKeys: []string{publicA, publicB}, TLS: certified(ca, "host", func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)}
		})}, eventlog.AccessCert, "host.pem", "have it made for 127.0.0.1"},
		{"another's key of the certificate", a, eventlog.Cluster{NKey: keyB, NKeys: []string{publicA, publicB}, TLS: eventlog.TLSFiles{CA: ca.File, Cert: tlsB.Cert, Key: tlsA.Key}}, eventlog.AccessKey, tlsA.Key, "is not the key of"},
		{"no seed", a, eventlog.Cluster{NKey: bad, NKeys: []string{publicA}, TLS: tlsB}, eventlog.AccessNKey, bad, "no seed"},
		{"no file", a, eventlog.Cluster{NKey: "gone.nk", NKeys: []string{publicA}, TLS: tlsB}, eventlog.AccessNKey, "gone.nk", "put the file in its place"},
		{"no certificate in it", a, eventlog.Cluster{NKey: keyB, NKeys: []string{publicB}, TLS: eventlog.TLSFiles{CA: bad, Cert: tlsB.Cert, Key: tlsB.Key}}, eventlog.AccessCA, bad, "no certificate"},
		{"TLS to one without", plain, eventlog.Cluster{Secret: "a secret of the nodes", TLS: tlsB}, eventlog.AccessCert, tlsB.Cert, "does not speak TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.with.Name == "" {
				tt.with.Name = "c"
			}
			tt.with.Listen, tt.with.Peers = b, []string{b, tt.at}
			began := time.Now()
			list := tt.with.Knock(t.Context())
			assert.Less(t, time.Since(began), 4*time.Second)
			require.Len(t, list, 1)
			assert.Equal(t, tt.at, list[0].Addr)
			if tt.key == "" {
				require.NoError(t, list[0].Err)
				return
			}
			var access *eventlog.AccessError
			require.ErrorAs(t, list[0].Err, &access)
			assert.Equal(t, tt.key, access.Key)
			if tt.file != "" {
				assert.Equal(t, filepath.Base(tt.file), filepath.Base(access.File))
			}
			assert.ErrorContains(t, access, tt.want)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		nobody := eventlog.Cluster{Name: "c", Listen: b, Peers: []string{b, c}, Secret: "a secret of the nodes"}
		list := nobody.Knock(t.Context())
		require.ErrorContains(t, list[0].Err, "connection refused")
		access := (*eventlog.AccessError)(nil)
		assert.NotErrorAs(t, list[0].Err, &access, "it may come yet")
	})
}

// TestStolenSignature: what a node proves with its key is of no use with another
// certificate, in another cluster, or for another key.
func TestStolenSignature(t *testing.T) {
	ca := serverstest.NewCA(t)
	keyA, publicA := nodeKey(t)
	a, b := serverstest.FreeAddr(t), serverstest.FreeAddr(t)
	cfg := eventlog.Cluster{Name: "c", Node: "a", Listen: a, Peers: []string{a, b}, NKey: keyA, NKeys: []string{publicA}, TLS: certified(ca, "a", nil)}
	startEngine(t, eventlog.EngineConfig{Dir: filepath.Join(t.TempDir(), "log"), Cluster: &cfg})
	// A's own seed with a certificate of its own is let in: the node may renew it.
	again := cfg
	again.Node, again.Listen, again.TLS = "", b, certified(ca, "renewed", nil)
	require.NoError(t, again.Knock(t.Context())[0].Err)
	assert.False(t, eventlog.GoodSignature("c", publicA, eventlog.SignatureOf(t, &cfg), again.TLS.Cert), "with another certificate")
	assert.True(t, eventlog.GoodSignature("c", publicA, eventlog.SignatureOf(t, &cfg), cfg.TLS.Cert))
	assert.False(t, eventlog.GoodSignature("d", publicA, eventlog.SignatureOf(t, &cfg), cfg.TLS.Cert), "in another cluster")
	_, other := nodeKey(t)
	assert.False(t, eventlog.GoodSignature("c", other, eventlog.SignatureOf(t, &cfg), cfg.TLS.Cert), "for another key")
}

package host

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/serverstest"
)

const oneRule = "rule: one\nwhen: type == \"t\"\n"

// onServers is an app whose log is kept by servers; the rest is more of the section
// cluster.
func onServers(t *testing.T, urls []string, more string) *testApp {
	t.Helper()
	return newApp(t, map[string]string{
		"rhost.yaml":   fmt.Sprintf("cluster: {node: a, servers: ['%s']%s}\n", strings.Join(urls, "', '"), more),
		"rules/r.yaml": oneRule,
	})
}

// TestServersElsewhere runs a node on servers that want to know, in each of the ways
// that there are, who calls; then takes a backup and restores it to other servers.
func TestServersElsewhere(t *testing.T) {
	ca := serverstest.NewCA(t)
	cert, key := ca.Issue("node", nil)
	seed, public := serverstest.UserKey(t)
	issuer := serverstest.NewIssuer(t)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("the token of the servers\n"), 0o600))
	inTLS := fmt.Sprintf(", tls: {ca: '%s', cert: '%s', key: '%s'}", ca.File, cert, key)
	for _, tt := range []struct {
		name    string
		servers serverstest.Config
		more    string
	}{
		{"certificate", serverstest.Config{TLS: ca}, inTLS},
		{"key, three servers", serverstest.Config{Number: 3, TLS: ca, NKey: public}, inTLS + ", replicas: 3, nkey_file: '" + seed + "'"},
		{"credentials", serverstest.Config{Issuer: issuer}, ", credentials: '" + issuer.CredentialsFile(time.Hour) + "'"},
		{"token", serverstest.Config{Token: "the token of the servers"}, ", token_file: '" + token + "'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			app := onServers(t, serverstest.Start(t, tt.servers), tt.more)
			n := app.node(app.data).run()
			n.untilReady()
			n.send("first")
			code, text := n.ask(http.MethodGet, "/v1/cluster", "")
			require.Equal(t, http.StatusOK, code, text)
			code, text = n.ask(http.MethodPost, "/v1/cluster/forget?node=elsewhere-0", "")
			assert.Equal(t, http.StatusBadRequest, code, text)
			assert.Contains(t, text, "nats server cluster peer-remove")
			out := filepath.Join(t.TempDir(), "backup")
			res, err := Backup(t.Context(), Options{App: app.dir, Data: app.data}, out, nil)
			require.NoError(t, err)
			assert.Len(t, res.Manifest.Streams, 2)
			n.send("second")
			n.stop()
			res, err = Backup(t.Context(), Options{App: app.dir, Data: app.data}, out, nil)
			require.NoError(t, err)
			assert.Equal(t, 2, res.Manifest.Number)

			there := onServers(t, serverstest.Start(t, serverstest.Config{}), "")
			rep, data, err := Restore(t.Context(), RestoreOptions{From: out, App: there.dir, Data: filepath.Join(there.data, "d"), Part: RestoreData})
			require.NoError(t, err)
			assert.Empty(t, rep.Problems)
			_, _, err = Restore(t.Context(), RestoreOptions{From: out, App: there.dir, Data: filepath.Join(there.data, "e"), Part: RestoreData})
			require.ErrorContains(t, err, "there is a log already")
			n = there.node(data).run()
			n.untilReady()
			assert.Equal(t, []string{"first", "second"}, n.triggers())
			n.send("third")
			n.stop()
		})
	}
}

// TestServersRefuse: what keeps a node from servers is told at once, with the key of
// rhost.yaml, the file and what to do.
func TestServersRefuse(t *testing.T) {
	ca, other := serverstest.NewCA(t), serverstest.NewCA(t)
	cert, key := ca.Issue("node", nil)
	foreign, foreignKey := other.Issue("foreign", nil)
	old, oldKey := ca.Issue("old", serverstest.Expired)
	expired, expiredKey := ca.Issue("server-old", serverstest.Expired)
	seed, public := serverstest.UserKey(t)
	stranger, publicS := serverstest.UserKey(t)
	issuer, others := serverstest.NewIssuer(t), serverstest.NewIssuer(t)
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("nothing of use\n"), 0o600))
	tlsOf := func(ca, cert, key string) string {
		return fmt.Sprintf(", tls: {ca: '%s', cert: '%s', key: '%s'}", ca, cert, key)
	}
	file := func(key, name string) string { return fmt.Sprintf(", %s: '%s'", key, name) }
	good := tlsOf(ca.File, cert, key)

	secure := serverstest.Start(t, serverstest.Config{TLS: ca, NKey: public})
	jwts := serverstest.Start(t, serverstest.Config{Issuer: issuer})
	tokens := serverstest.Start(t, serverstest.Config{Token: "the token of the servers"})
	stale := serverstest.Start(t, serverstest.Config{TLS: ca, Cert: expired, Key: expiredKey})
	plain := serverstest.Start(t, serverstest.Config{})
	for _, tt := range []struct {
		name, url, more string
		want            []string
	}{
		{"another key", secure[0], good + file("nkey_file", stranger), []string{"cluster.nkey_file", stranger, "do not know this key", publicS}},
		{"no key", secure[0], good, []string{"cluster.servers", "name credentials, nkey_file or token_file"}},
		{"no seed in it", secure[0], good + file("nkey_file", empty), []string{"cluster.nkey_file", empty, "no seed"}},
		{"no such file", secure[0], good + file("nkey_file", "/gone.nk"), []string{"cluster.nkey_file", "/gone.nk", "put the file in its place"}},
		{"another CA", secure[0], tlsOf(other.File, cert, key) + file("nkey_file", seed), []string{"cluster.tls.ca", other.File, "name the CA that signed the certificates of the servers"}},
		{"no CA", secure[0], file("nkey_file", seed), []string{"cluster.tls.ca", "the system's CAs have not"}},
		{"no certificate", secure[0], ", tls: {ca: '" + ca.File + "'}" + file("nkey_file", seed), []string{"cluster.tls.cert", "want to see a certificate"}},
		{"another's certificate", secure[0], tlsOf(ca.File, foreign, foreignKey) + file("nkey_file", seed), []string{"cluster.tls.cert", foreign, "do not take this certificate"}},
		{"expired certificate", secure[0], tlsOf(ca.File, old, oldKey) + file("nkey_file", seed), []string{"cluster.tls.cert", old, "expired at", "renewed"}},
		{"another's key", secure[0], tlsOf(ca.File, cert, oldKey) + file("nkey_file", seed), []string{"cluster.tls.key", oldKey, "not the key of"}},
		{"nothing of a certificate", secure[0], tlsOf(empty, cert, key), []string{"cluster.tls.ca", empty, "no certificate in it"}},
		{"expired server", stale[0], good, []string{"cluster.servers", "renewed"}},
		{"another issuer", jwts[0], file("credentials", others.CredentialsFile(0)), []string{"cluster.credentials", "user.creds", "an account that they know"}},
		{"expired credentials", jwts[0], file("credentials", issuer.CredentialsFile(-time.Hour)), []string{"cluster.credentials", "user.creds", "expired at"}},
		{"no credentials in it", jwts[0], file("credentials", empty), []string{"cluster.credentials", empty, "nsc generate creds"}},
		{"another token", tokens[0], file("token_file", empty), []string{"cluster.token_file", empty, "another token"}},
		{"TLS to one without", strings.Replace(plain[0], "nats:", "tls:", 1), good, []string{"cluster.servers", "write nats://"}},
		{"nobody", "nats://" + serverstest.FreeAddr(t), "", []string{"cluster.servers", "start them, or correct the addresses"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			app := onServers(t, []string{tt.url}, tt.more)
			began := time.Now()
			_, err := NewNode(t.Context(), Options{App: app.dir, Data: app.data, Listen: "off"})
			assert.Less(t, time.Since(began), 8*time.Second)
			for _, want := range append(tt.want, "rhost.yaml:1:") {
				require.ErrorContains(t, err, want)
			}
			assert.NotErrorIs(t, err, eventlog.ErrClosed)
		})
	}
}

// TestCredentialsRenewed: a node whose credentials end while it runs says that it is
// not ready, and goes on when the file holds new ones.
func TestCredentialsRenewed(t *testing.T) {
	t.Parallel()
	issuer := serverstest.NewIssuer(t)
	urls := serverstest.Start(t, serverstest.Config{Issuer: issuer})
	file := filepath.Join(t.TempDir(), "user.creds")
	require.NoError(t, os.WriteFile(file, issuer.Credentials(2*time.Second), 0o600))
	e, err := eventlog.StartEngine(t.Context(), eventlog.EngineConfig{Servers: &eventlog.Servers{URLs: urls, Creds: file}})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	log, err := e.Open(t.Context(), 0, eventlog.Config{AckTimeout: time.Second})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	writable := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		return log.Probe(ctx) == nil
	}
	require.NoError(t, log.Probe(t.Context()))
	require.Eventually(t, func() bool { return !writable() }, patience, 50*time.Millisecond)
	require.NoError(t, os.WriteFile(file, issuer.Credentials(time.Hour), 0o600))
	require.Eventually(t, writable, patience, 50*time.Millisecond)
}

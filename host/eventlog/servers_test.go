package eventlog_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// natsServer starts a server that listens on loopback, as an operator would.
func natsServer(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
	}
	if change != nil {
		change(opts)
	}
	srv, err := server.NewServer(opts)
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	require.True(t, srv.ReadyForConnections(10*time.Second))
	return srv
}

func engineOn(t *testing.T, urls ...string) *eventlog.Engine {
	t.Helper()
	e, _ := startEngine(t, eventlog.EngineConfig{Servers: &eventlog.Servers{URLs: urls}})
	return e
}

// TestPromisesOnServers runs the promises of a log on one kept by a server
// elsewhere.
func TestPromisesOnServers(t *testing.T) {
	t.Parallel()
	eventlogtest.Suite(t, func(t *testing.T) eventlogtest.Place {
		e := engineOn(t, natsServer(t, nil).ClientURL())
		require.NoError(t, e.Ready(t.Context()))
		return func(c eventlog.Config) (*eventlog.Log, error) { return e.Open(t.Context(), 5, c) }
	})
}

// TestOvertaken: while one process writes as quickly as it can, another claims
// the group. From then on the first is refused on both streams, and nothing that
// either was told is lost.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	url := natsServer(t, nil).ClientURL()
	old, err := engineOn(t, url).Open(t.Context(), 3, eventlog.Config{Owner: "old"})
	require.NoError(t, err)
	defer func() { require.NoError(t, old.Close()) }()
	require.NoError(t, old.Claim(t.Context(), "old", 1))
	var g errgroup.Group
	g.Go(func() error { return old.Committer().Run(context.Background()) })
	var acked, runs atomic.Int64
	g.Go(func() error {
		for i := 0; ; i++ {
			_, err := old.Committer().Commit(context.Background(), []eventlog.Record{record("acme", 0, fmt.Sprint("old ", i))})
			if err != nil {
				return nil //nolint:nilerr // the others say why
			}
			acked.Add(1)
		}
	})
	g.Go(func() error {
		for {
			if _, err := old.RunLog().Append(context.Background(), []eventlog.RunRecord{{Kind: 1}}); err != nil {
				if errors.Is(err, eventlog.ErrFenced) {
					return nil
				}
				return err
			}
			runs.Add(1)
		}
	})
	require.Eventually(t, func() bool { return acked.Load() > 20 && runs.Load() > 20 }, 10*time.Second, time.Millisecond)

	began := time.Now()
	l, err := engineOn(t, url).Open(t.Context(), 3, eventlog.Config{Owner: "new"})
	require.NoError(t, err)
	require.NoError(t, l.Claim(t.Context(), "new", 2))
	t.Logf("open and claim: %v", time.Since(began))
	require.ErrorIs(t, g.Wait(), eventlog.ErrFenced, "Run")
	for range 2 {
		_, err = old.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
		require.ErrorIs(t, err, eventlog.ErrFenced)
	}
	require.ErrorIs(t, old.Probe(t.Context()), eventlog.ErrFenced)
	require.ErrorIs(t, old.Snapshots().Append(t.Context(), []byte("x")), eventlog.ErrFenced)
	require.ErrorIs(t, old.Release(t.Context(), frame(10), 10), eventlog.ErrFenced)

	running(t, l)
	commit(t, l, record("acme", 0, "new"))
	n := int64(0)
	for _, r := range all(t, l) {
		if strings.HasPrefix(string(r.Body), "old ") {
			assert.Equal(t, fmt.Sprint("old ", n), string(r.Body))
			n++
			assert.Equal(t, uint64(n), r.LaneSeq)
		}
	}
	assert.GreaterOrEqual(t, n, acked.Load())
	assert.GreaterOrEqual(t, l.RunLog().Tail(), uint64(runs.Load())+2)
}

// TestProbeFindsTheNextOwner: who has been replaced and has written nothing since is
// told by a probe, and writes nothing from then on.
func TestProbeFindsTheNextOwner(t *testing.T) {
	e := engineOn(t, natsServer(t, nil).ClientURL())
	old, err := e.Open(t.Context(), 0, eventlog.Config{})
	require.NoError(t, err)
	require.NoError(t, old.Claim(t.Context(), "old", 1))
	require.NoError(t, old.Probe(t.Context()))
	next, err := e.Open(t.Context(), 0, eventlog.Config{})
	require.NoError(t, err)
	require.NoError(t, next.Claim(t.Context(), "new", 2))
	err = old.Probe(t.Context())
	require.ErrorIs(t, err, eventlog.ErrFenced)
	require.ErrorContains(t, err, "new has claimed it with epoch 2")
	require.NoError(t, next.Probe(t.Context()))
	require.NoError(t, old.Close())
	require.NoError(t, next.Close())
}

// TestServerRestarts: while the server is away nothing is stored, and says so in
// time; what was acknowledged is there when it is back, and the log goes on.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := freePort(t)
	start := func() *server.Server {
		return natsServer(t, func(o *server.Options) { o.Port, o.StoreDir = port, dir })
	}
	srv := start()
	l, err := engineOn(t, srv.ClientURL()).Open(t.Context(), 0, eventlog.Config{AckTimeout: time.Second})
	require.NoError(t, err)
	running(t, l)
	commit(t, l, record("acme", 0, "before"))
	srv.Shutdown()
	srv.WaitForShutdown()
	began := time.Now()
	_, err = l.Committer().Commit(t.Context(), []eventlog.Record{record("acme", 0, "away")})
	require.Error(t, err)
	assert.True(t, errors.Is(err, eventlog.ErrUnavailable) || errors.Is(err, eventlog.ErrUncertain), "%v", err)
	assert.Less(t, time.Since(began), 5*time.Second)
	require.Error(t, l.Probe(t.Context()))
	start()
	require.Eventually(t, func() bool {
		_, err := l.Committer().Commit(t.Context(), []eventlog.Record{record("acme", 0, "after")})
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	recs := all(t, l)
	assert.Equal(t, "before", string(recs[0].Body))
	assert.Equal(t, "after", string(recs[len(recs)-1].Body))
	require.NoError(t, l.Probe(t.Context()))
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, ln.Close()) }()
	addr, ok := ln.Addr().(*net.TCPAddr)
	require.True(t, ok)
	return addr.Port
}

// certificates writes a CA and a certificate for 127.0.0.1 that it has signed.
func certificates(t *testing.T) eventlog.TLSFiles {
	t.Helper()
	dir := t.TempDir()
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		return key
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return file
	}
	caKey, key := newKey(), newKey()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	require.NoError(t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return eventlog.TLSFiles{
		CA: write("ca.pem", "CERTIFICATE", caDER), Cert: write("cert.pem", "CERTIFICATE", der), Key: write("key.pem", "PRIVATE KEY", keyDER),
	}
}

// TestServersWithTLSAndKeys: a server that wants a certificate and a key gets
// both, and turns away who has not.
func TestServersWithTLSAndKeys(t *testing.T) {
	files := certificates(t)
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	seed, err := user.Seed()
	require.NoError(t, err)
	public, err := user.PublicKey()
	require.NoError(t, err)
	seedFile := filepath.Join(t.TempDir(), "user.nk")
	require.NoError(t, os.WriteFile(seedFile, seed, 0o600))
	srv := natsServer(t, func(o *server.Options) {
		o.TLSConfig, err = server.GenTLSConfig(&server.TLSConfigOpts{CertFile: files.Cert, KeyFile: files.Key, CaFile: files.CA, Verify: true})
		require.NoError(t, err)
		o.TLSVerify = true
		o.Nkeys = []*server.NkeyUser{{Nkey: public}}
	})
	url := strings.Replace(srv.ClientURL(), "nats://", "tls://", 1)
	for _, tt := range []struct {
		name string
		with eventlog.Servers
		want string
	}{
		{"both", eventlog.Servers{NKey: seedFile, TLS: files}, ""},
		{"no key", eventlog.Servers{TLS: files}, "Authorization Violation"},
		{"no certificate", eventlog.Servers{NKey: seedFile, TLS: eventlog.TLSFiles{CA: files.CA}}, "connect to storage engine: "},
		{"another CA", eventlog.Servers{NKey: seedFile, TLS: certificates(t)}, "certificate signed by unknown authority"},
		{"no seed", eventlog.Servers{NKey: "nowhere.nk", TLS: files}, "nowhere.nk: no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.with.URLs = []string{url}
			e, err := eventlog.StartEngine(t.Context(), eventlog.EngineConfig{Servers: &tt.with})
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close()) }()
			l, err := e.Open(t.Context(), 0, eventlog.Config{})
			require.NoError(t, err)
			require.NoError(t, l.Claim(t.Context(), "me", 1))
			require.NoError(t, l.Close())
		})
	}
}

func TestEngineConfig(t *testing.T) {
	ok := eventlog.Cluster{
		Name: "c", Node: "a", Listen: "127.0.0.1:7000", Peers: []string{"127.0.0.1:7000", "127.0.0.1:7001", "127.0.0.1:7002"},
		Secret: strings.Repeat("x", 16),
	}
	for _, tt := range []struct {
		name string
		c    eventlog.EngineConfig
		want []string // none: it is fine
	}{
		{"alone", eventlog.EngineConfig{Dir: "x"}, nil},
		{"cluster", eventlog.EngineConfig{Dir: "x", Cluster: &ok, Replicas: 3}, nil},
		{"servers", eventlog.EngineConfig{Servers: &eventlog.Servers{URLs: []string{"nats://a:1", "tls://b"}}, Replicas: 5}, nil},
		{"nothing", eventlog.EngineConfig{}, []string{"dir: must name a folder"}},
		{"both", eventlog.EngineConfig{Dir: "x", Servers: &eventlog.Servers{URLs: []string{"nats://a:1"}}}, []string{"leave out dir and cluster"}},
		{"even", eventlog.EngineConfig{Dir: "x", Replicas: 2}, []string{"replicas: 2 is not 1, 3 or 5", "need as many servers"}},
		{"bare cluster", eventlog.EngineConfig{Dir: "x", Cluster: &eventlog.Cluster{Peers: []string{"a:0"}, TLS: eventlog.TLSFiles{CA: "ca"}}}, []string{
			"cluster: name and node must not be empty", `cluster.listen: "" is not host:port`, `cluster.peers[0]: "a:0" has no port from 1 to 65535`,
			"cluster.peers: name all servers", "cluster.secret_file: the secret has 0 bytes", "cluster.tls: ca, cert and key belong together",
		}},
		{"bad servers", eventlog.EngineConfig{Servers: &eventlog.Servers{
			URLs: []string{"x", "http://a"}, Creds: "a", NKey: "b", TLS: eventlog.TLSFiles{Key: "k"},
		}}, []string{
			"servers.urls[0]: it is not a URL", `servers.urls[1]: its scheme is "http"`, "creds, nkey and token exclude each other", "cert and key belong together",
		}},
		{"no servers", eventlog.EngineConfig{Servers: &eventlog.Servers{}}, []string{"servers.urls: name at least one"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.c.Validate()
			if len(tt.want) == 0 {
				require.NoError(t, err)
			}
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
	_, err := eventlog.StartEngine(t.Context(), eventlog.EngineConfig{Servers: &eventlog.Servers{URLs: []string{"nats://joe:secret@127.0.0.1:1"}}})
	require.ErrorContains(t, err, "start engine on nats://joe:xxxxx@127.0.0.1:1")
	assert.NotContains(t, err.Error(), "secret")
}

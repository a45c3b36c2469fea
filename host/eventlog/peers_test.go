package eventlog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

// peersOf are two nodes on the servers of one engine.
func peersOf(t *testing.T) (a, b *eventlog.Peers) {
	t.Helper()
	e, err := eventlog.StartEngine(t.Context(), eventlog.EngineConfig{Dir: filepath.Join(t.TempDir(), "log")})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	a, err = e.Peers("a")
	require.NoError(t, err)
	b, err = e.Peers("b")
	require.NoError(t, err)
	t.Cleanup(func() { a.Close(); b.Close() }) //nolint:errcheck // a test may have done so
	return a, b
}

// connected is a connection from a to b, both ends.
func connected(t *testing.T, a, b *eventlog.Peers) (from, to net.Conn) {
	t.Helper()
	var g errgroup.Group
	g.Go(func() (err error) { to, err = b.Accept(); return err })
	from, err := a.Dial(t.Context(), "b")
	require.NoError(t, err)
	require.NoError(t, g.Wait())
	t.Cleanup(func() { from.Close(); to.Close() }) //nolint:errcheck // they may have ended
	return from, to
}

// TestPeersCarry: far more than the window goes both ways at once and arrives as it
// was, and a close is the end of what the other side reads.
func TestPeersCarry(t *testing.T) {
	a, b := peersOf(t)
	from, to := connected(t, a, b)
	assert.Equal(t, "b", from.RemoteAddr().String())
	body := bytes.Repeat([]byte("0123456789abcdef"), 500_000) // 8 MB
	want := sha256.Sum256(body)
	var g errgroup.Group
	g.Go(func() error { _, err := from.Write(body); return err })
	g.Go(func() error { _, err := to.Write(body); return err })
	for _, c := range []net.Conn{from, to} {
		g.Go(func() error {
			h := sha256.New()
			_, err := io.CopyN(h, c, int64(len(body)))
			assert.Equal(t, want[:], h.Sum(nil))
			return err
		})
	}
	require.NoError(t, g.Wait())

	_, err := from.Write([]byte("last words"))
	require.NoError(t, err)
	require.NoError(t, from.Close())
	rest, err := io.ReadAll(to)
	require.NoError(t, err)
	assert.Equal(t, "last words", string(rest))
}

// TestPeersPushBack: one who does not read holds up the other after a window, and a
// deadline ends the wait.
func TestPeersPushBack(t *testing.T) {
	a, b := peersOf(t)
	from, to := connected(t, a, b)
	require.NoError(t, from.SetWriteDeadline(time.Now().Add(500*time.Millisecond)))
	n, err := from.Write(make([]byte, 64<<20))
	require.ErrorContains(t, err, "timeout")
	assert.Less(t, n, 3<<20, "bytes taken before anybody has read")
	require.NoError(t, to.SetReadDeadline(time.Now().Add(-time.Second)))
	_, err = to.Read(make([]byte, 1))
	require.ErrorContains(t, err, "timeout")
}

// TestPeersGone: nobody of that name, and one who goes away.
func TestPeersGone(t *testing.T) {
	a, b := peersOf(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := a.Dial(ctx, "nobody")
	require.ErrorContains(t, err, "dial node nobody")
	require.NoError(t, ctx.Err(), "it is known at once")

	_, to := connected(t, a, b)
	_, err = to.Write([]byte("x"))
	require.NoError(t, err)
	require.ErrorIs(t, closeTwice(b), net.ErrClosed)
	_, err = b.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

func closeTwice(p *eventlog.Peers) error {
	if err := p.Close(); err != nil {
		return err
	}
	return p.Close()
}

package eventlog

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A message that the servers dropped ends the connection on both sides, also when
// none comes after it: who waits for an answer to it would wait for good.
func TestPeersLostLast(t *testing.T) {
	t.Parallel()
	e, err := StartEngine(t.Context(), EngineConfig{Dir: filepath.Join(t.TempDir(), "log")})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	a, err := e.Peers("a")
	require.NoError(t, err)
	b, err := e.Peers("b")
	require.NoError(t, err)
	t.Cleanup(func() { a.Close(); b.Close() }) //nolint:errcheck // nothing is left to lose
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := b.Accept()
		assert.NoError(t, err)
		accepted <- c
	}()
	from, err := a.Dial(t.Context(), "b")
	require.NoError(t, err)
	to := <-accepted
	_, err = from.Write([]byte("x"))
	require.NoError(t, err)
	_, err = to.Read(make([]byte, 1))
	require.NoError(t, err)

	lost := from.(peerUser).conn
	lost.order.Lock()
	lost.sent++ // and never published
	lost.order.Unlock()
	for _, c := range []net.Conn{to, from} {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(2*peerBeat+peerLost)))
		_, err = c.Read(make([]byte, 1))
		require.ErrorContains(t, err, "EOF")
	}
}

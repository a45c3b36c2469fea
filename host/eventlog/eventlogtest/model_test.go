package eventlogtest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// TestPromises runs the promises of a log on one in the model, with nothing
// going wrong.
func TestPromises(t *testing.T) {
	eventlogtest.Suite(t, func(t *testing.T) eventlogtest.Place {
		node := eventlogtest.New(eventlogtest.Config{}).Node()
		return func(c eventlog.Config) (*eventlog.Log, error) {
			return eventlog.OpenStore(t.Context(), node.Store(0), c)
		}
	})
}

func stepped(t *testing.T, l *eventlog.Log, recs ...eventlog.Record) error {
	t.Helper()
	p, err := l.Committer().Submit(recs)
	require.NoError(t, err)
	_, err = l.Committer().Step(t.Context())
	require.NoError(t, err)
	_, done, err := p.Poll()
	require.True(t, done)
	return err
}

func event(body string) eventlog.Record {
	return eventlog.Record{Kind: eventlog.Event, Tenant: "acme", Body: []byte(body)}
}

// TestDamage: what the servers give back damaged, or not at all, is named.
func TestDamage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(*eventlogtest.Model)
		want   string
	}{
		{"a bit of the last frame", func(m *eventlogtest.Model) { m.Flip(0, eventlog.EventStream, 5, 540) }, "stream EV, frame 5: its checksum is"},
		{"a bit in the middle", func(m *eventlogtest.Model) { m.Flip(0, eventlog.EventStream, 3, 540) }, "stream EV, frame 3: its checksum is"},
		{"a frame in the middle", func(m *eventlogtest.Model) { m.Lose(0, eventlog.EventStream, 3) }, "stream EV, frame 3: 1 of 5 frames are missing"},
		{"the first run frame", func(m *eventlogtest.Model) { m.Lose(0, eventlog.RunStream, 1) }, "stream RUN, frame 1: 1 of 5 frames are missing"},
		{"the last run frame", func(m *eventlogtest.Model) { m.Flip(0, eventlog.RunStream, 5, 5) }, "stream RUN, frame 5: it starts with"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := eventlogtest.New(eventlogtest.Config{})
			l, err := eventlog.OpenStore(t.Context(), m.Node().Store(0), eventlog.Config{})
			require.NoError(t, err)
			for range 5 {
				require.NoError(t, stepped(t, l, event("x")))
				_, err := l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
				require.NoError(t, err)
			}
			require.NoError(t, l.Close())
			tt.damage(m)
			l, err = eventlog.OpenStore(t.Context(), m.Node().Store(0), eventlog.Config{})
			if err == nil {
				err = l.Read(t.Context(), eventlog.Position{}, func(*eventlog.Frame) error { return nil })
			}
			var damage *eventlog.CorruptError
			require.ErrorAs(t, err, &damage)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestDamagedBlobAndSnapshot(t *testing.T) {
	m := eventlogtest.New(eventlogtest.Config{})
	l, err := eventlog.OpenStore(t.Context(), m.Node().Store(0), eventlog.Config{})
	require.NoError(t, err)
	b := []byte("a blob")
	digest := eventlog.BlobDigest(b)
	require.NoError(t, l.PutBlob(t.Context(), digest, b))
	m.FlipBlob(0, digest, 3)
	_, err = l.GetBlob(t.Context(), digest)
	require.ErrorContains(t, err, "stream BLOB: the stored bytes have another digest")
	require.NoError(t, l.PutBlob(t.Context(), digest, b))
	_, err = l.GetBlob(t.Context(), digest)
	require.NoError(t, err)

	for _, body := range []string{"old", "new"} {
		require.NoError(t, l.Snapshots().Append(t.Context(), []byte(body)))
	}
	m.FlipNote(0, 2, 540)
	list, err := l.Snapshots().Newest(t.Context(), 3)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.ErrorContains(t, list[0].Err, "stream SNAP, frame 2: its checksum is")
	assert.Equal(t, "old", string(list[1].Body), "the one before is good")
	require.NoError(t, l.Snapshots().Append(t.Context(), []byte("newer")))
}

// TestFullDisk: below the reserve commits are refused; a disk that is full all the
// same keeps the servers from answering until they are started anew.
func TestFullDisk(t *testing.T) {
	m := eventlogtest.New(eventlogtest.Config{Capacity: 10_000})
	l, err := eventlog.OpenStore(t.Context(), m.Node().Store(0), eventlog.Config{MinFree: 2000})
	require.NoError(t, err)
	require.NoError(t, stepped(t, l, event("x")))
	require.NoError(t, l.Probe(t.Context()))
	m.Set(func(c *eventlogtest.Config) { c.Capacity = 2100 })
	require.ErrorIs(t, stepped(t, l, event("x")), eventlog.ErrDiskFull)
	require.ErrorIs(t, l.Probe(t.Context()), eventlog.ErrDiskFull)
	m.Set(func(c *eventlogtest.Config) { c.Capacity = 3000 })
	require.ErrorIs(t, stepped(t, l, event(string(make([]byte, 3000)))), eventlog.ErrUncertain)
	m.Set(func(c *eventlogtest.Config) { c.Capacity = 10_000 })
	require.ErrorIs(t, stepped(t, l, event("x")), eventlog.ErrUncertain)
	require.ErrorIs(t, l.Probe(t.Context()), eventlog.ErrUncertain)
	m.Crash()
	require.NoError(t, stepped(t, l, event("x")))
	require.NoError(t, l.Probe(t.Context()))
	assert.Equal(t, eventlog.Position{Frame: 2}, l.Tail())
}

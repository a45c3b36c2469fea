package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// outboxModel remembers what was put into an outbox and checks what comes out.
type outboxModel struct {
	t   *rapid.T
	out outbox

	added    []string                  // records, in order
	wanted   map[string]int            // commands, messages and emits: how many records come before
	complete map[eventlog.Position]int // how many records stand before the end of a position's outputs
	pos      eventlog.Position         // reached
	taken    []string                  // records that came out
	progress eventlog.Position         // claimed
}

func (m *outboxModel) fill(n int) {
	for range n {
		name := fmt.Sprint("r", len(m.added))
		size := rapid.OneOf(rapid.IntRange(0, 2000), rapid.IntRange(200_000, maxInline)).Draw(m.t, "size")
		m.out.add(eventlog.RunRecord{Kind: runFlow, Key: name, Body: make([]byte, size)})
		m.added = append(m.added, name)
		attached := fmt.Sprint("after ", name)
		switch rapid.IntRange(0, 3).Draw(m.t, "attached") {
		case 0:
			m.out.command(workflow.Command{Key: attached})
		case 1:
			m.out.publish(notify.Message{Topic: attached})
		case 2:
			m.out.emit(emitted{depth: len(m.added)})
			attached = fmt.Sprint("emit ", len(m.added))
		case 3:
			continue
		}
		m.wanted[attached] = len(m.added)
	}
}

func (m *outboxModel) reach() {
	m.fill(rapid.IntRange(0, 4).Draw(m.t, "outputs"))
	m.pos = m.pos.Next()
	m.out.reached(m.pos)
	m.complete[m.pos] = len(m.added)
}

func (m *outboxModel) take(progress bool) bool {
	b := m.out.next(progress)
	if b == nil {
		return false
	}
	size := 0
	for i, r := range b.recs {
		size += len(r.Key) + len(r.Body) + recordOverhead
		if r.Kind != runProgress {
			m.taken = append(m.taken, r.Key)
			continue
		}
		assert.Equal(m.t, len(b.recs)-1, i, "progress is the last record")
		pos, err := decodeProgress(r.Body)
		require.NoError(m.t, err)
		assert.Positive(m.t, pos.Compare(m.progress), "progress goes forward")
		m.progress = pos
	}
	assert.LessOrEqual(m.t, size, eventlog.DefaultMaxFrame-1000, "bytes of a batch")
	assert.GreaterOrEqual(m.t, len(m.taken), m.complete[m.progress], "progress claims %s, but not all of its records are out", m.progress)
	for _, name := range attachedTo(b) {
		before, ok := m.wanted[name]
		require.True(m.t, ok, "%s comes out twice or was never put in", name)
		delete(m.wanted, name)
		assert.LessOrEqual(m.t, before, len(m.taken), "%s comes out before its record", name)
	}
	return true
}

func attachedTo(b *batch) []string {
	var names []string
	for _, c := range b.commands {
		names = append(names, c.Key)
	}
	for _, m := range b.messages {
		names = append(names, m.Topic)
	}
	for _, e := range b.emits {
		names = append(names, fmt.Sprint("emit ", e.depth))
	}
	return names
}

// TestOutbox puts records of any size in and takes batches out, in any order of
// doing so: everything comes out once, in order, no batch is larger than a frame,
// and what waits for a record does not come before it.
func TestOutbox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &outboxModel{t: t, wanted: make(map[string]int), complete: make(map[eventlog.Position]int)}
		t.Repeat(map[string]func(*rapid.T){
			"record of EV": func(*rapid.T) { m.reach() },
			"result":       func(t *rapid.T) { m.fill(rapid.IntRange(1, 3).Draw(t, "outputs")) },
			"commit":       func(*rapid.T) { m.take(false) },
			"progress":     func(*rapid.T) { m.take(true) },
			"":             func(t *rapid.T) { assert.GreaterOrEqual(t, m.out.size(), 0) },
		})
		for m.take(true) { // to the end
		}
		assert.Equal(t, m.added, m.taken)
		assert.Empty(t, m.wanted, "left behind")
		assert.Equal(t, m.pos, m.progress)
		assert.True(t, m.out.empty())
		assert.False(t, m.out.stale())
		assert.Zero(t, m.out.size())
	})
}

func TestOutboxTellsOnceSaved(t *testing.T) {
	var out outbox
	saved := make(chan struct{})
	out.tell(saved)
	assert.Nil(t, (&outbox{}).next(true), "there is nothing to commit")
	b := out.next(false)
	require.NotNil(t, b, "somebody waits")
	assert.Empty(t, b.recs)
	assert.True(t, slices.Contains(b.saved, chan<- struct{}(saved)))
	l := newLane(laneParts{now: time.Now})
	require.NoError(t, l.onAck(ack{batch: b}))
	select {
	case <-saved:
	default:
		assert.Fail(t, "not told")
	}
}

// A lane sleeps while a commit is under way or records are still to come,
// whatever is due: waking up could not change anything.
func TestLaneSleepsWhileItCannotGoOn(t *testing.T) {
	l := newLane(laneParts{now: func() time.Time { return testDay }})
	l.flows = workflow.NewEngine(workflow.Options{})
	l.committed = testDay.Add(-2 * progressEvery)
	l.outbox.reached(eventlog.Position{Frame: 1})
	assert.Zero(t, l.untilNext(), "progress is due")
	l.flying = &batch{}
	assert.Positive(t, l.untilNext(), "a commit is under way")
}

// FuzzDecode feeds the records' own encodings with anything.
func FuzzDecode(f *testing.F) {
	f.Add(progressRecord(eventlog.Position{Frame: 7, Index: 1<<32 - 1}).Body)
	f.Add(forwardedRecord(1 << 63).Body)
	f.Add([]byte(`{"match":{"rule":"r"},"event":{"specversion":"1.0","id":"1","source":"/s","type":"t"},"bind":{"e":[]}}`))
	f.Add([]byte(`{"blob":"sha256:00","depth":3}`))
	f.Add([]byte(`{"match":null,"event":null,"bind":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if pos, err := decodeProgress(b); err == nil {
			again, err := decodeProgress(progressRecord(pos).Body)
			require.NoError(t, err)
			assert.Equal(t, pos, again)
		}
		if seq, err := decodeForwarded(b); err == nil {
			again, err := decodeForwarded(forwardedRecord(seq).Body)
			require.NoError(t, err)
			assert.Equal(t, seq, again)
		}
		payloadDepth(b)
		v, err := decodePayload(t.Context(), b, noBlobs{})
		if err != nil {
			return
		}
		encoded, err := v.encode(t.Context(), noBlobs{}, maxPayload)
		if err != nil {
			return // an event that is no event
		}
		again, err := decodePayload(t.Context(), encoded, noBlobs{})
		require.NoError(t, err)
		assert.Equal(t, v.depth, again.depth)
		assert.Equal(t, v.match.ID, again.match.ID)
		assert.Len(t, again.bind, len(v.bind))
	})
}

// noBlobs has no blobs.
type noBlobs struct{}

func (noBlobs) PutBlob(context.Context, string, []byte) error { return errors.New("no room") }

func (noBlobs) GetBlob(context.Context, string) ([]byte, error) { return nil, eventlog.ErrNotFound }

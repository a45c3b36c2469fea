package connecttest

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
)

// Input is something a source reads, made for one test.
type Input struct {
	// New makes a source on this input, as a restarted host would.
	New func() connect.Source
	// Add makes n more events readable. Nil: they come with time.
	Add func(n int)
	// Number gives the place of an event in the order they were added, from 0.
	Number func(*event.Event) int
	// Bad adds one record that cannot be read. Nil: there is no such thing.
	Bad func()
	// Finish ends the input. Nil: it has no end.
	Finish func()
	// Resumes says that the source goes on from a cursor.
	Resumes bool
}

// Harness tells the suite how to test one kind of source.
type Harness struct {
	Open func(t *testing.T) Input
	// Bubble runs each test on synctest's clock, for sources that go by time.
	Bubble bool
}

// Run holds a source to its promises.
func Run(t *testing.T, h Harness) {
	for _, p := range []struct {
		name string
		test func(*testing.T, Input)
	}{
		{"events arrive in order, valid and apart", testOrder},
		{"a restart loses nothing", testRestart},
		{"what is read again has the same ids", testRepeat},
		{"a waiting sink holds the source back", testBackPressure},
		{"a failing sink ends the run with its error", testFailingSink},
		{"what cannot be read is told and stops nothing", testBad},
		{"a finite source ends", testFinite},
	} {
		t.Run(p.name, func(t *testing.T) {
			if h.Bubble {
				synctest.Test(t, func(t *testing.T) { p.test(t, h.Open(t)) })
				return
			}
			ignore := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, ignore) }) // after those of Open
			p.test(t, h.Open(t))
		})
	}
}

func (in *Input) add(n int) {
	if in.Add != nil {
		in.Add(n)
	}
}

// inOrder checks that events are in.Number's from 0, without a gap.
func (in *Input) inOrder(t *testing.T, events []event.Event) {
	t.Helper()
	for i := range events {
		require.Equal(t, i, in.Number(&events[i]), "event %d", i)
	}
}

func testOrder(t *testing.T, in Input) {
	sink := NewSink()
	in.add(20)
	run := Start(t, in.New(), nil, sink)
	sink.Wait(t, 20)
	in.add(10)
	events := sink.Wait(t, 30)
	require.NoError(t, run.Stop())
	in.inOrder(t, events)
	ids := make(map[string]bool)
	for i := range events {
		assert.NoError(t, events[i].Validate())
		assert.False(t, ids[events[i].Source+" "+events[i].ID], "id %s twice", events[i].ID)
		ids[events[i].Source+" "+events[i].ID] = true
	}
	assert.False(t, sink.doubled.Load(), "Submit was called while it ran")
}

func testRestart(t *testing.T, in Input) {
	if !in.Resumes {
		t.Skip("this source has no place to go on from")
	}
	var events []event.Event
	var cursor []byte
	for round := range 4 {
		sink := NewSink()
		in.add(5)
		run := Start(t, in.New(), cursor, sink)
		sink.Wait(t, 5)
		require.NoError(t, run.Stop(), "round %d", round)
		events = append(events, sink.Events()...)
		if c := sink.Cursor(); c != nil {
			cursor = c
		}
		in.inOrder(t, events)
	}
}

func testRepeat(t *testing.T, in Input) {
	if !in.Resumes {
		t.Skip("this source has no place to go on from")
	}
	if in.Add == nil {
		t.Skip("what is past does not come again")
	}
	sink := NewSink()
	in.add(3)
	run := Start(t, in.New(), nil, sink)
	sink.Wait(t, 3)
	in.add(3)
	want := sink.Wait(t, 6)
	require.NoError(t, run.Stop())
	cursors := [][]byte{nil}
	for _, b := range sink.Batches() {
		cursors = append(cursors, b.Cursor)
	}
	for _, cursor := range cursors[:len(cursors)-1] {
		again := NewSink()
		run := Start(t, in.New(), cursor, again)
		again.Until(t, func() bool {
			got := again.Events()
			return len(got) > 0 && in.Number(&got[len(got)-1]) == 5
		})
		require.NoError(t, run.Stop())
		got := again.Events()
		for i := range got {
			first := want[in.Number(&got[i])]
			assert.True(t, first.Equal(&got[i]), "want %+v, got %+v", first, got[i])
		}
	}
}

func testBackPressure(t *testing.T, in Input) {
	sink := NewSink()
	sink.Hold()
	in.add(10)
	src := in.New()
	run := Start(t, src, nil, sink)
	sink.Blocked(t)
	in.add(10)
	assert.Empty(t, sink.Events())
	sink.Release()
	in.inOrder(t, sink.Wait(t, 20))

	sink.Hold()
	in.add(1)
	sink.Blocked(t)
	assert.NoError(t, run.Stop(), "stopped while the sink waits")
	assert.False(t, sink.doubled.Load(), "Submit was called while it ran")
}

func testFailingSink(t *testing.T, in Input) {
	sink := NewSink()
	full := errors.New("disk on fire")
	sink.Fail(full)
	in.add(1)
	assert.ErrorIs(t, Start(t, in.New(), nil, sink).End(), full)
}

func testBad(t *testing.T, in Input) {
	if in.Bad == nil {
		t.Skip("everything this source reads is an event")
	}
	sink := NewSink()
	in.add(2)
	in.Bad()
	in.add(2)
	run := Start(t, in.New(), nil, sink)
	in.inOrder(t, sink.Wait(t, 4))
	require.NoError(t, run.Stop())
	bad := sink.Bad()
	require.Len(t, bad, 1)
	assert.NotEmpty(t, bad[0].Position)
	assert.NotEmpty(t, bad[0].Reason)
	assert.NotEmpty(t, bad[0].Raw)
	assert.LessOrEqual(t, len(bad[0].Raw), connect.MaxRaw)
}

func testFinite(t *testing.T, in Input) {
	assert.Equal(t, in.Finish != nil, in.New().Finite())
	if in.Finish == nil {
		t.Skip("this source has no end")
	}
	sink := NewSink()
	in.add(5)
	run := Start(t, in.New(), nil, sink)
	sink.Wait(t, 5)
	in.Finish()
	require.NoError(t, run.End())
	in.inOrder(t, sink.Events())
}

package stdin_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/connect/connecttest"
	"github.com/rhost/rhost/host/connect/stdin"
)

func TestPromises(t *testing.T) {
	connecttest.Run(t, connecttest.Harness{Open: func(t *testing.T) connecttest.Input {
		r, w := io.Pipe()
		t.Cleanup(func() { _ = w.Close() }) // ends the read that cannot be interrupted
		n := 0
		lines := make(chan string, 1000)
		done := make(chan struct{})
		go func() { // a pipe's writer waits for its reader; a test does not
			defer close(done)
			for line := range lines {
				if _, err := io.WriteString(w, line); err != nil {
					return
				}
			}
		}()
		t.Cleanup(func() { _ = r.Close(); <-done })
		finished := false
		finish := func() {
			if !finished {
				finished = true
				close(lines)
				<-done
				_ = w.Close()
			}
		}
		t.Cleanup(func() {
			if !finished {
				close(lines)
			}
		})
		return connecttest.Input{
			New: func() connect.Source { return stdin.New("in", r) },
			Add: func(more int) {
				for range more {
					lines <- fmt.Sprintf(`{"type":"t","data":{"n":%d}}`+"\n", n)
					n++
				}
			},
			Bad:    func() { lines <- "{\"type\":\n" },
			Number: func(e *event.Event) int { return int(e.Get(event.PathOf("data", "n")).Number()) },
			Finish: finish,
		}
	}})
}

func run(t *testing.T, in io.Reader) (*connecttest.Sink, error) {
	t.Helper()
	sink := connecttest.NewSink()
	return sink, connecttest.Start(t, stdin.New("in", in), nil, sink).End()
}

func TestLines(t *testing.T) {
	sink, err := run(t, strings.NewReader("{\"type\":\"a\",\"id\":\"1\",\"source\":\"/own\"}\r\n\n{\"type\":\"b\"}\n\xff\n"+strings.Repeat("x", 2<<20)+"\n{\"type\":\"c\"}\n{\"type\":"))
	require.NoError(t, err)
	events := sink.Events()
	require.Len(t, events, 3)
	assert.Equal(t, event.Event{Type: "a", ID: "1", Source: "/own"}, events[0])
	assert.Equal(t, "/rhost/stdin/in", events[1].Source)
	assert.NotEmpty(t, events[1].ID)
	assert.NotEqual(t, events[1].ID, events[2].ID)
	var told []string
	for _, b := range sink.Bad() {
		told = append(told, b.Position+": "+b.Reason)
		assert.LessOrEqual(t, len(b.Raw), connect.MaxRaw)
	}
	assert.Equal(t, []string{
		"line 4: invalid UTF-8; write the stream as UTF-8",
		"line 5: longer than 1048576 bytes; split the event, or send a reference to its payload",
		"line 7: the JSON ends where a value should follow at offset 8; the event is cut; send it whole",
	}, told)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("torn cable") }

func TestBrokenInput(t *testing.T) {
	_, err := run(t, broken{})
	assert.EqualError(t, err, "read standard input: torn cable")
}

// What was read while nothing could be accepted is accepted later: it cannot be
// read again.
func TestRunGoesOnWhereTheSinkFailed(t *testing.T) {
	src := stdin.New("in", strings.NewReader(strings.Repeat("{\"type\":\"a\"}\n", 5000)+"{\"type\":\n"))
	sink := connecttest.NewSink()
	full := errors.New("the disk is full")
	for range 3 {
		sink.Fail(full)
		require.ErrorIs(t, src.Run(t.Context(), nil, sink), full)
	}
	sink.Fail(nil)
	require.NoError(t, src.Run(t.Context(), nil, sink))
	assert.Len(t, sink.Events(), 5000)
	assert.Len(t, sink.Bad(), 1)
	require.NoError(t, src.Run(t.Context(), nil, sink), "an input that has ended stays so")
}

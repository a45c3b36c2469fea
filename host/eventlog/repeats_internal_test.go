package eventlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestRepeats: what goes on is told less and less often, with how often it was not;
// after a minute of quiet it is news; a text about another server is told at once.
func TestRepeats(t *testing.T) {
	gone := func(port, attempt int) string {
		return fmt.Sprintf("Error trying to connect to route (attempt %d): dial tcp 10.0.0.1:%d: connect: connection refused", attempt, port)
	}
	var r repeats
	began := time.Unix(1000, 0)
	var told []int
	sum := 0
	for second := range 3600 {
		held, ok := r.pass(gone(7401, second), began.Add(time.Duration(second)*time.Second))
		if ok {
			told, sum = append(told, second), sum+held+1
		}
	}
	assert.Equal(t, []int{0, 60, 180, 420, 900, 1860}, told)
	assert.Equal(t, 1861, sum)

	_, ok := r.pass(gone(7402, 1), began)
	assert.True(t, ok, "another server")
	later := began.Add(2 * time.Hour)
	held, ok := r.pass(gone(7401, 1), later)
	assert.True(t, ok, "it was quiet")
	assert.Zero(t, held)

	_, ok = r.pass(`10.0.0.2:39160 - rid:9 - processRemoteSub Parse Error: 'R $A'`, later)
	assert.True(t, ok)
	_, ok = r.pass(`10.0.0.2:39174 - rid:12 - processRemoteSub Parse Error: 'R $B'`, later)
	assert.False(t, ok, "they differ in what is quoted")
	for i := range 10 * maxRepeats {
		r.pass(strings.Repeat("x", i), later)
	}
	assert.LessOrEqual(t, len(r.seen), maxRepeats)
}

// TestEngineLogRepeats: an operator reads once that a server is gone; who asks for
// debug reads all of it.
func TestEngineLogRepeats(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelWarn: 1, slog.LevelDebug: 5} {
		var out bytes.Buffer
		l := engineLog{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level})), peers: true}
		for i := range 5 {
			l.Errorf("Error trying to connect to route (attempt %d): dial tcp 10.0.0.1:7400: connect: connection refused", i)
		}
		assert.Equal(t, want, strings.Count(out.String(), "10.0.0.1:7400"), level)
	}
}

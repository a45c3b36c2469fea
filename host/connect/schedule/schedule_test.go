package schedule_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/connect/connecttest"
	"github.com/rhost/rhost/host/connect/schedule"
)

func source(t *testing.T, c schedule.Config) *schedule.Source {
	t.Helper()
	require.NoError(t, c.Validate())
	src, err := schedule.New("nightly", &c)
	require.NoError(t, err)
	return src
}

func due(t *testing.T, ev *event.Event) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, ev.Get(event.PathOf("data", "due")).Str())
	require.NoError(t, err)
	return at
}

func TestPromises(t *testing.T) {
	connecttest.Run(t, connecttest.Harness{Bubble: true, Open: func(t *testing.T) connecttest.Input {
		start := time.Now() // the bubble's, on the second
		return connecttest.Input{
			New:     func() connect.Source { return source(t, schedule.Config{Every: 200 * time.Millisecond}) },
			Number:  func(e *event.Event) int { return int(due(t, e).Sub(start)/(200*time.Millisecond)) - 1 },
			Resumes: true,
		}
	}})
}

func TestCron(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a Saturday, midnight UTC
		src := source(t, schedule.Config{Cron: "30 2 * * mon-fri", Timezone: "Europe/Berlin", Type: "night", Data: map[string]any{"job": "x"}})
		sink := connecttest.NewSink()
		run := connecttest.Start(t, src, nil, sink)
		time.Sleep(5 * 24 * time.Hour)
		require.NoError(t, run.Stop())
		var at []string
		for _, ev := range sink.Events() {
			assert.Equal(t, "night", ev.Type)
			assert.NoError(t, ev.Validate())
			assert.Equal(t, due(t, &ev), ev.Time)
			assert.Equal(t, "x", ev.Get(event.PathOf("data", "job")).Str())
			at = append(at, ev.Time.Format(time.RFC3339))
		}
		assert.Equal(t, []string{"2000-01-03T01:30:00Z", "2000-01-04T01:30:00Z", "2000-01-05T01:30:00Z"}, at)
	})
}

// Of the ticks that nobody was there for, the last is told, once.
func TestMissedTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := schedule.Config{Every: time.Hour}
		sink := connecttest.NewSink()
		run := connecttest.Start(t, source(t, c), nil, sink)
		time.Sleep(2*time.Hour + time.Minute)
		require.NoError(t, run.Stop())
		require.Len(t, sink.Events(), 2)
		time.Sleep(10 * time.Hour)
		down := connecttest.NewSink()
		run = connecttest.Start(t, source(t, c), sink.Cursor(), down)
		down.Wait(t, 1)
		time.Sleep(time.Hour)
		events := down.Events()
		require.NoError(t, run.Stop())
		require.Len(t, events, 2)
		assert.Equal(t, time.Hour, due(t, &events[1]).Sub(due(t, &events[0])))
		assert.Less(t, time.Since(due(t, &events[1])), time.Hour)
	})
}

// Ten years of missed ticks, ten a second, take no longer than one.
func TestManyMissedTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cursor, err := time.Now().AddDate(-10, 0, 0).MarshalText()
		require.NoError(t, err)
		sink := connecttest.NewSink()
		run := connecttest.Start(t, source(t, schedule.Config{Every: 100 * time.Millisecond}), cursor, sink)
		sink.Wait(t, 1)
		events := sink.Events()
		require.NoError(t, run.Stop())
		assert.Less(t, time.Since(due(t, &events[0])), 100*time.Millisecond)
	})
}

func TestCursorOfAnotherKind(t *testing.T) {
	err := connecttest.Start(t, source(t, schedule.Config{Every: time.Second}), []byte(`{"inode":1}`), connecttest.NewSink()).End()
	assert.ErrorContains(t, err, "cursor of schedule nightly")
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		c    schedule.Config
		want string
	}{
		{schedule.Config{}, "set exactly one of cron and every"},
		{schedule.Config{Cron: "0 3 * * *", Every: time.Second}, "set exactly one of cron and every"},
		{schedule.Config{Cron: "0 25 * * *"}, `cron: "0 25 * * *"`},
		{schedule.Config{Every: time.Millisecond}, "every: 1ms is below 100ms"},
		{schedule.Config{Every: -time.Second}, "every: -1s is below 100ms"},
		{schedule.Config{Every: time.Second, Timezone: "Mars"}, "timezone: unknown time zone Mars; write a name such as Europe/Berlin"},
		{schedule.Config{Every: time.Second, Type: "rhost.x"}, "which is reserved for the host"},
		{schedule.Config{Every: time.Second, Data: map[string]any{"due": 1}}, "data: due is what the schedule itself says"},
	} {
		assert.ErrorContains(t, tt.c.Validate(), tt.want)
	}
	err := (&schedule.Config{Timezone: "Mars", Type: "rhost.x"}).Validate()
	assert.Equal(t, 3, strings.Count(err.Error(), "\n")+1)
}

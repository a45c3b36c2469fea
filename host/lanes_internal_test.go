package host

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
)

const spreadRules = `
rule: pair
when: {pattern: a then b, define: {a: 'type == "a"', b: 'type == "b"'}, by: data.ip}
---
rule: same-user
when: {pattern: a then b, define: {a: 'type == "a"', b: 'type == "b"'}, by: data.user}
---
rule: single
when: type == "b"
`

// The number of lanes may change with every start, in the middle of patterns: the
// matches stay what one lane finds, rules by another path among them.
func TestLanesComeAndGo(t *testing.T) {
	app := newApp(t, map[string]string{"rules/r.yaml": spreadRules})
	const keys = 16
	var as, bs []event.Event
	for i := range keys {
		data := fmt.Sprintf(`{"ip":"10.0.0.%d","user":%d}`, i, i/2)
		as, bs = append(as, ev("a", i, data)), append(bs, ev("b", keys+i, data))
	}
	setting := func(lanes int) func(*Options) {
		return func(o *Options) {
			if lanes > 1 {
				o.Set = append(o.Set, fmt.Sprintf("lanes=%d", lanes), "partition_by=data.ip")
			}
		}
	}
	l := app.start(setting(3))
	l.send(as...)
	l.settle()
	l.stop()

	l = app.start(setting(1))
	l.send(bs[:keys/2]...)
	l.settle()
	assert.Equal(t, 1, l.lane.matcher.Len())
	l.stop()

	// Without the first decisions the log cannot be replayed as a whole; the matcher
	// is built anew beside what the snapshot has.
	l = app.open(setting(1))
	require.NotNil(t, l.lane.snaps.latest)
	require.NoError(t, l.log.Release(t.Context(), eventlog.Position{}, l.lane.snaps.latest.Run))
	require.False(t, l.lane.whole())
	require.NoError(t, l.Close())

	l = app.start(setting(8))
	assert.Equal(t, 8, l.lane.matcher.Len())
	l.send(bs[keys/2:]...)
	l.settle()
	found := make(map[string]int)
	for _, m := range decodeAll[struct{ Rule string }](t, l.matches()) {
		found[m.Rule]++
	}
	assert.Equal(t, map[string]int{"pair": keys, "same-user": keys / 2, "single": keys}, found)
}

func TestLanesNeedAPath(t *testing.T) {
	for set, want := range map[string]string{
		"lanes=4":              "partition_by",
		"lanes=-1":             "between 1 and 256",
		"lanes=257":            "between 1 and 256",
		"partition_by=data.ip": "lanes: 4",
	} {
		_, err := ReadConfig(t.TempDir(), []string{set})
		assert.ErrorContains(t, err, want, set)
	}
	_, err := ReadConfig(t.TempDir(), []string{"lanes=4", "partition_by=data..ip"})
	assert.ErrorContains(t, err, "partition_by")
	_, err = ReadConfig(t.TempDir(), []string{"lanes=4", "partition_by=data.ip"})
	require.NoError(t, err)
}

package host

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/notify"
)

var topicApp = map[string]string{
	"rhost.yaml":   "topics:\n  orders: {durable: true, history: 5}\n  'user:*': {durable: true}\n",
	"rules/r.yaml": "rule: say\nwhen: type == \"t\"\ndo:\n  - {notify: orders, with: {n: \"${event.data.n}\"}}\n  - {notify: other, with: 1}\n  - {notify: \"user:${event.data.n}\", with: 2}\n",
}

func (l *liveHost) tell(from, to int) {
	l.t.Helper()
	for n := from; n <= to; n++ {
		l.send(ev("t", n, fmt.Sprintf(`{"n":%d}`, n)))
	}
	l.settle()
}

// listenTo reads n pieces of a topic's stream of Server-Sent Events.
func listenTo(t *testing.T, l *liveHost, topic, after string, n int) (got []string) {
	t.Helper()
	srv := httptest.NewServer(api.New(l.api(), api.Options{Local: true}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/v1/topics/"+topic+"/events", nil)
	require.NoError(t, err)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // it was only read
	require.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	in := bufio.NewReader(res.Body)
	for len(got) < n+1 {
		var piece strings.Builder
		for {
			line, err := in.ReadString('\n')
			require.NoError(t, err)
			if line == "\n" {
				break
			}
			piece.WriteString(line)
		}
		got = append(got, piece.String())
	}
	assert.Equal(t, "retry: 2000\n", got[0])
	return got[1:]
}

// Messages of a topic that is kept have the same ids after a kill, whether or not
// there is a snapshot, and who comes back gets what it missed, or is told.
func TestTopicsLast(t *testing.T) {
	app := newApp(t, topicApp)
	l := app.open()
	l.runCore()
	l.tell(1, 3)
	first := listenTo(t, l, "orders", "0", 3)
	epoch := l.topics.End("orders").Epoch
	assert.Contains(t, first[0], "id: "+epoch+":1\ndata: {\"topic\":\"orders\"")
	assert.Contains(t, first[2], `"rule":"say"`)
	assert.Contains(t, first[2], `"payload":{"n":3},"id":"`+epoch+`:3"`)
	assert.Contains(t, listenTo(t, l, "user:2", "0", 1)[0], ":1\ndata: ", "by a pattern")

	for i, how := range []string{"killed", "killed with a snapshot", "killed again"} {
		if i == 1 {
			require.NoError(t, l.lane.snapshotNow(t.Context()))
		}
		l.end()
		l.stop()
		l = app.open()
		l.runCore()
		assert.Equal(t, first[1:], listenTo(t, l, "orders", epoch+":1", 2), how)
	}
	l.tell(4, 7)
	got := listenTo(t, l, "orders", epoch+":1", 6)
	assert.Equal(t, "event: gap\nid: "+epoch+":2\ndata: {\"topic\":\"orders\",\"gap\":{\"epoch\":\""+epoch+"\",\"from\":2,\"to\":2}}\n", got[0])
	for i, piece := range got[1:] {
		assert.Contains(t, piece, fmt.Sprintf(`"payload":{"n":%d},"id":"%s:%d"`, i+3, epoch, i+3))
	}
	got = listenTo(t, l, "orders", "elsewhere:90", 6)
	assert.Contains(t, got[0], `"gap":{"epoch":"`+epoch+`","from":0,"to":2}`)

	_, err := l.api().Topic(t.Context(), "other", "")
	assert.ErrorIs(t, err, api.ErrNotFound)
	_, err = l.api().Topic(t.Context(), "orders", "nonsense")
	assert.ErrorIs(t, err, api.ErrInvalid)
}

// A reader gets what comes while it reads, and a slow one too gets everything that
// is kept, for it looks there.
func TestTopicReaderFollows(t *testing.T) {
	app := newApp(t, topicApp)
	l := app.open()
	l.runCore()
	l.tell(1, 1)
	r, err := l.api().Topic(t.Context(), "orders", "")
	require.NoError(t, err)
	defer r.Close()
	l.tell(2, 5)
	for n := 2; n <= 5; n++ {
		e, err := r.Next(t.Context())
		require.NoError(t, err)
		var m notify.Message
		require.NoError(t, json.Unmarshal(e.Data, &m))
		assert.JSONEq(t, fmt.Sprintf(`{"n":%d}`, n), string(m.Payload))
		assert.Equal(t, e.ID, m.Place.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Next(ctx)
	require.ErrorIs(t, err, context.Canceled)

	w := httptest.NewRecorder()
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	api.New(l.api(), api.Options{Local: true}).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/tail?topic=orders&since=0", nil))
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	assert.Len(t, lines, 5)
	assert.Contains(t, lines[0], `"payload":{"n":1}`)
	for _, target := range []string{"/v1/tail?topic=other&since=0", "/v1/topics/other/events"} {
		w = httptest.NewRecorder()
		api.New(l.api(), api.Options{Local: true}).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil))
		assert.Equal(t, http.StatusNotFound, w.Code)
		assert.Contains(t, w.Body.String(), "with durable: true")
	}
}

func TestTopicConfig(t *testing.T) {
	app := newApp(t, map[string]string{"rhost.yaml": `topics:
  "rhost:events": {durable: true}
  "[": {durable: true}
  fleeting: {history: 3}
  large: {durable: true, history: 1000000, bytes: 1GiB}
`})
	_, err := ReadConfig(app.dir, nil)
	for _, want := range []string{
		"topics.rhost:events: topics of the host itself are not kept", "topics.[: it is no pattern", "topics.fleeting: nothing is kept of it; add durable: true",
		"topics.large: history: 1000000 is outside 1 to 100000", "topics.large: bytes: 1073741824 is more than 16777216",
	} {
		assert.ErrorContains(t, err, want)
	}
	keep := keepTopics(map[string]TopicConfig{"a*": {Durable: true, History: 1}, "abc": {History: 2}, "*": {Durable: true, History: 3}})
	for topic, want := range map[string]int{"ax": 1, "b": 3} {
		k, ok := keep(topic)
		assert.True(t, ok, topic)
		assert.Equal(t, want, k.Count, topic)
	}
	for _, topic := range []string{"abc", "rhost:events"} {
		_, ok := keep(topic)
		assert.False(t, ok, topic)
	}
}

package host

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
)

func TestMain(m *testing.M) {
	// A server that was one of a cluster leaves these behind when it has shut down.
	const server = "github.com/nats-io/nats-server/v2/server"
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction(server+"/ats.Register.func1"),
		goleak.IgnoreTopFunction(server+".(*fileStore).flushStreamStateLoop"))
}

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// testApp is an app folder of a test, with a data folder beside it.
type testApp struct {
	t         *testing.T
	dir, data string
}

// newApp writes an app folder. The data folder's path is short, for the socket
// in it has room for about 100 bytes.
func newApp(t *testing.T, files map[string]string) *testApp {
	t.Helper()
	a := &testApp{t: t, dir: t.TempDir(), data: shortDir(t)}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		a.write(name, files[name])
	}
	return a
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rhost") //nolint:usetesting // sockets go there: TempDir has the name of the test in it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func (a *testApp) write(name, text string) {
	a.t.Helper()
	full := filepath.Join(a.dir, name)
	require.NoError(a.t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(a.t, os.WriteFile(full, []byte(text), 0o600))
}

// liveHost is a host at work.
type liveHost struct {
	*Host
	t     *testing.T
	end   context.CancelFunc
	ended chan error
	once  sync.Once

	mu      sync.Mutex
	notices []Notice // guarded by mu
}

// open makes the host and starts nothing. On a busy machine a call may take its
// time: what is held to a deadline has tests of its own.
func (a *testApp) open(change ...func(*Options)) *liveHost {
	a.t.Helper()
	l := &liveHost{t: a.t, ended: make(chan error, 1), end: func() {}}
	o := Options{App: a.dir, Data: a.data, Listen: "off", Version: "test", Report: func(n Notice) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.notices = append(l.notices, n)
	}}
	scripts, err := filepath.Glob(filepath.Join(a.dir, "plugins", "*.lua"))
	require.NoError(a.t, err)
	for _, name := range scripts {
		o.Set = append(o.Set, "plugins."+strings.TrimSuffix(filepath.Base(name), ".lua")+".limits.deadline=1m")
	}
	for _, c := range change {
		c(&o)
	}
	h, err := New(a.t.Context(), o)
	require.NoError(a.t, err)
	l.Host = h
	return l
}

// start runs the host as `rhost run` does and waits until it is ready.
func (a *testApp) start(change ...func(*Options)) *liveHost {
	a.t.Helper()
	l := a.open(change...)
	l.run()
	return l
}

func (l *liveHost) run() {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l.end = cancel
	ready := make(chan struct{})
	go func() { l.ended <- l.Run(ctx, func(Summary) { close(ready) }) }()
	l.t.Cleanup(l.stop)
	select {
	case <-ready:
	case err := <-l.ended:
		l.ended <- err
		require.NoError(l.t, err, "the host ended before it was ready")
	case <-time.After(patience):
		l.t.Fatal("the host is not ready in time")
	}
}

// runCore runs the parts that decide and act, without edges. end stops them as
// a crash would: nothing is drained.
func (l *liveHost) runCore() {
	ctx, cancel := context.WithCancel(context.Background())
	l.end = cancel
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.log.Committer().Run(ctx) })
	g.Go(func() error { return l.lane.Run(ctx) })
	g.Go(func() error { return l.calls.Run(ctx) })
	g.Go(func() error { return l.steps.Run(ctx) })
	go func() { l.ended <- g.Wait() }()
	l.t.Cleanup(l.stop)
	require.NoError(l.t, l.renew(l.t.Context()))
	require.NoError(l.t, l.startRules(l.t.Context()))
}

// stop ends the host and releases it.
func (l *liveHost) stop() {
	l.once.Do(func() {
		l.t.Helper()
		l.end()
		select {
		case err := <-l.ended:
			require.NoError(l.t, err)
		case <-time.After(patience):
			l.t.Fatal("the host does not stop")
		}
		require.NoError(l.t, l.Close())
	})
}

// api is the host as the API sees it.
func (l *liveHost) api() backend { return backend{l.Host} }

func (l *liveHost) send(events ...event.Event) {
	l.t.Helper()
	require.NoError(l.t, l.api().Submit(l.t.Context(), events))
}

// settle waits until what was accepted is done.
func (l *liveHost) settle() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	require.NoError(l.t, l.lane.untilQuiet(ctx), "the lane does not come to rest")
}

// noticed waits for a notice of that kind whose text or error holds text.
func (l *liveHost) noticed(kind, text string) Notice {
	l.t.Helper()
	var found Notice
	require.Eventually(l.t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, n := range l.notices {
			if n.Kind == kind && strings.Contains(fmt.Sprint(n.Text, " ", n.Err), text) {
				found = n
				return true
			}
		}
		return false
	}, patience, 2*time.Millisecond, "no notice %s: %s", kind, text)
	return found
}

func (l *liveHost) matches() []json.RawMessage {
	l.t.Helper()
	p, err := l.api().Matches(l.t.Context(), api.Query{})
	require.NoError(l.t, err)
	return p.Items
}

func (l *liveHost) actions(q api.Query) []Action {
	l.t.Helper()
	p, err := l.api().Actions(l.t.Context(), q)
	require.NoError(l.t, err)
	return decodeAll[Action](l.t, p.Items)
}

func (l *liveHost) letters() []DeadLetter {
	l.t.Helper()
	list, err := l.api().DeadLetters(l.t.Context())
	require.NoError(l.t, err)
	return decodeAll[DeadLetter](l.t, list)
}

func decodeAll[T any](t *testing.T, list []json.RawMessage) []T {
	t.Helper()
	out := make([]T, len(list))
	for i, raw := range list {
		require.NoError(t, json.Unmarshal(raw, &out[i]))
	}
	return out
}

// ids are those of recorded matches, sorted, repeated ones included.
func (l *liveHost) ids() []string {
	l.t.Helper()
	var ids []string
	for _, m := range decodeAll[struct{ ID string }](l.t, l.matches()) {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids
}

// eventIDs counts the events of the log by id.
func (l *liveHost) eventIDs() map[string]int {
	l.t.Helper()
	seen := make(map[string]int)
	require.NoError(l.t, l.log.Read(l.t.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
		for i := range f.Records {
			if f.Records[i].Kind != eventlog.Event {
				continue
			}
			ev, _, err := event.DecodeBinary(f.Records[i].Body)
			if err != nil {
				return err
			}
			seen[ev.ID]++
		}
		return nil
	}))
	return seen
}

// values is the state, by key.
func (l *liveHost) values() map[string]string {
	l.state.mu.RLock()
	defer l.state.mu.RUnlock()
	out := make(map[string]string)
	keys := slices.Collect(maps.Keys(l.state.values.base))
	for key := range l.state.values.over {
		keys = append(keys, key)
	}
	for _, key := range keys {
		v, _ := l.state.values.get(key)
		out[key] = fmt.Sprintf("%s at %d", v.json, v.version)
	}
	return out
}

var testDay = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// ev makes an event n seconds into the test's day.
func ev(typ string, n int, data string) event.Event {
	return event.Event{
		ID: fmt.Sprintf("%s-%d", typ, n), Source: "/test", Type: typ,
		Time: testDay.Add(time.Duration(n) * time.Second), Data: []byte(data),
	}
}

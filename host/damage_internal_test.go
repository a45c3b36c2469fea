package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/sumline"
)

// fullApp does something of every kind that writes: state, events, large payloads
// and results, which go into blobs, and file steps.
func fullApp() map[string]string {
	files := map[string]string{
		"rhost.yaml": "folders: {box: box}\n",
		"box/in":     "what is copied",
		"rules/more.yaml": `
rule: large
when: {pattern: 'a{40} then b', define: {a: type == "t", b: type == "t"}, skip: past-last}
do: [{run: large}]
---
rule: copy
when: type == "t" && data.k == 2
do: [{file: {copy: {from: box/in, to: "box/out-${event.id}"}}}]
`,
		"plugins/large.lua": `function invoke(call) return {text = string.rep("x", 200 * 1024)} end`,
	}
	for name, text := range busyApp {
		if _, ok := files[name]; !ok {
			files[name] = text
		}
	}
	return files
}

// The damage that a round does to one file.
type damage struct {
	name string
	do   func(r *rand.Rand, b []byte) []byte // nil removes the file
}

func damages() []damage {
	at := func(r *rand.Rand, b []byte) int { return r.IntN(max(len(b), 1)) }
	return []damage{
		{"a bit flipped", func(r *rand.Rand, b []byte) []byte {
			if len(b) > 0 {
				b[at(r, b)] ^= 1 << r.IntN(8)
			}
			return b
		}},
		{"a bit flipped near the end", func(r *rand.Rand, b []byte) []byte {
			if len(b) > 0 {
				b[len(b)-1-r.IntN(min(len(b), 200))] ^= 1 << r.IntN(8)
			}
			return b
		}},
		{"cut off somewhere", func(r *rand.Rand, b []byte) []byte { return b[:at(r, b)] }},
		{"cut off near the end", func(r *rand.Rand, b []byte) []byte { return b[:len(b)-r.IntN(min(len(b), 300)+1)] }},
		{"emptied", func(*rand.Rand, []byte) []byte { return []byte{} }},
		{"removed", nil},
		{"a hole of zeros", func(r *rand.Rand, b []byte) []byte {
			from := at(r, b)
			clear(b[from:min(len(b), from+512)])
			return b
		}},
		{"random bytes at the end", func(r *rand.Rand, b []byte) []byte {
			for range 1 + r.IntN(600) {
				b = append(b, byte(r.Uint32()))
			}
			return b
		}},
	}
}

// wholeHost is a data folder with something of everything, and what must be there.
type wholeHost struct {
	app     *testApp
	folders map[string]string // as a kill left it, as a stop did
	events  int
	matches []string
	state   map[string]string
	actions int
}

func newWholeHost(t *testing.T) *wholeHost {
	t.Helper()
	w := &wholeHost{app: newApp(t, fullApp()), events: 45, folders: make(map[string]string)}
	l := w.app.open()
	l.runCore()
	pad := strings.Repeat("x", 10_000)
	for i := range w.events {
		l.send(ev("t", i, fmt.Sprintf(`{"k":%d,"pad":%q}`, i%3, pad)))
		if i == 20 {
			l.settle()
			require.NoError(t, l.lane.snapshotNow(t.Context()))
		}
	}
	l.settle()
	require.NoError(t, l.lane.snapshotNow(t.Context()))
	l.send(ev("t", w.events, `{"k":1}`))
	w.events++
	l.settle()
	w.matches, w.state = l.ids(), l.values()
	w.actions = len(l.actions(api.Query{}))
	require.Empty(t, l.letters())
	w.folders["killed"] = copyData(t, w.app.data)
	l.end()
	l.stop()
	w.folders["stopped"] = copyData(t, w.app.data)
	return w
}

func copyData(t *testing.T, from string) string {
	t.Helper()
	to := shortDir(t)
	require.NoError(t, filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		switch {
		case err != nil:
			return err
		case d.Name() == "cache" && d.IsDir():
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, rel), b, 0o600)
		}
		return err
	}))
	return to
}

// damageable lists the files that a round may damage.
func damageable(t *testing.T, data string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(data, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" || d.Name() == probeName {
			return err
		}
		rel, err := filepath.Rel(data, name)
		names = append(names, rel)
		return err
	}))
	slices.Sort(names)
	return names
}

// chooseFile chooses a kind of file first: there are many entries of the journal, and
// one block of each stream.
func chooseFile(r *rand.Rand, names []string) string {
	kinds := make(map[string][]string)
	for _, name := range names {
		kind := filepath.Ext(name)
		if i := strings.Index(filepath.ToSlash(name), "/streams/"); kind == ".blk" {
			kind, _, _ = strings.Cut(name[i+len("/streams/"):], string(filepath.Separator))
		}
		kinds[kind] = append(kinds[kind], name)
	}
	list := kinds[slices.Sorted(maps.Keys(kinds))[r.IntN(len(kinds))]]
	return list[r.IntN(len(list))]
}

// blocks is what the block files of a log hold.
func blocks(t *testing.T, data string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, name := range damageable(t, data) {
		if strings.HasSuffix(name, ".blk") {
			b, err := os.ReadFile(filepath.Join(data, name))
			require.NoError(t, err)
			all[name] = string(b)
		}
	}
	return all
}

// TestAnyDamage damages one file of a data folder at random, and starts a host on
// it. Either all that was acknowledged is there, or the trouble is reported with the
// name of what is damaged; and a start that is refused has let the log as it is.
func TestAnyDamage(t *testing.T) {
	rounds := 6
	if os.Getenv("RHOST_SOAK") != "" {
		rounds = 1500
	}
	if n, err := strconv.Atoi(os.Getenv("RHOST_ROUNDS")); err == nil {
		rounds = n
	}
	w := newWholeHost(t)
	if seed, err := strconv.ParseUint(os.Getenv("RHOST_SEED"), 10, 64); err == nil {
		w.round(t, seed)
		return
	}
	count := make(map[string]int)
	for range rounds {
		count[w.round(t, rand.Uint64())]++
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds: %v", rounds, count)
}

// round does one damage, and says what came of it.
func (w *wholeHost) round(t *testing.T, seed uint64) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	kind := []string{"killed", "stopped"}[r.IntN(2)]
	data := copyData(t, w.folders[kind])
	defer os.RemoveAll(data) //nolint:errcheck // it is for the space alone
	name := chooseFile(r, damageable(t, data))
	d := damages()[r.IntN(len(damages()))]
	what := fmt.Sprintf("seed %d, %s, %s of %s", seed, kind, d.name, name)
	full := filepath.Join(data, name)
	b, err := os.ReadFile(full)
	require.NoError(t, err)
	if d.do == nil {
		require.NoError(t, os.Remove(full))
	} else {
		was := bytes.Clone(b)
		if b = d.do(r, b); bytes.Equal(was, b) || onlyUnsealed(name, was, b) {
			return "no damage"
		}
		require.NoError(t, os.WriteFile(full, b, 0o600))
	}
	before := blocks(t, data)
	diagnosis, err := Doctor(t.Context(), DoctorOptions{Options: Options{App: w.app.dir, Data: data}})
	require.NoError(t, err, what)
	require.True(t, maps.Equal(before, blocks(t, data)), "%s: the doctor writes nothing", what)
	if !strings.HasPrefix(name, "log") && d.do != nil {
		assert.Equal(t, Damage, diagnosis.Worst(), "%s: the doctor finds it", what)
	}

	trouble, started := w.start(t, data)
	if trouble == nil {
		return "all is there"
	}
	assert.True(t, names0(trouble, name), "%s: the damage is named: %v", what, trouble)
	assert.NotEqual(t, Well, diagnosis.Worst(), "%s: the doctor finds it: %v", what, trouble)
	if started {
		return "reported"
	}
	for file, after := range blocks(t, data) {
		// Plugins are stored before what happened is read.
		assert.True(t, after == before[file] || strings.Contains(file, "BLOB") && strings.HasPrefix(after, before[file]),
			"%s has changed: %s: %v", file, what, trouble)
	}
	return "refused"
}

// onlyUnsealed reports whether all that a file has lost is its checksum: then it is what
// older releases wrote, and whole.
func onlyUnsealed(name string, was, is []byte) bool {
	if name == "seed" {
		return bytes.Equal(is, was[:min(len(was), seedBytes)])
	}
	text, err := sumline.Check(was)
	return err == nil && len(text) < len(was) && bytes.Equal(bytes.TrimSpace(is), bytes.TrimSpace(text))
}

// names0 reports whether a message names a damaged file: by itself, or the stream
// or the blob that is in it.
func names0(err error, name string) bool {
	text := err.Error()
	if strings.Contains(text, filepath.Base(name)) && filepath.Ext(name) != ".blk" || strings.Contains(text, name) {
		return true
	}
	for _, stream := range []string{"EV", "RUN", "SNAP", "BLOB"} {
		if strings.Contains(filepath.ToSlash(name), "/streams/"+stream+"/") {
			return strings.Contains(text, "stream "+stream) || stream == "BLOB" && strings.Contains(text, "blob ") ||
				stream == "SNAP" && strings.Contains(text, "snapshot")
		}
	}
	return false
}

// logged keeps what a host says, warnings and worse.
type logged struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// start runs a host on a damaged folder and compares what it has with what must be
// there. The error is what it reports; nil when all is there.
func (w *wholeHost) start(t *testing.T, data string) (trouble error, started bool) {
	t.Helper()
	out := &logged{}
	o := Options{
		App: w.app.dir, Data: data, Listen: "off", Version: "test",
		Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Set:    []string{"plugins.count.limits.deadline=1m", "plugins.say.limits.deadline=1m", "plugins.large.limits.deadline=1m"},
	}
	h, err := New(t.Context(), o)
	if err != nil {
		return err, false
	}
	l := &liveHost{Host: h, t: t, ended: make(chan error, 1), end: func() {}}
	ctx, cancel := context.WithCancel(context.Background())
	g, core := errgroup.WithContext(ctx)
	g.Go(func() error { return h.log.Committer().Run(core) })
	g.Go(func() error { return h.lane.Run(core) })
	g.Go(func() error { return h.calls.Run(core) })
	g.Go(func() error { return h.steps.Run(core) })
	wait, done := context.WithTimeout(core, patience)
	err = h.startRules(wait)
	if err == nil {
		err = h.lane.untilQuiet(wait)
	}
	done()
	if err == nil {
		err = w.compare(l)
	}
	cancel()
	err = errors.Join(err, g.Wait(), h.Close())
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out.text.String())
	}
	return err, true
}

// compare reads all that must be there. A difference that nothing reports is an
// error that names nothing.
func (w *wholeHost) compare(l *liveHost) error {
	seen := make(map[string]int)
	err := l.log.Read(l.t.Context(), l.log.First(), func(f *eventlog.Frame) error {
		for i := range f.Records {
			if f.Records[i].Kind == eventlog.Event {
				seen[string(f.Records[i].Body)]++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(seen) != 2*w.events {
		return fmt.Errorf("SILENT: %d events, not %d", len(seen), 2*w.events)
	}
	matches, err := l.api().Matches(l.t.Context(), api.Query{})
	if err != nil {
		return err
	}
	var ids []string
	for _, raw := range matches.Items {
		var m struct{ ID string }
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, w.matches) {
		return fmt.Errorf("SILENT: %d matches, not %d", len(ids), len(w.matches))
	}
	if got := l.values(); fmt.Sprint(got) != fmt.Sprint(w.state) {
		return fmt.Errorf("SILENT: the state is %v, not %v", got, w.state)
	}
	actions, err := l.api().Actions(l.t.Context(), api.Query{Limit: 1000})
	if err != nil {
		return err
	}
	if n := len(actions.Items); n != min(w.actions, 1000) {
		return fmt.Errorf("SILENT: %d actions, not %d", n, w.actions)
	}
	letters, err := l.api().DeadLetters(l.t.Context())
	if err == nil && len(letters) > 0 {
		err = fmt.Errorf("SILENT: %d dead letters: %s", len(letters), letters[0])
	}
	return err
}

package fswatch_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect/connecttest"
	"github.com/rhost/rhost/host/connect/fswatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folder is a watched folder and the source that watches it.
type folder struct {
	t    *testing.T
	base string
	sink *connecttest.Sink
	run  *connecttest.Running
}

func watch(t *testing.T, c fswatch.Config) *folder {
	t.Helper()
	d := &folder{t: t, base: t.TempDir(), sink: connecttest.NewSink()}
	d.mkdir("")
	d.start(c)
	return d
}

func (d *folder) start(c fswatch.Config) {
	d.t.Helper()
	c.Path = "watched"
	require.NoError(d.t, c.Validate())
	src, err := fswatch.New("shares", &c, fswatch.Options{Base: d.base})
	require.NoError(d.t, err)
	assert.False(d.t, src.Finite())
	ready := make(chan struct{})
	src.Ready(func() { close(ready) })
	d.run = connecttest.Start(d.t, src, nil, d.sink)
	d.t.Cleanup(func() { _ = d.run.Stop() })
	<-ready
}

func (d *folder) path(name string) string { return filepath.Join(d.base, "watched", name) }

func (d *folder) mkdir(name string) {
	d.t.Helper()
	require.NoError(d.t, os.MkdirAll(d.path(name), 0o700))
}

func (d *folder) write(name, text string) {
	d.t.Helper()
	require.NoError(d.t, os.WriteFile(d.path(name), []byte(text), 0o600))
}

func (d *folder) rename(from, to string) {
	d.t.Helper()
	require.NoError(d.t, os.Rename(d.path(from), d.path(to)))
}

func (d *folder) remove(name string) {
	d.t.Helper()
	require.NoError(d.t, os.RemoveAll(d.path(name)))
}

// told waits for an event of that type and path, and gives it.
func (d *folder) told(typ, name string) event.Event {
	d.t.Helper()
	var found event.Event
	d.sink.Until(d.t, func() bool {
		for _, ev := range d.sink.Events() {
			if ev.Type == typ && text(&ev, "path") == filepath.ToSlash(filepath.Join("watched", name)) {
				found = ev
				return true
			}
		}
		return false
	})
	return found
}

// all lists what was told as "create a/b".
func (d *folder) all() []string {
	var lines []string
	for _, ev := range d.sink.Events() {
		lines = append(lines, strings.TrimPrefix(ev.Type, "fs.")+" "+strings.TrimPrefix(text(&ev, "path"), "watched/"))
	}
	return lines
}

func text(ev *event.Event, field string) string { return ev.Get(event.PathOf("data", field)).String() }

func TestChanges(t *testing.T) {
	d := watch(t, fswatch.Config{Debounce: 10 * time.Millisecond, Entropy: 1024, Ignore: []string{"*.tmp"}})
	d.write("a.txt", "aaaa")
	ev := d.told("fs.write", "a.txt")
	assert.NoError(t, ev.Validate())
	assert.Equal(t, "/rhost/fswatch/shares", ev.Source)
	assert.JSONEq(t, `{"path":"watched/a.txt","name":"a.txt","dir":"watched","size":4,"entropy":0}`, string(ev.Data))
	d.write("skip.tmp", "x")
	require.NoError(t, os.Chmod(d.path("a.txt"), 0o644))
	d.told("fs.attrib", "a.txt")
	d.rename("a.txt", "b.txt")
	d.told("fs.rename", "a.txt")
	d.told("fs.create", "b.txt")
	d.remove("b.txt")
	ev = d.told("fs.remove", "b.txt")
	assert.JSONEq(t, `{"path":"watched/b.txt","name":"b.txt","dir":"watched"}`, string(ev.Data))
	assert.Equal(t, []string{"create a.txt", "write a.txt", "attrib a.txt", "rename a.txt", "create b.txt", "remove b.txt"}, d.all())
	require.NoError(t, d.run.Stop())
	ids := make(map[string]bool)
	for _, ev := range d.sink.Events() {
		assert.False(t, ids[ev.ID])
		ids[ev.ID] = true
	}
}

func TestFolders(t *testing.T) {
	d := watch(t, fswatch.Config{Debounce: 5 * time.Millisecond})
	d.mkdir("a/b/c") // faster than they can be watched one by one
	d.write("a/b/c/x", "")
	ev := d.told("fs.create", "a/b/c/x")
	assert.Equal(t, "watched/a/b/c", text(&ev, "dir"))
	ev = d.told("fs.create", "a")
	assert.Equal(t, "true", text(&ev, "folder"))

	d.rename("a/b", "moved")
	d.told("fs.rename", "a/b")
	d.told("fs.create", "moved/c/x")
	d.write("moved/c/y", "")
	d.told("fs.create", "moved/c/y")
	d.mkdir("a/b") // another at the old path
	d.write("a/b/z", "")
	d.told("fs.create", "a/b/z")

	d.remove("moved")
	d.told("fs.remove", "moved/c/x")
	d.told("fs.remove", "moved")
	for _, line := range []string{"create a", "create a/b/c/x", "create moved/c/x", "rename a/b", "remove moved", "remove moved/c/x"} {
		assert.Equal(t, 1, count(d.all(), line), line)
	}
	require.NoError(t, d.run.Stop())
}

func count(lines []string, line string) int {
	n := 0
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}

func TestWritesAreMerged(t *testing.T) {
	d := watch(t, fswatch.Config{Debounce: 200 * time.Millisecond})
	f, err := os.Create(d.path("big"))
	require.NoError(t, err)
	for range 500 {
		_, err := f.Write(make([]byte, 1000))
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	ev := d.told("fs.write", "big")
	assert.Equal(t, "500000", text(&ev, "size"))
	assert.Equal(t, 1, count(d.all(), "write big"))
	d.write("gone", "x")
	d.rename("gone", "there") // what waits is told first
	d.told("fs.create", "there")
	assert.Equal(t, []string{"create gone", "write gone", "rename gone", "create there"}, d.all()[2:])
	require.NoError(t, d.run.Stop())
}

func TestReplacedFile(t *testing.T) {
	d := watch(t, fswatch.Config{Debounce: 5 * time.Millisecond})
	d.write("a", "")
	d.write("b", "")
	d.told("fs.create", "b")
	d.rename("b", "a")
	d.sink.Until(t, func() bool { return count(d.all(), "create a") == 2 })
	assert.Equal(t, 1, count(d.all(), "rename b"))
	require.NoError(t, d.run.Stop())
}

func TestEntropy(t *testing.T) {
	assert.Zero(t, fswatch.Entropy(bytes.Repeat([]byte{7}, 100)))
	assert.Equal(t, 1.0, fswatch.Entropy([]byte("abababab")))
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	assert.Equal(t, 8.0, fswatch.Entropy(all))

	d := watch(t, fswatch.Config{Debounce: 5 * time.Millisecond, Entropy: 64 << 10})
	noise := make([]byte, 100_000)
	_, err := rand.Read(noise)
	require.NoError(t, err)
	d.write("noise", string(noise))
	ev := d.told("fs.write", "noise")
	assert.Greater(t, ev.Get(event.PathOf("data", "entropy")).Number(), 7.9)
	d.write("text", strings.Repeat("the quick brown fox jumps over the lazy dog. ", 100))
	ev = d.told("fs.write", "text")
	assert.InDelta(t, 4.4, ev.Get(event.PathOf("data", "entropy")).Number(), 0.3)
	require.NoError(t, d.run.Stop())
}

func TestLinksAreNotFollowed(t *testing.T) {
	d := &folder{t: t, base: t.TempDir(), sink: connecttest.NewSink()}
	d.mkdir("a")
	require.NoError(t, os.Symlink(d.path(""), d.path("a/loop")))
	d.start(fswatch.Config{Debounce: 5 * time.Millisecond, Entropy: 1024})
	require.NoError(t, os.Symlink("/", d.path("root")))
	require.NoError(t, os.Symlink("/dev/zero", d.path("endless")))
	ev := d.told("fs.create", "endless")
	assert.NotContains(t, string(ev.Data), "entropy")
	d.write("a/x", "x")
	d.told("fs.write", "a/x")
	assert.Equal(t, []string{"create root", "create endless", "create a/x", "write a/x"}, d.all())
	require.NoError(t, d.run.Stop())
}

func TestHostileNames(t *testing.T) {
	d := watch(t, fswatch.Config{Debounce: 5 * time.Millisecond})
	d.write("a\xff\"\n{}", "")
	ev := d.told("fs.create", "a\ufffd\"\n{}")
	assert.NoError(t, ev.Validate())
	d.write(strings.Repeat("n", 255), "")
	d.told("fs.create", strings.Repeat("n", 255))
	require.NoError(t, d.run.Stop())
}

func TestBadPaths(t *testing.T) {
	base := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(base, "file"), nil, 0o600))
	run := func(path string) error {
		src, err := fswatch.New("x", &fswatch.Config{Path: path}, fswatch.Options{Base: base})
		require.NoError(t, err)
		return connecttest.Start(t, src, nil, connecttest.NewSink()).End()
	}
	assert.ErrorContains(t, run("none"), "watch x: path: lstat "+filepath.Join(base, "none")+": no such file or directory; make the folder, or correct the path")
	assert.ErrorContains(t, run("file"), "is a file; name its folder, or tail the file with files")
	if os.Getuid() != 0 {
		require.NoError(t, os.Mkdir(filepath.Join(base, "secret"), 0))
		assert.ErrorContains(t, run("secret"), "let the user that runs rhost read the folder")
	}
}

func TestUnreadableFolderInside(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("nothing is unreadable for root")
	}
	d := watch(t, fswatch.Config{})
	require.NoError(t, os.Mkdir(d.path("secret"), 0))
	ev := d.told("fs.error", "secret")
	assert.Contains(t, text(&ev, "error"), "permission denied")
	require.NoError(t, d.run.Stop())
}

func TestFolderThatGoesAway(t *testing.T) {
	d := watch(t, fswatch.Config{})
	d.remove("")
	assert.ErrorContains(t, d.run.End(), "the folder is gone")
}

// While the sink waits, the system's queue overflows; nothing is missed.
func TestOverflow(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip("no inotify here")
	}
	queue, err := strconv.Atoi(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	if queue > 100_000 {
		t.Skip("the system's queue is too long to overflow in a test")
	}
	const n = 500
	d := watch(t, fswatch.Config{})
	d.write("old", "")
	d.write("other", "")
	d.told("fs.create", "other")
	d.sink.Hold()
	d.write("first", "")
	d.sink.Blocked(t)
	for i := range queue + 4096 { // what is queued, and what was read from the queue
		require.NoError(t, os.Chmod(d.path([]string{"old", "other"}[i%2]), os.FileMode(0o600+i/2%2)))
	}
	d.mkdir("many") // from here on nothing is told any more
	for i := range n {
		d.write(fmt.Sprintf("many/f%03d", i), "")
	}
	d.remove("old")
	d.sink.Release()
	d.told("fs.overflow", "")
	d.told("fs.remove", "old")
	for i := range n {
		require.Equal(t, 1, count(d.all(), fmt.Sprintf("create many/f%03d", i)), i)
	}
	assert.Equal(t, 1, count(d.all(), "create first"))
	d.write("many/after", "")
	d.told("fs.create", "many/after")
	require.NoError(t, d.run.Stop())
}

func TestConfig(t *testing.T) {
	var s fswatch.Size
	for in, want := range map[string]fswatch.Size{"0": 0, "100": 100, "512B": 512, "64KiB": 64 << 10, "1MiB": 1 << 20} {
		require.NoError(t, s.UnmarshalText([]byte(in)), in)
		assert.Equal(t, want, s, in)
	}
	for _, in := range []string{"", "KiB", "-1", "1.5MiB", "64kb", "99999999999"} {
		assert.ErrorContains(t, s.UnmarshalText([]byte(in)), "is not a size; write it as 64KiB or 1MiB", in)
	}
	c := fswatch.Config{Entropy: 1 << 30, Debounce: time.Hour, Ignore: []string{"[", "a/b", "*.ok"}}
	assert.EqualError(t, c.Validate(), strings.Join([]string{
		"path: must name a folder",
		"entropy: 1073741824 bytes is not between 0 and 64MiB",
		"debounce: 1h0m0s is not between 0 and 1m0s",
		`ignore: "[" is not a pattern for a name; write something like *.tmp`,
		`ignore: "a/b" is not a pattern for a name; write something like *.tmp`,
	}, "\n"))
}

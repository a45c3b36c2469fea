package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/connect"
)

// smallDisk is a file system of its own, of so many MiB; without one that can be
// mounted here the test is skipped.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	dir := shortDir(t)
	if err := mountSmall(dir, mib); err != nil {
		t.Skipf("no file system of a limited size can be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unmountSmall(dir)) })
	return dir
}

// ballast fills a disk until so many bytes are free, or gives them back.
func ballast(t *testing.T, dir string, free int64) {
	t.Helper()
	var st syscall.Statfs_t
	name := filepath.Join(dir, "ballast")
	require.NoError(t, syscall.Statfs(dir, &st))
	have := int64(st.Bavail) * st.Bsize
	if info, err := os.Stat(name); err == nil {
		have += info.Size()
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(0))
	chunk := make([]byte, 1<<20)
	for left := have - free; left > 0; left -= int64(len(chunk)) {
		_, err := f.Write(chunk[:min(left, int64(len(chunk)))])
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
}

// TestFullDisk fills the disk under load, slowly and to the last byte, and gives it
// back: what was accepted is done, once, and nothing else happens than waiting.
func TestFullDisk(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []int64 // MiB free
		soak  bool
	}{
		{"new events are refused", []int64{60}, true},
		{"the reserve is used up", []int64{60, 31, 20}, true},
		{"no byte is left", []int64{0}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.soak && os.Getenv("RHOST_SOAK") == "" {
				t.Skip("takes several seconds")
			}
			disk := smallDisk(t, 160)
			app := newApp(t, fullApp())
			app.data = filepath.Join(disk, "data")

			l := app.open()
			l.runCore()
			var stop, refused atomic.Bool
			accepted := make(chan int)
			go func() { accepted <- l.feedWhileFull(&stop, &refused) }()
			time.Sleep(300 * time.Millisecond)
			for _, mib := range tt.steps {
				ballast(t, disk, mib<<20)
				time.Sleep(700 * time.Millisecond)
			}
			require.Eventually(t, refused.Load, patience, time.Millisecond, "nothing is refused")
			ballast(t, disk, 1<<40)
			refused.Store(false)
			time.Sleep(500 * time.Millisecond)
			stop.Store(true)
			n := <-accepted
			l.settled(t, n)
		})
	}
}

// feedWhileFull sends events until it is stopped, again those that were refused, and
// returns how many were accepted.
func (l *liveHost) feedWhileFull(stop, refused *atomic.Bool) (n int) {
	sink := intake{l.admit, "feed"}
	for !stop.Load() {
		batch := connect.Batch{Events: []event.Event{ev("t", n, fmt.Sprintf(`{"k":%d,"pad":%q}`, n%3, strings.Repeat("x", 10_000)))}}
		if err := sink.Submit(l.t.Context(), batch); err != nil {
			refused.Store(true)
			time.Sleep(5 * time.Millisecond)
			continue
		}
		n++
		time.Sleep(2 * time.Millisecond)
	}
	return n
}

// settled waits for everything to be done, and checks it.
func (l *liveHost) settled(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := l.lane.untilQuiet(ctx); err != nil {
		p, _ := l.api().Status(t.Context())
		t.Log(n, string(p))
		require.NoError(t, err)
	}
	for _, d := range l.letters() {
		assert.Fail(t, "a dead letter", "%+v", d)
	}
	ids := l.eventIDs()
	for i := range n {
		assert.Equal(t, 1, ids[fmt.Sprintf("t-%d", i)], "event %d", i)
	}
	done := make(map[string]int)
	for _, a := range l.actions(api.Query{}) {
		if a.Status == "ok" {
			done[a.Rule+" "+a.Step]++
		}
	}
	assert.Equal(t, n, done["count count"])
	assert.Equal(t, fmt.Sprintf("%d at %d", n, n), l.values()["n"])
	t.Logf("%d events, %v", n, done)
}

// mountSmall mounts a file system in memory, which takes a privilege.
func mountSmall(dir string, mib int) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=700", mib))
}

func unmountSmall(dir string) error { return syscall.Unmount(dir, 0) }

// TestFullDiskIsNotReady: a host on a disk that has come into the reserve says so, and
// is ready again when there is room.
func TestFullDiskIsNotReady(t *testing.T) {
	disk := smallDisk(t, 160)
	app := newApp(t, busyApp)
	app.data = filepath.Join(disk, "data")
	l := app.start()
	ready := func() error {
		l.probing.mu.Lock()
		l.probing.latest = nil // what was found before holds for a while
		l.probing.mu.Unlock()
		return l.api().Ready(t.Context())
	}
	require.NoError(t, ready())
	ballast(t, disk, 60<<20)
	require.ErrorContains(t, ready(), "the disk is full")
	ballast(t, disk, 1<<40)
	require.NoError(t, ready())
}

// TestFullJournal fills the disk under the journal of file steps alone: what a step
// keeps for itself must not fail it.
func TestFullJournal(t *testing.T) {
	app := newApp(t, map[string]string{
		"rhost.yaml":   "folders: {box: box}\n",
		"box/in":       "what is copied",
		"rules/r.yaml": "rule: copy\nwhen: type == \"t\"\ndo: [{file: {copy: {from: box/in, to: \"box/out-${event.id}\"}}}]\n",
	})
	journal := filepath.Join(app.data, "files")
	require.NoError(t, os.Mkdir(journal, 0o700))
	if err := mountSmall(journal, 1); err != nil {
		t.Skipf("no file system of a limited size can be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unmountSmall(journal)) })
	l := app.open()
	l.runCore()
	l.send(ev("t", 0, `{}`))
	l.settle()
	ballast(t, journal, 0)
	l.send(ev("t", 1, `{}`), ev("t", 2, `{}`))
	time.Sleep(300 * time.Millisecond)
	ballast(t, journal, 1<<20)
	l.settle()
	assert.Empty(t, l.letters(), "a full disk is no fault of a step's")
	for i := range 3 {
		assert.FileExists(t, filepath.Join(app.dir, "box", fmt.Sprintf("out-t-%d", i)))
	}
	l.stop() // before the file system goes
}

// TestReadOnlyDisk: a host does not start on a disk that cannot be written to, says
// so, and changes nothing; one that runs ends when the disk becomes so.
func TestReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t, 160)
	app := newApp(t, busyApp)
	app.data = filepath.Join(disk, "data")
	l := app.open()
	l.runCore()
	l.send(ev("t", 0, `{"k":0}`))
	l.settle()
	values := l.values()
	l.end()
	l.stop()
	remount := func(flags uintptr) error {
		return syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|flags, "")
	}
	require.NoError(t, remount(syscall.MS_RDONLY))
	_, err := New(t.Context(), Options{App: app.dir, Data: app.data, Listen: "off"})
	require.ErrorContains(t, err, "read-only file system")
	require.ErrorContains(t, err, app.data)
	d, err := Doctor(t.Context(), DoctorOptions{Options: Options{App: app.dir, Data: app.data}})
	require.NoError(t, err)
	require.Equal(t, Damage, d.Worst())
	for _, f := range d.Findings {
		assert.Equal(t, f.Name == "permissions", f.Verdict == Damage, "%+v", f)
	}
	require.NoError(t, remount(0))
	l = app.open()
	l.runCore()
	l.settle()
	assert.Equal(t, values, l.values())
	l.end()
	l.stop()
}

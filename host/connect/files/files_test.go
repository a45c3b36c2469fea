package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/connect/connecttest"
	"github.com/rhost/rhost/host/connect/files"
)

// logFile is a file that a test writes to as a logger would.
type logFile struct {
	t    *testing.T
	path string
	n    int
}

func newLog(t *testing.T) *logFile {
	return &logFile{t: t, path: filepath.Join(t.TempDir(), "app.log")}
}

// write appends to the file at the path, which is made when it is not there.
func (l *logFile) write(text string) {
	l.t.Helper()
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(l.t, err)
	_, err = f.WriteString(text)
	require.NoError(l.t, err)
	require.NoError(l.t, f.Close())
}

// add appends n numbered lines.
func (l *logFile) add(n int) {
	l.t.Helper()
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, `{"n":%d,"time":"2026-01-01T00:00:%02dZ"}`+"\n", l.n, l.n%60)
		l.n++
	}
	l.write(b.String())
}

func (l *logFile) rename(to string) {
	l.t.Helper()
	require.NoError(l.t, os.Rename(l.path, l.path+to))
}

// truncate is what logrotate's copytruncate does.
func (l *logFile) truncate(to string) {
	l.t.Helper()
	b, err := os.ReadFile(l.path)
	require.NoError(l.t, err)
	require.NoError(l.t, os.WriteFile(l.path+to, b, 0o600))
	require.NoError(l.t, os.Truncate(l.path, 0))
}

func (l *logFile) source(c files.Config) *files.Source {
	l.t.Helper()
	c.Path = l.path
	if c.Format == "" {
		c.Format, c.Type = files.FormatJSON, "line"
	}
	require.NoError(l.t, c.Validate())
	src, err := files.New("app", &c, files.Options{Now: func() time.Time { return time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC) }})
	require.NoError(l.t, err)
	src.Hurry(20*time.Millisecond, 30*time.Millisecond)
	return src
}

func number(e *event.Event) int { return int(e.Get(event.PathOf("data", "n")).Number()) }

func inOrder(t *testing.T, events []event.Event) {
	t.Helper()
	for i := range events {
		require.Equal(t, i, number(&events[i]), "event %d", i)
	}
}

func TestPromises(t *testing.T) {
	connecttest.Run(t, connecttest.Harness{Open: func(t *testing.T) connecttest.Input {
		l := newLog(t)
		l.write("")
		return connecttest.Input{
			New:    func() connect.Source { return l.source(files.Config{From: "start"}) },
			Add:    l.add,
			Bad:    func() { l.write("{\"n\":\n") },
			Number: number, Resumes: true,
		}
	}})
}

func TestPromisesOnce(t *testing.T) {
	l := newLog(t)
	l.add(5)
	l.write(`{"n":5}`)
	sink := connecttest.NewSink()
	src := l.source(files.Config{From: "start", Once: true})
	assert.True(t, src.Finite())
	require.NoError(t, connecttest.Start(t, src, nil, sink).End())
	inOrder(t, sink.Wait(t, 6))
	require.NoError(t, connecttest.Start(t, src, sink.Cursor(), sink).End())
	assert.Len(t, sink.Events(), 6)
}

func TestFromEnd(t *testing.T) {
	l := newLog(t)
	l.write("{\"n\":-2}\n{\"n\":-1}\n{\"n\"")
	sink := connecttest.NewSink()
	run := connecttest.Start(t, l.source(files.Config{}), nil, sink)
	sink.Until(t, func() bool { return sink.Cursor() != nil }) // the end is written down at once
	l.write(":0}\n")
	l.n = 1
	l.add(2)
	events := sink.Wait(t, 3)
	require.NoError(t, run.Stop())
	inOrder(t, events)
}

func TestFileThatComesLater(t *testing.T) {
	l := newLog(t)
	src := l.source(files.Config{}) // from the end
	sink := connecttest.NewSink()
	err := connecttest.Start(t, src, nil, sink).End()
	assert.ErrorContains(t, err, "tail app: path: stat "+l.path+": no such file or directory; create the file, or correct the path")
	l.add(3)
	run := connecttest.Start(t, src, nil, sink)
	inOrder(t, sink.Wait(t, 3))
	require.NoError(t, run.Stop())
}

func TestRotation(t *testing.T) {
	for name, rotate := range map[string]func(l *logFile){
		"rename":            func(l *logFile) { l.rename(".1") },
		"rename, then wait": func(l *logFile) { l.rename(".1"); time.Sleep(60 * time.Millisecond) },
		"dated":             func(l *logFile) { l.rename("-20260101") },
		"copy and truncate": func(l *logFile) { l.truncate(".1") },
		"remove":            func(l *logFile) { require.NoError(l.t, os.Remove(l.path)) },
		"replaced":          func(l *logFile) { require.NoError(l.t, os.WriteFile(l.path+".new", nil, 0o600)); l.swap() },
		"renamed unfinished": func(l *logFile) {
			l.write(fmt.Sprintf(`{"n":%d}`, l.n)) // the line break never comes
			l.n++
			l.rename(".1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			l.add(100)
			sink := connecttest.NewSink()
			run := connecttest.Start(t, l.source(files.Config{From: "start"}), nil, sink)
			sink.Wait(t, 100)
			rotate(l)
			l.add(50)
			sink.Wait(t, 150)
			l.add(100) // by now longer than before
			events := sink.Wait(t, l.n)
			require.NoError(t, run.Stop())
			inOrder(t, events)
			unique(t, events)
		})
	}
}

func (l *logFile) swap() { require.NoError(l.t, os.Rename(l.path+".new", l.path)) }

func unique(t *testing.T, events []event.Event) {
	t.Helper()
	ids := make(map[string]bool)
	for i := range events {
		require.False(t, ids[events[i].ID], "id of event %d twice", i)
		ids[events[i].ID] = true
	}
}

// A host that is down while files are rotated goes on where it was.
func TestRotationWhileDown(t *testing.T) {
	for name, change := range map[string]func(l *logFile){
		"nothing": func(l *logFile) { l.add(10) },
		"renamed": func(l *logFile) { l.add(10); l.rename(".1"); l.add(10) },
		"renamed three times": func(l *logFile) {
			l.add(10)
			l.rename(".3")
			l.add(10)
			l.rename(".2")
			l.add(10)
			l.rename(".1")
			l.add(10)
		},
		"dated twice": func(l *logFile) {
			l.add(10)
			l.rename("-20260101")
			l.add(10)
			l.rename("-20260102")
			l.add(10)
		},
		"copied and truncated":         func(l *logFile) { l.add(10); l.truncate(".1"); l.add(5) },
		"copied and truncated, longer": func(l *logFile) { l.add(10); l.truncate(".1"); l.add(500) },
		"removed":                      func(l *logFile) { require.NoError(l.t, os.Remove(l.path)); l.add(300) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			l.add(50)
			sink := connecttest.NewSink()
			run := connecttest.Start(t, l.source(files.Config{From: "start"}), nil, sink)
			sink.Wait(t, 50)
			require.NoError(t, run.Stop())
			change(l)
			run = connecttest.Start(t, l.source(files.Config{From: "start"}), sink.Cursor(), sink)
			events := sink.Wait(t, l.n)
			require.NoError(t, run.Stop())
			inOrder(t, events)
			unique(t, events)
		})
	}
}

func TestHostileLines(t *testing.T) {
	l := newLog(t)
	long := strings.Repeat("x", 2<<20)
	l.write("\ufeff{\"n\":0}\r\n\r\n   \n")
	l.write(`{"n":"` + long + "\"}\n")
	l.write("{\"n\":\"\xff\"}\n")
	l.write("\x00\x00{\"n\":1}\n")
	l.write(`{"n":1,"s":"` + long[:900<<10] + "\"}\n")
	l.write(`{"n":2,"n":3}` + "\n")
	l.write(`{"n":2}` + "\n")
	l.write(`{"n":2,"time":"yesterday"}` + "\n")
	l.write(long)
	sink := connecttest.NewSink()
	run := connecttest.Start(t, l.source(files.Config{From: "start"}), nil, sink)
	sink.Until(t, func() bool { return len(sink.Bad()) == 6 })
	l.write(long + "\n")
	l.n = 3
	l.add(2)
	inOrder(t, sink.Wait(t, 5))
	require.NoError(t, run.Stop())
	var reasons, positions []string
	for _, b := range sink.Bad() {
		reasons = append(reasons, b.Reason)
		positions = append(positions, strings.TrimPrefix(b.Position, l.path+": byte "))
		assert.LessOrEqual(t, len(b.Raw), connect.MaxRaw)
	}
	assert.Equal(t, []string{
		"the line is longer than 1048576 bytes; split it, or write a reference to its content",
		"invalid UTF-8 byte 0xff at offset 6; send the event as UTF-8; bytes go into data_base64",
		`unexpected '\x00' where a value should be at offset 0`,
		`the key "n" is there twice at offset 7; keep one of them`,
		`time: "yesterday" is not a time of the form "2006-01-02T15:04:05Z07:00"; correct the time: of the source`,
		"the line is longer than 1048576 bytes; split it, or write a reference to its content",
	}, reasons)
	assert.Equal(t, "18", positions[0])
}

func TestHostilePaths(t *testing.T) {
	dir := t.TempDir()
	run := func(path string) error {
		src, err := files.New("x", &files.Config{Path: path}, files.Options{Base: dir})
		require.NoError(t, err)
		return connecttest.Start(t, src, nil, connecttest.NewSink()).End()
	}
	assert.ErrorContains(t, run("."), dir+" is a folder; name a file in it, or watch the folder with fswatch")
	assert.ErrorContains(t, run("none/x.log"), "no such file or directory; create the file, or correct the path")
	assert.ErrorContains(t, run("/dev/null"), "/dev/null is not a regular file")
	if os.Getuid() != 0 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), nil, 0))
		assert.ErrorContains(t, run("secret"), "let the user that runs rhost read it")
	}
	src, err := files.New("x", &files.Config{Path: "x"}, files.Options{Base: dir})
	require.NoError(t, err)
	assert.ErrorContains(t, connecttest.Start(t, src, []byte("2026-01-01"), connecttest.NewSink()).End(), "is not one of a tail")
}

func TestFileReplacedByFolder(t *testing.T) {
	l := newLog(t)
	l.add(1)
	sink := connecttest.NewSink()
	run := connecttest.Start(t, l.source(files.Config{From: "start"}), nil, sink)
	sink.Wait(t, 1)
	require.NoError(t, os.Remove(l.path))
	require.NoError(t, os.Mkdir(l.path, 0o700))
	assert.ErrorContains(t, run.End(), "is a folder")
}

func TestSymlinkThatMoves(t *testing.T) {
	l := newLog(t)
	dir := t.TempDir()
	link := l.path
	target := func(name string) *logFile {
		one := &logFile{t: t, path: filepath.Join(dir, name), n: l.n}
		one.write("")
		require.NoError(t, os.Symlink(one.path, link+".new"))
		l.swap()
		return one
	}
	one := target("one")
	one.add(3)
	sink := connecttest.NewSink()
	run := connecttest.Start(t, l.source(files.Config{From: "start"}), nil, sink)
	sink.Wait(t, 3)
	l.n = one.n
	target("two").add(3)
	events := sink.Wait(t, 6)
	require.NoError(t, run.Stop())
	inOrder(t, events)
}

func TestManyLinesMakeBatches(t *testing.T) {
	l := newLog(t)
	l.add(10_000)
	sink := connecttest.NewSink()
	src := l.source(files.Config{From: "start", Clock: "event", Once: true})
	require.NoError(t, connecttest.Start(t, src, nil, sink).End())
	inOrder(t, sink.Events())
	for _, b := range sink.Batches() {
		assert.LessOrEqual(t, len(b.Events), 2000)
		assert.True(t, b.Clock)
		assert.NotNil(t, b.Cursor)
	}
	assert.Greater(t, len(sink.Batches()), 4)
}

func BenchmarkTail(b *testing.B) {
	for name, c := range map[string]files.Config{
		"json":  {Format: files.FormatJSON, Type: "line"},
		"regex": {Format: files.FormatRegex, Type: "line", Regex: `Failed password for (?P<user>\S+) from (?P<ip>\S+)`},
	} {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "app.log")
			const lines = 20_000
			text := strings.Repeat(`{"n":1,"s":"Dec 10 07:13:56 LabSZ sshd[24227]: Failed password for root from 5.36.59.76 port 42393 ssh2"}`+"\n", lines)
			require.NoError(b, os.WriteFile(path, []byte(text), 0o600))
			c.Path, c.From, c.Once = path, "start", true
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				src, err := files.New("app", &c, files.Options{})
				require.NoError(b, err)
				sink := connecttest.NewSink()
				require.NoError(b, src.Run(b.Context(), nil, sink))
				require.Len(b, sink.Events(), lines)
			}
			b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

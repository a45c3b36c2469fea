package files

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func openAt(t *testing.T, dir string) *Executor {
	t.Helper()
	e, err := Open(Config{
		Folders: []Folder{{Name: "in", Path: filepath.Join(dir, "in")}, {Name: "out", Path: filepath.Join(dir, "out")}},
		Journal: filepath.Join(dir, "journal"),
	})
	require.NoError(t, err)
	return e
}

// A host that dies between the plan, the change and the record of it does the
// operation once, when it comes again: this plays every point at which it dies.
func TestCrashes(t *testing.T) {
	type state = map[string]string // files of in and out; absent: not there
	for _, c := range []struct {
		name, args string
		crash      func(t *testing.T, e *Executor, p plan) // what was done before the host died
		want       state
	}{
		{"move, planned", `{"move":{"from":"in/a","to":"in/b"}}`, nil, state{"in/b": "A"}},
		{"move, linked", `{"move":{"from":"in/a","to":"in/b"}}`, func(t *testing.T, e *Executor, p plan) {
			t.Helper()
			root, err := e.root(p.From)
			require.NoError(t, err)
			require.NoError(t, root.Link("a", "b"))
		}, state{"in/b": "A"}},
		{"move, done", `{"move":{"from":"in/a","to":"in/b"}}`, done, state{"in/b": "A"}},
		{"move between folders, planned", `{"move":{"from":"in/a","to":"out/"}}`, nil, state{"out/a": "A"}},
		{"move between folders, half copied", `{"move":{"from":"in/a","to":"out/"}}`, func(t *testing.T, e *Executor, p plan) {
			t.Helper()
			root, err := e.root(p.To)
			require.NoError(t, err)
			require.NoError(t, root.WriteFile(ours+"tmp-"+idOf(p.To.String()), []byte("half of something longer"), 0o600))
		}, state{"out/a": "A"}},
		{"move between folders, copied", `{"move":{"from":"in/a","to":"out/"}}`, func(t *testing.T, e *Executor, p plan) {
			t.Helper()
			require.NoError(t, e.transfer(t.Context(), p))
		}, state{"out/a": "A"}},
		{"move between folders, done", `{"move":{"from":"in/a","to":"out/"}}`, done, state{"out/a": "A"}},
		{"copy, planned", `{"copy":{"from":"in/a","to":"out/"}}`, nil, state{"in/a": "A", "out/a": "A"}},
		{"copy, done", `{"copy":{"from":"in/a","to":"out/"}}`, done, state{"in/a": "A", "out/a": "A"}},
		{"tag, done", `{"tag":{"path":"in/a","tags":{"x":1}}}`, done, state{"in/a": "A", "in/a.rhost-tags.json": "{\n  \"x\": 1\n}\n"}},
		{"delete, done", `{"delete":{"path":"in/a"}}`, done, state{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, d := range []string{"in", "out"} {
				require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o755))
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "in/a"), []byte("A"), 0o600))

			e := openAt(t, dir)
			p, err := e.plan("k", json.RawMessage(c.args))
			require.NoError(t, err)
			require.NoError(t, e.journal.save("k", entry{Key: "k", Plan: p}))
			if c.crash != nil {
				c.crash(t, e, p)
			}
			require.NoError(t, e.Close())

			e = openAt(t, dir)
			out, err := e.Do(t.Context(), "k", json.RawMessage(c.args))
			require.NoError(t, err)
			assert.Equal(t, c.want, listed(t, dir))

			var done struct{ Undo json.RawMessage }
			require.NoError(t, json.Unmarshal(out, &done))
			_, err = e.Do(t.Context(), "k/undo", json.RawMessage(`{"revert":`+string(done.Undo)+`}`))
			require.NoError(t, err)
			assert.Equal(t, state{"in/a": "A"}, listed(t, dir), "and undone")
			require.NoError(t, e.Close())
		})
	}
}

func done(t *testing.T, e *Executor, p plan) {
	t.Helper()
	_, err := e.perform(t.Context(), p, false)
	require.NoError(t, err)
}

func listed(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, d := range []string{"in", "out"} {
		entries, err := os.ReadDir(filepath.Join(dir, d))
		require.NoError(t, err)
		for _, en := range entries {
			if en.Name() == trash {
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, d, en.Name()))
			require.NoError(t, err)
			files[d+"/"+en.Name()] = string(b)
		}
	}
	return files
}

// Another file that took the place while the host was down is not taken for the
// one that was to come there.
func TestCrashThenAnother(t *testing.T) {
	for _, to := range []string{"in/b", "out/b"} {
		dir := t.TempDir()
		for _, d := range []string{"in", "out"} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o755))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "in/a"), []byte("A"), 0o600))
		e := openAt(t, dir)
		args := json.RawMessage(`{"move":{"from":"in/a","to":"` + to + `"}}`)
		p, err := e.plan("k", args)
		require.NoError(t, err)
		require.NoError(t, e.journal.save("k", entry{Key: "k", Plan: p}))
		require.NoError(t, os.WriteFile(filepath.Join(dir, to), []byte("other"), 0o600))
		_, err = e.Do(t.Context(), "k", args)
		require.EqualError(t, err, to+": exists already, and nothing is replaced")
		require.NoError(t, e.Close())
	}
}

func TestDamagedJournal(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"in", "out"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	e := openAt(t, dir)
	require.NoError(t, e.journal.root.WriteFile(fileOf("k"), []byte("{"), 0o600))
	_, err := e.Do(t.Context(), "k", json.RawMessage(`{"delete":{"path":"in/a"}}`))
	require.ErrorContains(t, err, "the journal of file steps is damaged at "+fileOf("k"))
	require.NoError(t, e.Close())
}

package files_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/host/files"
)

// setup is a pair of granted folders, in and out, with an executor.
type setup struct {
	dir string
	e   *files.Executor
	n   int
}

func granted(tb testing.TB, tree map[string]string) *setup {
	tb.Helper()
	dir := tempDir(tb)
	s := &setup{dir: dir}
	for _, d := range []string{"in", "out", "secret"} {
		require.NoError(tb, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	for name, text := range tree {
		s.write(tb, name, text)
	}
	e, err := files.Open(files.Config{
		Folders: []files.Folder{{Name: "in", Path: filepath.Join(dir, "in")}, {Name: "out", Path: filepath.Join(dir, "out")}},
		Journal: filepath.Join(dir, "journal"), MaxBytes: 1000,
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, e.Close()) })
	s.e = e
	return s
}

// tempDir is in memory where it can be: each operation waits for the disk several
// times, and these tests run thousands.
func tempDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "rhost-files-") //nolint:usetesting // that one is on disk
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { assert.NoError(tb, os.RemoveAll(dir)) })
	return dir
}

func (s *setup) write(tb testing.TB, name, text string) {
	tb.Helper()
	full := filepath.Join(s.dir, name)
	require.NoError(tb, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(tb, os.WriteFile(full, []byte(text), 0o640))
}

// tree lists the files of the granted folders and what is beside them, but for
// the trash.
func (s *setup) tree(t require.TestingT) map[string]string {
	tree := make(map[string]string)
	require.NoError(t, filepath.WalkDir(s.dir, func(p string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(p, s.dir+"/")
		switch {
		case err != nil:
			return err
		case rel == "journal", d.Name() == ".rhost-trash":
			return fs.SkipDir
		case d.Type().IsRegular():
			b, err := os.ReadFile(p)
			tree[rel] = string(b)
			return err
		}
		return nil
	}))
	return tree
}

// do runs an operation with a key of its own and returns its output.
func (s *setup) do(args string) (path string, undo json.RawMessage, err error) {
	s.n++
	return s.doKey(fmt.Sprintf("x-%d/file", s.n), args)
}

func (s *setup) doKey(key, args string) (path string, undo json.RawMessage, err error) {
	b, err := s.e.Do(context.Background(), key, json.RawMessage(args))
	if err != nil {
		return "", nil, err
	}
	var out struct {
		Path string
		Undo json.RawMessage
	}
	err = json.Unmarshal(b, &out)
	return out.Path, out.Undo, err
}

func TestOperations(t *testing.T) {
	base := map[string]string{"in/a.txt": "A", "in/sub/b.txt": "B", "in/.profile": "P", "out/a.txt": "other", "in/d/one": "1", "in/d/two": "2", "out/t.txt.rhost-tags.json": `{"old":1}`, "out/t.txt": "T"}
	tags := "{\n  \"by\": \"rhost\",\n  \"n\": 5\n}\n"
	for _, c := range []struct {
		name, args, path string
		gone             []string
		come             map[string]string
	}{
		{"move", `{"move":{"from":"in/a.txt","to":"in/c.txt"}}`, "in/c.txt", []string{"in/a.txt"}, map[string]string{"in/c.txt": "A"}},
		{"move into a folder to be made", `{"move":{"from":"in/a.txt","to":"in/x/y/"}}`, "in/x/y/a.txt", []string{"in/a.txt"}, map[string]string{"in/x/y/a.txt": "A"}},
		{"move into a folder", `{"move":{"from":"in/a.txt","to":"in/sub"}}`, "in/sub/a.txt", []string{"in/a.txt"}, map[string]string{"in/sub/a.txt": "A"}},
		{"move to another folder, name taken", `{"move":{"from":"in/a.txt","to":"out/"}}`, "out/a~2.txt", []string{"in/a.txt"}, map[string]string{"out/a~2.txt": "A"}},
		{"move a folder", `{"move":{"from":"in/d","to":"in/e"}}`, "in/e", []string{"in/d/one", "in/d/two"}, map[string]string{"in/e/one": "1", "in/e/two": "2"}},
		{"copy", `{"copy":{"from":"in/sub/b.txt","to":"out/b.txt"}}`, "out/b.txt", nil, map[string]string{"out/b.txt": "B"}},
		{"copy beside itself", `{"copy":{"from":"in/.profile","to":"in/"}}`, "in/.profile~2", nil, map[string]string{"in/.profile~2": "P"}},
		{"tag", `{"tag":{"path":"in/a.txt","tags":{"by":"rhost","n":5}}}`, "in/a.txt", nil, map[string]string{"in/a.txt.rhost-tags.json": tags}},
		{"tag more", `{"tag":{"path":"out/t.txt","tags":{"new":[1]}}}`, "out/t.txt", nil, map[string]string{"out/t.txt.rhost-tags.json": "{\n  \"new\": [\n    1\n  ],\n  \"old\": 1\n}\n"}},
		{"untag", `{"tag":{"path":"out/t.txt","tags":{"old":null}}}`, "out/t.txt", []string{"out/t.txt.rhost-tags.json"}, nil},
		{"delete", `{"delete":{"path":"in/a.txt"}}`, "", []string{"in/a.txt"}, nil},
		{"delete a folder", `{"delete":{"path":"in/d"}}`, "", []string{"in/d/one", "in/d/two"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := granted(t, base)
			before := s.tree(t)
			want := s.tree(t)
			for _, name := range c.gone {
				delete(want, name)
			}
			maps.Copy(want, c.come)
			path, undo, err := s.do(c.args)
			require.NoError(t, err)
			assert.Equal(t, want, s.tree(t))
			if c.path != "" {
				assert.Equal(t, c.path, path)
			}

			again, _, err := s.doKey("x-1/file", c.args)
			require.NoError(t, err, "the same key once more")
			assert.Equal(t, path, again)
			assert.Equal(t, want, s.tree(t))

			revert := `{"revert":` + string(undo) + `}`
			for range 2 {
				_, _, err = s.doKey("x-1/file/undo", revert)
				require.NoError(t, err)
				after := s.tree(t)
				if strings.HasPrefix(c.name, "untag") || c.name == "tag more" {
					assert.JSONEq(t, `{"old":1}`, after["out/t.txt.rhost-tags.json"])
					continue
				}
				assert.Equal(t, before, after)
			}
		})
	}
}

func TestAbsolutePaths(t *testing.T) {
	s := granted(t, map[string]string{"in/a.txt": "A"})
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(filepath.Join(s.dir, "in"), link))
	path, _, err := s.do(`{"move":{"from":"` + s.dir + `/in/a.txt","to":"` + s.dir + `/out/../in/b.txt"}}`)
	require.NoError(t, err)
	assert.Equal(t, "in/b.txt", path)

	e, err := files.Open(files.Config{Folders: []files.Folder{{Name: "l", Path: link}}, Journal: filepath.Join(s.dir, "j2")})
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.Close()) }()
	for key, from := range map[string]string{"k1": link + "/b.txt", "k2": s.dir + "/in/b.txt"} {
		_, err = e.Do(t.Context(), key, json.RawMessage(`{"tag":{"path":"`+from+`","tags":{"a":1}}}`))
		require.NoError(t, err, "by the path that was granted, and by what it leads to")
	}
}

func TestKeepsPermissionsAndTime(t *testing.T) {
	s := granted(t, map[string]string{"in/a.txt": "A"})
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, os.Chtimes(filepath.Join(s.dir, "in/a.txt"), at, at))
	for _, args := range []string{`{"copy":{"from":"in/a.txt","to":"out/b.txt"}}`, `{"move":{"from":"in/a.txt","to":"out/c.txt"}}`} {
		path, _, err := s.do(args)
		require.NoError(t, err)
		info, err := os.Stat(filepath.Join(s.dir, path))
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o640), info.Mode())
		assert.True(t, info.ModTime().Equal(at))
	}
}

func TestRefusals(t *testing.T) {
	s := granted(t, map[string]string{"in/a.txt": "A", "in/b.txt": "B", "in/d/f": "F", "secret/s": "S", "in/big": strings.Repeat("x", 1001), "in/bad": "", "in/bad.rhost-tags.json": "["})
	require.NoError(t, os.Symlink(filepath.Join(s.dir, "secret"), filepath.Join(s.dir, "in/link")))
	require.NoError(t, os.Symlink("../../secret", filepath.Join(s.dir, "in/d/rel")))
	require.NoError(t, os.Symlink("a.txt", filepath.Join(s.dir, "in/inner")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(s.dir, "in/pipe"), 0o600))
	before := s.tree(t)
	for _, c := range []struct {
		name, args string
		kind       files.Kind
		want       string
	}{
		{"outside", `{"delete":{"path":"/etc/passwd"}}`, files.KindDenied, "/etc/passwd: not in a granted folder; the folders are in, out"},
		{"other folder", `{"delete":{"path":"secret/s"}}`, files.KindDenied, "not in a granted folder"},
		{"dots", `{"delete":{"path":"in/../secret/s"}}`, files.KindDenied, "in/../secret/s: leads out of the folder in"},
		{"dots absolute", `{"delete":{"path":"` + s.dir + `/in/../secret/s"}}`, files.KindDenied, "not in a granted folder"},
		{"prefix of a name", `{"delete":{"path":"` + s.dir + `/input/s"}}`, files.KindDenied, "not in a granted folder"},
		{"through a link", `{"delete":{"path":"in/link/s"}}`, files.KindDenied, "path escapes from parent"},
		{"through a relative link", `{"delete":{"path":"in/d/rel/s"}}`, files.KindDenied, "path escapes from parent"},
		{"into a link", `{"move":{"from":"in/a.txt","to":"in/link/"}}`, files.KindDenied, "path escapes from parent"},
		{"copy out through a link", `{"copy":{"from":"in/link/s","to":"out/s"}}`, files.KindDenied, "path escapes from parent"},
		{"a link", `{"move":{"from":"in/inner","to":"in/x"}}`, files.KindInvalid, "in/inner: is no file and no folder (L---------)"},
		{"a pipe", `{"copy":{"from":"in/pipe","to":"in/x"}}`, files.KindInvalid, "in/pipe: is no file and no folder (p---------)"},
		{"onto a link", `{"copy":{"from":"in/a.txt","to":"in/link"}}`, files.KindFail, "in/link: exists already, and nothing is replaced"},
		{"the folder", `{"delete":{"path":"in/"}}`, files.KindInvalid, "in/: is the granted folder itself"},
		{"own names", `{"delete":{"path":"in/.rhost-trash/x"}}`, files.KindDenied, "names such as .rhost-trash belong to rhost"},
		{"data of a host", `{"delete":{"path":"in/.rhost/log"}}`, files.KindDenied, "names such as .rhost belong to rhost"},
		{"tags as a file", `{"delete":{"path":"in/bad.rhost-tags.json"}}`, files.KindDenied, "belong to rhost"},
		{"no such file", `{"move":{"from":"in/none","to":"in/x"}}`, files.KindFail, "in/none: no such file or directory"},
		{"file as a folder", `{"move":{"from":"in/a.txt/b","to":"in/x"}}`, files.KindFail, "in/a.txt/b: not a directory"},
		{"taken", `{"move":{"from":"in/a.txt","to":"in/b.txt"}}`, files.KindFail, "in/b.txt: exists already, and nothing is replaced"},
		{"folder copied", `{"copy":{"from":"in/d","to":"in/e"}}`, files.KindInvalid, "in/d: is a folder, which can only be moved, and only within in"},
		{"folder to another", `{"move":{"from":"in/d","to":"out/"}}`, files.KindInvalid, "in/d: is a folder"},
		{"into itself", `{"move":{"from":"in/d","to":"in/d/e"}}`, files.KindInvalid, "in/d: cannot go into itself"},
		{"too large", `{"copy":{"from":"in/big","to":"out/"}}`, files.KindLimit, "in/big: 1001 bytes are too many to copy; at most 1000 are"},
		{"long name", `{"copy":{"from":"in/a.txt","to":"in/` + strings.Repeat("x", 300) + `"}}`, files.KindFail, "file name too long"},
		{"bad tags", `{"tag":{"path":"in/bad","tags":{}}}`, files.KindFail, "in/bad: its tags cannot be read; repair or remove bad.rhost-tags.json"},
		{"no operation", `{}`, files.KindInvalid, "one of copy, move, tag, delete and revert is needed"},
		{"unknown operation", `{"chmod":{}}`, files.KindInvalid, "chmod"},
		{"no text", `{"delete":{"path":5}}`, files.KindInvalid, "the paths must come out as text"},
		{"empty path", `{"delete":{"path":""}}`, files.KindDenied, "not in a granted folder"},
		{"revert out", `{"revert":{"op":"move","from":{"folder":"in","name":"a.txt"},"to":{"folder":"in","name":"../x"}}}`, files.KindDenied, "leads out of the folder"},
		{"revert elsewhere", `{"revert":{"op":"move","from":{"folder":"secret","name":"s"},"to":{"folder":"in","name":"x"}}}`, files.KindDenied, "the folder secret is not granted any more"},
		{"revert strangely", `{"revert":{"op":"copy","from":{"folder":"in","name":"a.txt"}}}`, files.KindInvalid, `"copy" cannot be reverted`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := s.do(c.args)
			var e *files.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.kind, e.Kind, e.Error())
			assert.ErrorContains(t, err, c.want)
			assert.Equal(t, before, s.tree(t))
		})
	}
}

// A copy that somebody has worked on since is not thrown away.
func TestUndoOfAChangedCopy(t *testing.T) {
	s := granted(t, map[string]string{"in/a.txt": "A"})
	_, undo, err := s.do(`{"copy":{"from":"in/a.txt","to":"out/"}}`)
	require.NoError(t, err)
	s.write(t, "out/a.txt", "worked on")
	_, _, err = s.do(`{"revert":` + string(undo) + `}`)
	assert.EqualError(t, err, "out/a.txt: has changed since it was copied; remove it by hand if it is not wanted")
}

// A place that was taken meanwhile is not overwritten by an undo.
func TestUndoOntoAnother(t *testing.T) {
	s := granted(t, map[string]string{"in/a.txt": "A"})
	_, undo, err := s.do(`{"delete":{"path":"in/a.txt"}}`)
	require.NoError(t, err)
	s.write(t, "in/a.txt", "new")
	_, _, err = s.do(`{"revert":` + string(undo) + `}`)
	require.EqualError(t, err, "in/a.txt: exists already, and nothing is replaced")
	require.NoError(t, os.Remove(filepath.Join(s.dir, "in/a.txt")))
	_, _, err = s.doKey("x-2/file", `{"revert":`+string(undo)+`}`)
	require.NoError(t, err, "the next attempt looks again")
	assert.Equal(t, map[string]string{"in/a.txt": "A"}, s.tree(t))
}

// Tags that others have set since stay when tags are undone.
func TestUndoOfTagsKeepsOthers(t *testing.T) {
	s := granted(t, map[string]string{"in/a.txt": "A"})
	_, undo, err := s.do(`{"tag":{"path":"in/a.txt","tags":{"x":1,"y":2}}}`)
	require.NoError(t, err)
	_, _, err = s.do(`{"tag":{"path":"in/a.txt","tags":{"z":3}}}`)
	require.NoError(t, err)
	_, _, err = s.do(`{"revert":` + string(undo) + `}`)
	require.NoError(t, err)
	assert.JSONEq(t, `{"z":3}`, s.tree(t)["in/a.txt.rhost-tags.json"])
}

func TestStopped(t *testing.T) {
	s := granted(t, map[string]string{"in/a.txt": "A"})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	for want, ctx := range map[files.Kind]context.Context{files.KindStopped: cancelled, files.KindTimeout: late} {
		_, err := s.e.Do(ctx, "k", json.RawMessage(`{"copy":{"from":"in/a.txt","to":"out/"}}`))
		var e *files.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, want, e.Kind)
		assert.Equal(t, map[string]string{"in/a.txt": "A"}, s.tree(t))
	}
}

func TestSweep(t *testing.T) {
	s := granted(t, map[string]string{"in/a.txt": "A", "in/b.txt": "B"})
	_, undo, err := s.do(`{"delete":{"path":"in/a.txt"}}`)
	require.NoError(t, err)
	_, _, err = s.do(`{"delete":{"path":"in/b.txt"}}`)
	require.NoError(t, err)
	trash, err := filepath.Glob(filepath.Join(s.dir, "in/.rhost-trash/*/a.txt"))
	require.NoError(t, err)
	require.Len(t, trash, 1)
	old := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Dir(trash[0]), old, old))
	require.NoError(t, s.e.Sweep(t.Context(), 24*time.Hour))
	left, err := filepath.Glob(filepath.Join(s.dir, "in/.rhost-trash/*/*"))
	require.NoError(t, err)
	assert.Len(t, left, 1, "what is young stays")
	_, _, err = s.do(`{"revert":` + string(undo) + `}`)
	require.ErrorContains(t, err, "no such file")

	entries, err := filepath.Glob(filepath.Join(s.dir, "journal/*"))
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	require.NoError(t, s.e.Sweep(t.Context(), -time.Hour))
	entries, err = filepath.Glob(filepath.Join(s.dir, "journal/*"))
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
	_, err := files.Open(files.Config{
		Folders: []files.Folder{{Name: "a", Path: dir}, {Name: "a", Path: dir}, {Name: "b/c", Path: dir}, {Name: "d", Path: filepath.Join(dir, "none")}},
		Journal: filepath.Join(dir, "f/journal"),
	})
	for _, want := range []string{
		"folder a: the name is given twice", `folder "b/c" of ` + dir + ": a name has no slashes and is not empty",
		"none: no such file or directory; make it, or correct its path", "journal of file steps: ",
	} {
		assert.ErrorContains(t, err, want)
	}
}

// Whatever is done, undone in reverse it leaves the files as they were.
func TestUndoneInReverse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := granted(t, map[string]string{"in/a": "A", "in/b": "B", "in/d/c": "C", "out/a": "other"})
		before := s.tree(rt)
		name := rapid.SampledFrom([]string{"in/a", "in/b", "in/d", "in/d/c", "in/x", "in/x/", "out/", "out/a", "out/y", "in/d/", "out/x/y"})
		var undos []json.RawMessage
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			var args string
			switch rapid.IntRange(0, 3).Draw(rt, "op") {
			case 0:
				args = fmt.Sprintf(`{"copy":{"from":%q,"to":%q}}`, name.Draw(rt, "from"), name.Draw(rt, "to"))
			case 1:
				args = fmt.Sprintf(`{"move":{"from":%q,"to":%q}}`, name.Draw(rt, "from"), name.Draw(rt, "to"))
			case 2:
				args = fmt.Sprintf(`{"tag":{"path":%q,"tags":{%q:%d}}}`, name.Draw(rt, "path"), rapid.SampledFrom([]string{"p", "q"}).Draw(rt, "tag"), rapid.IntRange(0, 2).Draw(rt, "value"))
			case 3:
				args = fmt.Sprintf(`{"delete":{"path":%q}}`, name.Draw(rt, "path"))
			}
			if _, undo, err := s.do(args); err == nil {
				undos = append(undos, undo)
			} else {
				var e *files.Error
				require.True(rt, errors.As(err, &e), "%v", err)
				require.Contains(rt, []files.Kind{files.KindFail, files.KindInvalid}, e.Kind, "%s: %v", args, err)
			}
		}
		for _, undo := range slices.Backward(undos) {
			_, _, err := s.do(`{"revert":` + string(undo) + `}`)
			require.NoError(rt, err)
		}
		require.Equal(rt, before, s.tree(rt))
	})
}

// FuzzDo: whatever a step asks for, nothing outside changes.
func FuzzDo(f *testing.F) {
	f.Add(`{"move":{"from":"in/../secret/s","to":"out/"}}`)
	f.Add(`{"copy":{"from":"in/link/s","to":"in/a"}}`)
	f.Add(`{"revert":{"op":"remove","from":{"folder":"in","name":"link/s"},"file":{"size":1}}}`)
	f.Add(`{"revert":{"op":"tag","from":{"folder":"in","name":"../secret/s"},"tags":{"a":1}}}`)
	f.Fuzz(func(t *testing.T, args string) {
		s := granted(t, map[string]string{"in/a": "A", "secret/s": "S"})
		require.NoError(t, os.Symlink("../secret", filepath.Join(s.dir, "in/link")))
		if _, err := s.e.Do(t.Context(), "k", json.RawMessage(args)); err != nil {
			var e *files.Error
			require.ErrorAs(t, err, &e)
		}
		entries, err := os.ReadDir(filepath.Join(s.dir, "secret"))
		require.NoError(t, err)
		require.Len(t, entries, 1)
		b, err := os.ReadFile(filepath.Join(s.dir, "secret/s"))
		require.NoError(t, err)
		require.Equal(t, "S", string(b))
		entries, err = os.ReadDir(s.dir)
		require.NoError(t, err)
		require.Len(t, entries, 4)
	})
}

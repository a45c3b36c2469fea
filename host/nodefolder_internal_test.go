package host

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/cluster/clustertest"
	"github.com/rhost/rhost/sandbox"
)

// watched is a node that compares its folder.
type watched struct {
	*folderWatch
	t    *testing.T
	told []string
}

func (n *nodes) watch(app *testApp) *watched {
	n.t.Helper()
	m, err := cluster.NewMember(cluster.Config{Node: cluster.Node{Name: "b"}, Groups: 1, Leases: clustertest.New().Client()})
	require.NoError(n.t, err)
	w := &watched{t: n.t}
	w.folderWatch = &folderWatch{app: app.dir, from: n.engine.Onlooker(0), member: m, node: "b", files: folderDigests{app: app.dir}, report: func(note Notice) {
		w.told = append(w.told, fmt.Sprint(note.Kind, " ", note.Text, " ", note.Err))
	}}
	return w
}

// says looks as often as it takes and gives what is told then.
func (w *watched) says() string {
	w.t.Helper()
	w.told = nil
	w.look(w.t.Context())
	w.look(w.t.Context())
	return strings.Join(w.told, "\n")
}

// Every node says in which files its folder is not what is in force, once.
func TestFolderOfANodeIsCompared(t *testing.T) {
	n := newNodes(t)
	app := appOf(t, "2", "rules/mine.yaml", "rule: mine\nwhen: type == \"t\"\n", "rhost.yaml", "listen: off\negress: {hosts: [example.org]}\n", "plugins/README.md", "no part of it")
	w := n.watch(app)
	assert.Empty(t, w.says(), "nothing is in force yet")
	a := n.own("a", appOf(t, "1", "tables/list.json", `["a"]`, "rhost.yaml", "lanes: 1\n"))
	said := w.says()
	assert.Contains(t, said, "warning the app folder of node b differs from what is in force (edition 1): ~plugins/p.lua +rules/mine.yaml -tables/list.json ~rhost.yaml (egress, lanes); it changes nothing by itself")
	assert.Contains(t, said, "`rhost apply -f "+app.dir+" --prune --settings`")
	assert.Empty(t, w.says(), "once")

	app.write("plugins/p.lua", script("1"))
	assert.Contains(t, w.says(), "(edition 1): +rules/mine.yaml -tables/list.json ~rhost.yaml (egress, lanes);")
	_, err := a.apply(Bundle{Prune: true, Files: map[string][]byte{
		"plugins/p.lua": []byte(script("1")), "rules/r.yaml": []byte(ruleOfP), "rules/mine.yaml": []byte("rule: mine\nwhen: type == \"t\"\n"),
		"rhost.yaml": []byte("egress: {hosts: [example.org]}\n"),
	}})
	require.NoError(t, err)
	assert.Contains(t, w.says(), "folder the app folder of node b has what is in force")

	app.write("rhost.yaml", "listen: 127.0.0.1:4001\negress: {hosts: [example.org]}\n")
	assert.Contains(t, w.says(), "rhost.yaml of node b has other listen; restart the node to apply it")
	assert.Empty(t, w.says())
	app.write("plugins/p/p.lua", "x")
	assert.Contains(t, w.says(), "cannot be compared with what is in force plugin p: both")
	require.NoError(t, os.RemoveAll(filepath.Join(app.dir, "plugins")))
	assert.Contains(t, w.says(), "-plugins/p.lua;")
}

// What the other nodes are told is short.
func TestDifferencesAreBounded(t *testing.T) {
	e := &edition{}
	for i := range 300 {
		e.put(fmt.Sprintf("rules/%03d%s.yaml", i, strings.Repeat("x", 200)), nil)
	}
	m, err := cluster.NewMember(cluster.Config{Node: cluster.Node{Name: "b"}, Groups: 1, Leases: clustertest.New().Client()})
	require.NoError(t, err)
	said := ""
	w := &folderWatch{member: m, node: "b", note: &editionNote{}, report: func(n Notice) { said = n.Text }}
	w.tell(differences(nil, e))
	assert.Less(t, len(said), 4096)
	assert.Contains(t, said, "and 280 more")
}

// Editions of this version are read for good.
func TestGoldenEdition(t *testing.T) {
	e := &edition{Ledger: []byte(`{"p":{"versions":[{"digest":"` + sandbox.Digest([]byte("p")) + `","kind":"lua","size":1,"at":"2026-03-01T12:00:00Z","from":"operator","state":"active"}]}}`)}
	e.put("rules/r.yaml", []byte("rule: r\n"))
	e.put("plugins/p.lua", []byte("p"))
	e.put("rhost.yaml", nil)
	body, err := e.encode()
	require.NoError(t, err)
	note := &editionNote{Version: editionVersion, Number: 7, Digest: sandbox.Digest(body), Epoch: 12, Node: "a", At: testDay, Why: "a bundle was applied"}
	text, err := encodeNote(note)
	require.NoError(t, err)
	for name, got := range map[string][]byte{"edition-v1.json": body, "editionnote-v1.json": text} {
		file := filepath.Join("testdata", name)
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "%s: what is on disk must stay readable: a change needs another version", file)
	}
	read, err := decodeEdition(body)
	require.NoError(t, err)
	assert.Equal(t, e, read)
	readNote, err := decodeEditionNote(text)
	require.NoError(t, err)
	assert.Equal(t, note, readNote)
}

func FuzzDecodeEdition(f *testing.F) {
	f.Add([]byte(`{"v":1,"files":[{"name":"rhost.yaml","digest":"` + sandbox.Digest(nil) + `","size":0}],"ledger":{}}`))
	f.Add([]byte(`{"v":1,"n":1,"digest":"","epoch":1,"node":"a","at":"2026-03-01T12:00:00Z","why":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decodeEditionNote(b); err != nil {
			require.ErrorIs(t, err, errEdition)
		}
		e, err := decodeEdition(b)
		if err != nil {
			require.ErrorIs(t, err, errEdition)
			return
		}
		again, err := e.encode()
		require.NoError(t, err)
		other, err := decodeEdition(again)
		require.NoError(t, err)
		assert.Equal(t, len(e.Files), len(other.Files))
		for _, f := range e.Files {
			assert.True(t, filepath.IsLocal(filepath.FromSlash(f.Name)), "%q", f.Name)
		}
	})
}

// Every key of rhost.yaml is a node's own or in force on all of them.
func TestEveryKeyIsSharedOrOwn(t *testing.T) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		key := f.Tag.Get("yaml")
		assert.NotEqual(t, slices.Contains(ownKeys(), key), slices.Contains(sharedKeys(), key),
			"%s: say in sharedKeys or ownKeys whose it is", key)
	}
}

package host

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/serverstest"
)

// members is an app that three nodes run, each with a key and a certificate.
type members struct {
	*testApp
	data [3]string
	set  [3][]string
}

func newMembers(t *testing.T, ca *serverstest.CA) *members {
	t.Helper()
	m := &members{}
	var peers, public [3]string
	for i := range m.data {
		peers[i], m.data[i] = serverstest.FreeAddr(t), shortDir(t)
	}
	for i := range m.data {
		name := string(rune('a' + i))
		var seed string
		seed, public[i] = serverstest.UserKey(t)
		cert, key := ca.Issue("node-"+name, nil)
		m.set[i] = []string{"cluster.node=" + name, "cluster.listen=" + peers[i], "cluster.nkey_file=" + seed, "cluster.tls.cert=" + cert, "cluster.tls.key=" + key}
	}
	m.testApp = newApp(t, map[string]string{
		"rhost.yaml": fmt.Sprintf("cluster: {name: test, node: a, listen: '%s', peers: ['%s'], nkeys: ['%s'], nkey_file: x, tls: {ca: '%s', cert: x, key: x}}\n",
			peers[0], strings.Join(peers[:], "', '"), strings.Join(public[:], "', '"), ca.File),
		"rules/r.yaml": oneRule,
	})
	return m
}

// run runs all nodes, or those given, until they are ready.
func (m *members) run(which ...int) (nodes []*liveNode) {
	m.t.Helper()
	for _, i := range which {
		nodes = append(nodes, m.node(m.data[i], m.set[i]...).run())
	}
	for _, n := range nodes {
		n.untilReady()
	}
	return nodes
}

// TestMembers runs three nodes that prove who they are with keys and certificates,
// backs them up through one that does not own the log, and, in the long form, restores
// the backup into a new cluster, which goes on from there. What cannot be done with the
// folder of a node is refused.
func TestMembers(t *testing.T) {
	t.Parallel()
	m := newMembers(t, serverstest.NewCA(t))
	nodes := m.run(0, 1, 2)
	nodes[0].send("first")
	nodes[1].send("second")
	assert.Equal(t, []string{"first", "second"}, nodes[2].triggers())
	other := nodes[0]
	if _, owns := other.enter(); owns {
		other = nodes[1]
		nodes[0].front.inside.Done()
	}

	out := filepath.Join(t.TempDir(), "backup")
	_, err := Backup(t.Context(), Options{App: m.dir, Data: m.data[0]}, out, nil)
	require.ErrorIs(t, err, ErrThroughNode)
	code, text := other.ask(http.MethodPost, "/v1/cluster/backup?out=not/absolute", "")
	require.Equal(t, http.StatusBadRequest, code, text)
	code, text = other.ask(http.MethodPost, "/v1/cluster/backup?out="+out, "")
	require.Equal(t, http.StatusOK, code, text)
	var res BackupResult
	require.NoError(t, json.Unmarshal([]byte(text), &res))
	assert.Len(t, res.Manifest.Streams, 2)
	epoch := other.cluster().Groups[0].Epoch
	stopAll(nodes)
	m.refused(t, m.data[0], out)
	m.examined(t)
	if os.Getenv("RHOST_SOAK") == "" {
		t.Log("the restore into three nodes takes longer: set RHOST_SOAK=1")
		return
	}

	there := newMembers(t, serverstest.NewCA(t))
	var g errgroup.Group
	for i := range there.data {
		g.Go(func() error {
			rep, data, err := Restore(t.Context(), RestoreOptions{From: out, App: there.dir, Data: filepath.Join(there.data[i], "d"), Part: RestoreData, Set: there.set[i]})
			if err == nil {
				assert.Empty(t, rep.Problems)
				there.data[i] = data
			}
			return err
		})
	}
	require.NoError(t, g.Wait())
	nodes = there.run(0, 1, 2)
	assert.Greater(t, nodes[0].cluster().Groups[0].Epoch, epoch)
	assert.Equal(t, []string{"first", "second"}, nodes[2].triggers())
	nodes[2].send("third")
	stopAll(nodes)
}

// refused tries what a node's folder is of no use for.
func (m *members) refused(t *testing.T, data, out string) {
	t.Helper()
	alone := newApp(t, map[string]string{"rules/r.yaml": oneRule})
	_, err := New(t.Context(), Options{App: alone.dir, Data: data, Listen: "off"})
	require.ErrorIs(t, err, eventlog.ErrMember)
	_, err = OpenArchive(t.Context(), data)
	require.ErrorIs(t, err, eventlog.ErrMember)
	_, err = Backup(t.Context(), Options{App: alone.dir, Data: data}, filepath.Join(t.TempDir(), "b"), nil)
	require.ErrorIs(t, err, eventlog.ErrMember)
	_, _, err = Restore(t.Context(), RestoreOptions{From: out, App: filepath.Join(t.TempDir(), "app")})
	require.ErrorContains(t, err, "--part app")

	// The other way round.
	l := alone.start()
	l.stop()
	m.data[2], data = alone.data, m.data[2]
	_, err = NewNode(t.Context(), Options{App: m.dir, Data: alone.data, Listen: "off", Set: m.set[2]})
	require.ErrorIs(t, err, eventlog.ErrAlone)
	m.data[2] = data
}

// examined has the doctor look at the folder of a node that is stopped.
func (m *members) examined(t *testing.T) {
	t.Helper()
	look := func(i int) *Diagnosis {
		d, err := Doctor(t.Context(), DoctorOptions{Options: Options{App: m.dir, Data: m.data[i], Set: m.set[i]}})
		require.NoError(t, err)
		return d
	}
	d := look(0)
	assert.NotEqual(t, Damage, d.Worst(), "%+v", d.Findings)
	assert.Equal(t, Well, d.find(t, "stream EV").Verdict, "%+v", d.Findings)
	assert.Equal(t, Well, d.find(t, "keys and certificates").Verdict)
	assert.Contains(t, d.find(t, "not checked").Found, "the other nodes")

	m.unset(t, 1)

	// A bit of the copy flips: the other nodes have it, and the doctor says so.
	block := filepath.Join(m.data[0], "log", "jetstream", "$G", "streams", "EV", "msgs", "1.blk")
	b, err := os.ReadFile(block)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(block, b, 0o600))
	d = look(0)
	assert.Equal(t, Damage, d.find(t, "stream EV").Verdict)
	assert.Contains(t, d.find(t, "stream EV").Fix, "the other nodes")
}

// unset looks at the folder of a node without its name and address: it is looked at as
// the node that it belongs to, and the node of rhost.yaml is one of the others.
func (m *members) unset(t *testing.T, i int) {
	t.Helper()
	look := func(set ...string) *Diagnosis {
		d, err := Doctor(t.Context(), DoctorOptions{Options: Options{App: m.dir, Data: m.data[i], Set: append(set, m.set[i][2:]...)}})
		require.NoError(t, err)
		return d
	}
	asked := func(d *Diagnosis) (list []string) {
		for _, f := range d.Findings {
			if addr, ok := strings.CutPrefix(f.Name, "node at "); ok {
				list = append(list, "cluster.listen="+addr)
			}
		}
		return list
	}
	d := look()
	assert.Equal(t, "checked as b, whose folder it is; rhost.yaml names a", d.find(t, "node").Found)
	assert.Equal(t, []string{m.set[0][1], m.set[2][1]}, asked(d))
	assert.Equal(t, Warning, d.Worst(), "%+v", d.Findings)
	d = look("cluster.node=c")
	assert.Equal(t, Damage, d.find(t, "node").Verdict)

	require.NoError(t, os.WriteFile(filepath.Join(m.data[i], "log", "node"), []byte("b\n"), 0o600)) // as older releases did
	assert.Empty(t, asked(look()))
	assert.Equal(t, []string{m.set[0][1], m.set[2][1]}, asked(look(m.set[i][1])))
}

// TestMemberRefused: a node that the others do not let in, or that does not take what
// they show, ends and says why, whatever else is well with it.
func TestMemberRefused(t *testing.T) {
	ca := serverstest.NewCA(t)
	stranger, public := serverstest.UserKey(t)
	other := serverstest.NewCA(t)
	cert, key := other.Issue("foreign", nil)
	m := newMembers(t, ca)
	nodes := []*liveNode{m.node(m.data[0], m.set[0]...).run(), m.node(m.data[1], m.set[1]...).run()}
	defer stopAll(nodes)
	for _, tt := range []struct {
		name string
		set  []string
		want []string
	}{
		{"another key", []string{"cluster.nkey_file=" + stranger, "cluster.nkeys=[" + public + "]"}, []string{"rhost.yaml:1", "cluster.nkey_file", stranger, "list the keys of all nodes in nkeys"}},
		{"another CA", []string{"cluster.tls.ca=" + other.File, "cluster.tls.cert=" + cert, "cluster.tls.key=" + key}, []string{"rhost.yaml:1", "cluster.tls.ca", other.File, "name one CA on all nodes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := NewNode(t.Context(), Options{App: m.dir, Data: shortDir(t), Listen: "off", Version: "test", Set: append(m.set[2], tt.set...)})
			require.NoError(t, err)
			n.look = 200 * time.Millisecond
			began := time.Now()
			err = n.Run(t.Context(), func() { t.Error("it has joined") }, nil)
			t.Logf("after %v: %v", time.Since(began), err)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
			require.NoError(t, n.Close())
		})
	}
}

// routes is a mux that remembers what it was given.
type routes []string

func (r *routes) HandleFunc(pattern string, _ func(http.ResponseWriter, *http.Request)) {
	*r = append(*r, pattern)
}

// TestClusterRoutesAreDescribed: what a node serves of the cluster is in the
// description of the API, and the other way round.
func TestClusterRoutesAreDescribed(t *testing.T) {
	spec, err := api.Spec("test")
	require.NoError(t, err)
	var doc struct{ Paths map[string]map[string]any }
	require.NoError(t, json.Unmarshal(spec, &doc))
	var described []string
	for path, ops := range doc.Paths {
		for method := range ops {
			if strings.HasPrefix(path, "/v1/cluster") {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	var served routes
	(&Node{}).handleCluster(&served, true)
	assert.ElementsMatch(t, described, served)
	var others routes
	(&Node{}).handleCluster(&others, false)
	assert.Equal(t, routes{"GET /v1/cluster"}, others, "the rest is for the local socket")
}

package oci_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/deploy/oci"
)

func open(t *testing.T, ref string, o oci.Options, write bool) *oci.Store {
	t.Helper()
	r, err := oci.ParseRef(ref)
	require.NoError(t, err)
	s, err := oci.Open(t.Context(), r, o, write)
	require.NoError(t, err)
	return s
}

func module() oci.Plugin {
	return oci.Plugin{Name: "decide", Kind: "wasm", Bytes: []byte("\x00asm\x01\x00\x00\x00"), Signatures: [][]byte{[]byte("a signature")}}
}

// What is pushed comes back, with its signatures, from every kind of place.
func TestPushAndPull(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	script := oci.Plugin{Name: "render", Kind: "lua", Bytes: []byte("return 1"), Manifest: []byte("name: render\n")}
	unsigned := oci.Plugin{Name: "x", Kind: "js", Bytes: []byte("x")}
	modern, old := newRegistry(t), newRegistry(t)
	old.noReferrers = true
	places := map[string]string{
		"layout": "oci:" + filepath.Join(t.TempDir(), "layout"), "registry": modern.host() + "/team/plugin", "registry without referrers": old.host() + "/team/plugin",
	}
	seen := map[string]string{}
	for place, at := range places {
		for tag, p := range map[string]oci.Plugin{"1.0": module(), "2.0": script, "3.0": unsigned} {
			pushed, err := open(t, at+":"+tag, oci.Options{PlainHTTP: true}, true).Push(t.Context(), p)
			require.NoError(t, err, place)
			got, digest, err := open(t, at+":"+tag, oci.Options{PlainHTTP: true}, false).Pull(t.Context())
			require.NoError(t, err, place)
			assert.Equal(t, pushed, digest)
			assert.Equal(t, p, got, place)
			if other, ok := seen[tag]; ok {
				assert.Equal(t, other, digest, "the same plugin has the same digest")
			}
			seen[tag] = digest
			got, _, err = open(t, at+"@"+digest, oci.Options{PlainHTTP: true}, false).Pull(t.Context())
			require.NoError(t, err, place)
			assert.Equal(t, p.Bytes, got.Bytes)
		}
	}
}

func TestSeveralSignatures(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	r := newRegistry(t)
	p := module()
	for _, sig := range []string{"one", "two"} {
		p.Signatures = [][]byte{[]byte(sig)}
		_, err := open(t, r.host()+"/team/plugin:1", oci.Options{PlainHTTP: true}, true).Push(t.Context(), p)
		require.NoError(t, err)
	}
	got, _, err := open(t, r.host()+"/team/plugin:1", oci.Options{PlainHTTP: true}, false).Pull(t.Context())
	require.NoError(t, err)
	assert.ElementsMatch(t, [][]byte{[]byte("one"), []byte("two")}, got.Signatures)
}

// A registry that lies is found out.
func TestDigestsAreVerified(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	pull := func(t *testing.T, change func(r *fakeRegistry)) error {
		r := newRegistry(t)
		_, err := open(t, r.host()+"/team/plugin:1", oci.Options{PlainHTTP: true}, true).Push(t.Context(), module())
		require.NoError(t, err)
		change(r)
		_, _, err = open(t, r.host()+"/team/plugin:1", oci.Options{PlainHTTP: true}, false).Pull(t.Context())
		return err
	}
	layer := digest(module().Bytes)
	require.Error(t, pull(t, func(r *fakeRegistry) { r.blobs[layer] = []byte("\x00asm\x02\x00\x00\x00") }), "other bytes of the same size")
	require.Error(t, pull(t, func(r *fakeRegistry) { r.blobs[layer] = append(r.blobs[layer], 1) }), "more bytes")
	require.Error(t, pull(t, func(r *fakeRegistry) {
		for id, m := range r.manifests {
			if strings.HasPrefix(id, "sha256:") {
				r.manifests[id] = bytes.Replace(m, []byte(layer), []byte("sha256:"+strings.Repeat("0", 64)), 1)
			}
		}
	}), "another manifest")
	require.ErrorContains(t, pull(t, func(r *fakeRegistry) {
		m := bytes.Replace(r.manifests["1"], []byte(`"size":8`), []byte(`"size":99000000000`), 1)
		require.NotEqual(t, m, r.manifests["1"])
		r.manifests["1"], r.manifests[digest(m)], r.types[digest(m)] = m, m, r.types["1"]
	}), "at most 33554432 are taken")
	require.ErrorContains(t, pull(t, func(r *fakeRegistry) {
		m := bytes.ReplaceAll(r.manifests["1"], []byte("application/wasm"), []byte("application/x-tar"))
		r.manifests["1"], r.manifests[digest(m)], r.types[digest(m)] = m, m, r.types["1"]
	}), "does not belong to a plugin")
}

func TestCredentials(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	r := newRegistry(t)
	r.user, r.password = "anna", "secret"
	at := r.host() + "/team/plugin:1"
	_, err := open(t, at, oci.Options{PlainHTTP: true}, true).Push(t.Context(), module())
	require.ErrorContains(t, err, "credential")
	_, err = open(t, at, oci.Options{PlainHTTP: true, Username: "anna", Password: "secret"}, true).Push(t.Context(), module())
	require.NoError(t, err)
}

func TestRefs(t *testing.T) {
	for _, tt := range []struct{ text, want, name string }{
		{"registry.example.com/team/decide:1.2", "registry.example.com/team/decide:1.2", "decide"},
		{"localhost:5000/decide", "localhost:5000/decide:latest", "decide"},
		{"oci:dir:1.2", "oci:dir:1.2", ""},
		{"oci:some/dir", "oci:some/dir:latest", ""},
		{"./dir:2", "oci:./dir:2", ""},
		{"/abs/dir", "oci:/abs/dir:latest", ""},
	} {
		r, err := oci.ParseRef(tt.text)
		require.NoError(t, err, tt.text)
		assert.Equal(t, tt.want, r.String())
		assert.Equal(t, tt.name, r.Name())
	}
	for _, bad := range []string{"", "decide", "oci:", "oci::1", "host.com/UPPER:1", "a b/c:1"} {
		_, err := oci.ParseRef(bad)
		assert.ErrorContains(t, err, "write ", bad)
	}
	r, err := oci.ParseRef("registry.example.com/team/decide:1.2")
	require.NoError(t, err)
	_, err = oci.Open(t.Context(), r, oci.Options{PlainHTTP: true}, false)
	require.ErrorContains(t, err, "is none")
	_, err = oci.Open(t.Context(), oci.Ref{Folder: t.TempDir(), Tag: "1"}, oci.Options{}, false)
	require.ErrorContains(t, err, "no OCI layout folder")
}

package deploy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/signature"
)

func newKey(t *testing.T) signature.PrivateKey {
	t.Helper()
	key, err := signature.NewKey()
	require.NoError(t, err)
	return key
}

// trusting is a policy that trusts keys.
func trusting(require bool, keys ...signature.PrivateKey) signature.Policy {
	var public []signature.PublicKey
	for _, k := range keys {
		public = append(public, k.Public())
	}
	return signature.NewPolicy(public, require)
}

// sign writes the .sig of a script beside it.
func sign(t *testing.T, file string, key signature.PrivateKey) {
	t.Helper()
	src, err := scriptAt(file).Read()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file+".sig", signature.Sign(src, "--", key).Format(), 0o600))
}

func scriptAt(file string) deploy.Found {
	f := deploy.Found{Name: "p", Kind: deploy.Lua, File: file}
	if _, err := os.Stat(f.Beside()); err == nil {
		f.Manifest = f.Beside()
	}
	return f
}

// tried reloads a file and gives the code of the error, if there is one.
func tried(t *testing.T, p *deploy.Plugins, file string) string {
	t.Helper()
	_, err := p.Reload(t.Context(), scriptAt(file))
	return codeOf(t, err)
}

func codeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *signature.Error
	require.ErrorAs(t, err, &e)
	assert.Contains(t, signature.Codes(), e.Code)
	return e.Code
}

// With require, a plugin comes into force with a good signature alone, and one that
// does not leaves the version before in force.
func TestSignatureRequired(t *testing.T) {
	a := newApp(t)
	key, other := newKey(t), newKey(t)
	a.policy = trusting(true, key)
	p, _ := a.start(t)
	file := write(t, a.dir, "p.lua", string(answer("1")))
	assert.Equal(t, signature.CodeMissing, tried(t, p, file))
	_, loaded := p.Slot("p")
	assert.False(t, loaded)

	sign(t, file, key)
	require.Empty(t, tried(t, p, file))
	s, err := p.Describe("p")
	require.NoError(t, err)
	assert.Equal(t, key.Public().Fingerprint(), s.Signer)

	// The file comes before its signature.
	write(t, a.dir, "p.lua", string(answer("2")))
	assert.Equal(t, signature.CodeBytes, tried(t, p, file), "the .sig of the version before")
	assert.Equal(t, "1", call(t, p, "p"))
	sign(t, file, key)
	reload(t, p, file+".sig") // the .sig itself is a change of the plugin
	assert.Equal(t, "2", call(t, p, "p"))

	write(t, a.dir, "p.lua", string(answer("3")))
	sign(t, file, other)
	assert.Equal(t, signature.CodeKey, tried(t, p, file))
	write(t, a.dir, "p.lua.sig", "")
	assert.Equal(t, signature.CodeFile, tried(t, p, file))
	elsewhere := write(t, t.TempDir(), "q.lua", string(answer("4")))
	sign(t, elsewhere, key)
	require.NoError(t, os.Rename(elsewhere+".sig", file+".sig"))
	assert.Equal(t, signature.CodeBytes, tried(t, p, file), "the .sig of another file")
	assert.Equal(t, "2", call(t, p, "p"))

	_, err = p.Put(t.Context(), "p", deploy.Upload{Kind: deploy.Lua, Source: answer("5"), Allow: true})
	assert.Equal(t, signature.CodeMissing, codeOf(t, err), "no word of an operator stands for a signature")
	_, err = p.Put(t.Context(), "p", deploy.Upload{Kind: deploy.Lua, Source: answer("5"), Signature: signature.Sign(answer("5"), "--", key).Format()})
	require.NoError(t, err)
	assert.Equal(t, "5", call(t, p, "p"))
}

// The manifest of a script is signed with it, whatever the layout of the YAML.
func TestSignatureCoversManifest(t *testing.T) {
	a := newApp(t)
	key := newKey(t)
	a.policy = trusting(true, key)
	p, _ := a.start(t)
	file := write(t, a.dir, "p.lua", string(answer("1")))
	write(t, a.dir, "p.manifest.yaml", "name: p\nversion: 1.0.0\nabi: rhost.v1\n")
	sign(t, file, key)
	require.Empty(t, tried(t, p, file))
	write(t, a.dir, "p.manifest.yaml", "# laid out anew\nabi: rhost.v1\nversion: '1.0.0'\nname: p\n")
	require.Empty(t, tried(t, p, file))
	write(t, a.dir, "p.manifest.yaml", "name: p\nversion: 1.0.0\nabi: rhost.v1\ncapabilities: {http: {}}\n")
	assert.Equal(t, signature.CodeBytes, tried(t, p, file))
}

// What changes who vouches for a plugin, and older versions, wait for an operator.
func TestChangesThatWait(t *testing.T) {
	key, other := newKey(t), newKey(t)
	versioned := func(t *testing.T, dir, version, body string) string {
		write(t, dir, "p.manifest.yaml", "name: p\nversion: "+version+"\nabi: rhost.v1\n")
		return write(t, dir, "p.lua", string(answer(body)))
	}
	for _, tt := range []struct {
		name, want string
		change     func(t *testing.T, dir string)
	}{
		{"unsigned", signature.CodeDropped, func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(versioned(t, dir, "2.0.0", "2")+".sig"))
		}},
		{"another key", signature.CodeRekeyed, func(t *testing.T, dir string) { sign(t, versioned(t, dir, "2.0.0", "2"), other) }},
		{"older", signature.CodeDowngrade, func(t *testing.T, dir string) { sign(t, versioned(t, dir, "1.4.9", "2"), key) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t)
			a.policy = trusting(false, key, other)
			file := versioned(t, a.dir, "1.5.0", "0")
			p, stop := a.start(t) // unsigned to signed is fine
			versioned(t, a.dir, "1.5.0", "1")
			sign(t, file, key)
			require.Empty(t, tried(t, p, file))
			stop()
			p, stop = a.start(t) // what it was signed by is remembered
			assert.Equal(t, "1", call(t, p, "p"))
			tt.change(t, a.dir)
			assert.Equal(t, tt.want, tried(t, p, file))
			assert.Equal(t, tt.want, tried(t, p, file), "asking again is no word of an operator")
			assert.Equal(t, "1", call(t, p, "p"))

			s, err := p.Describe("p")
			require.NoError(t, err)
			require.Equal(t, deploy.Refused, s.Versions[0].State)
			assert.Contains(t, s.Versions[0].Reason, tt.want)
			_, err = p.Activate(t.Context(), "p", s.Versions[0].Digest)
			require.NoError(t, err)
			assert.Equal(t, "2", call(t, p, "p"))
			stop()
			p, _ = a.start(t) // what an operator said is remembered, too
			assert.Equal(t, "2", call(t, p, "p"))
		})
	}
}

func TestApprove(t *testing.T) {
	a := newApp(t)
	key := newKey(t)
	a.policy = trusting(false, key)
	file := write(t, a.dir, "p.lua", string(answer("1")))
	sign(t, file, key)
	p, _ := a.start(t)
	write(t, a.dir, "p.lua", string(answer("2")))
	require.NoError(t, os.Remove(file+".sig"))
	_, err := p.Trial().Check(t.Context(), scriptAt(file), deploy.Upload{Kind: deploy.Lua, Source: answer("2")})
	assert.Equal(t, signature.CodeDropped, codeOf(t, err))
	_, err = p.Trial().Check(t.Context(), scriptAt(file), deploy.Upload{Kind: deploy.Lua, Source: answer("2"), Allow: true})
	require.NoError(t, err)
	_, err = p.Approve(t.Context(), scriptAt(file))
	require.NoError(t, err)
	assert.Equal(t, "2", call(t, p, "p"))
	assert.Contains(t, a.noted, "p", "its manifest names no version")
}

// A signature that comes later for the version in force is noted without a change.
func TestSignedLater(t *testing.T) {
	a := newApp(t)
	key := newKey(t)
	a.policy = trusting(false, key)
	file := write(t, a.dir, "p.lua", string(answer("1")))
	p, stop := a.start(t)
	sign(t, file, key)
	change := reload(t, p, file+".sig")
	assert.Equal(t, change.Old, change.New)
	stop()
	a.policy = trusting(true, key)
	p, _ = a.start(t)
	s, err := p.Describe("p")
	require.NoError(t, err)
	assert.Equal(t, key.Public().Fingerprint(), s.Signer)
}

// What the store gives is checked: its digest, and its signature by the keys of today.
func TestStoreIsNotTrusted(t *testing.T) {
	a := newApp(t)
	key, other := newKey(t), newKey(t)
	a.policy = trusting(false, key, other)
	file := write(t, a.dir, "p.lua", string(answer("1")))
	sign(t, file, key)
	p, stop := a.start(t)
	first, err := p.Describe("p")
	require.NoError(t, err)
	write(t, a.dir, "p.lua", string(answer("2")))
	sign(t, file, key)
	require.Empty(t, tried(t, p, file))

	good := a.kept[first.Digest]
	a.kept[first.Digest] = answer("666")
	_, err = p.Activate(t.Context(), "p", first.Digest)
	require.ErrorContains(t, err, "the store gave sha256:")
	assert.Equal(t, "2", call(t, p, "p"))
	a.kept[first.Digest] = good
	stop()

	a.policy = trusting(false, key)
	p, stop = a.start(t)
	_, err = p.Activate(t.Context(), "p", first.Digest)
	require.NoError(t, err)
	stop()

	a.policy = trusting(false, other) // the key is withdrawn
	p, err = a.open(t)
	require.NoError(t, err)
	_, err = p.Load(t.Context())
	assert.Equal(t, signature.CodeKey, codeOf(t, err))
	_, loaded := p.Slot("p")
	assert.False(t, loaded)
}

// A module is checked before anything parses it.
func TestSignatureComesBeforeParsing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "m"), 0o700))
	file := write(t, dir, "m/m.wasm", "no module at all")
	write(t, dir, "m/manifest.yaml", "name: m\nversion: 1.0.0\nabi: rhost.v1\n")
	p, err := deploy.NewPlugins(dir, deploy.Options{Policy: trusting(true, newKey(t))})
	require.NoError(t, err)
	_, err = p.Reload(t.Context(), deploy.Found{Name: "m", Kind: deploy.Wasm, File: file, Manifest: filepath.Join(dir, "m/manifest.yaml")})
	assert.Equal(t, signature.CodeMissing, codeOf(t, err))
}

// A host that watches loads a plugin when its signature comes after it.
func TestWatchSeesLateSignature(t *testing.T) {
	a := newApp(t)
	key := newKey(t)
	a.policy = trusting(true, key)
	p, _ := a.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	codes := make(chan string, 16)
	watched := make(chan error, 1)
	since := time.Now().Add(-time.Second)
	go func() {
		watched <- deploy.Watch(ctx, []string{a.dir}, since, func(files []string) {
			list, err := p.Changed(files)
			if err != nil {
				codes <- err.Error()
			}
			for _, f := range list {
				_, err := p.Reload(ctx, f)
				if e, ok := errors.AsType[*signature.Error](err); ok {
					codes <- e.Code
				} else {
					codes <- ""
				}
			}
		})
	}()
	file := write(t, a.dir, "p.lua", string(answer("1")))
	next := func() string {
		select {
		case code := <-codes:
			return code
		case err := <-watched:
			t.Fatalf("the watch ended: %v", err)
		}
		return ""
	}
	require.Equal(t, signature.CodeMissing, next())
	sign(t, file, key)
	for code := next(); code != ""; code = next() {
		require.Equal(t, signature.CodeMissing, code) // the file's last event may come after its report
	}
	assert.Equal(t, "1", call(t, p, "p"))
	cancel()
	require.NoError(t, <-watched)
}

package signature_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/host/deploy/signature"
)

func newKey(t testing.TB) signature.PrivateKey {
	t.Helper()
	key, err := signature.NewKey()
	require.NoError(t, err)
	return key
}

func code(err error) string {
	var e *signature.Error
	if err == nil {
		return ""
	}
	if !assertAs(err, &e) {
		return "not ours: " + err.Error()
	}
	return e.Code
}

// A key in the form of `openssl genpkey -algorithm ed25519`: that of RFC 8032,
// section 7.1, test 1.
const (
	opensslPrivate = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n"
	opensslPublic  = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"
)

// Both halves of a key name it the same, and are written as they are read.
func TestKeyFiles(t *testing.T) {
	private, err := signature.ParsePrivate([]byte(opensslPrivate))
	require.NoError(t, err)
	public, err := signature.ParsePublic([]byte(opensslPublic))
	require.NoError(t, err)
	assert.Equal(t, public.Fingerprint(), private.Public().Fingerprint())
	text, err := public.PEM()
	require.NoError(t, err)
	assert.Equal(t, opensslPublic, string(text))
	text, err = private.PEM()
	require.NoError(t, err)
	assert.Equal(t, opensslPrivate, string(text))
	require.NoError(t, signature.Sign([]byte("x"), "", private).Verify([]byte("x"), "", public))
}

func TestBadKeyFiles(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "holds no PEM block"},
		{opensslPrivate, "it is the private half of a key, and the public half is wanted"},
		{opensslPublic + opensslPublic, "more than one key"},
		{"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", `its block is "CERTIFICATE"`},
		{"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", "cannot be read"},
		{"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n", "not an ed25519 key"},
		{strings.Repeat("x", signature.MaxKeyFile+1), "at most 4096"},
	} {
		_, err := signature.ParsePublic([]byte(tt.text))
		require.ErrorContains(t, err, tt.want)
		assert.Equal(t, signature.CodeKeyFile, code(err))
	}
	_, err := signature.ParsePrivate([]byte(opensslPublic))
	require.ErrorContains(t, err, "the private half is wanted")
}

// Any change of a plugin or of its signature is noticed, and names no other key.
func TestVerify(t *testing.T) {
	key, other := newKey(t), newKey(t)
	rapid.Check(t, func(t *rapid.T) {
		plugin := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "plugin")
		c := rapid.SampledFrom([]signature.Comment{"", "--", "//"}).Draw(t, "comment")
		sig, err := signature.Parse(signature.Sign(plugin, c, key).Format())
		require.NoError(t, err)
		require.NoError(t, sig.Verify(plugin, c, key.Public()))
		assert.Equal(t, signature.CodeKey, code(sig.Verify(plugin, c, other.Public())))

		tampered := bytes.Clone(plugin)
		tampered[rapid.IntRange(0, len(plugin)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		assert.Equal(t, signature.CodeBytes, code(sig.Verify(tampered, c, key.Public())))
		lied := sig
		lied.Plugin = signature.Sign(tampered, c, other).Plugin // as a forger would write it
		assert.Equal(t, signature.CodeBytes, code(lied.Verify(tampered, c, key.Public())))
	})
}

// What is signed of a script is its source and what its manifest says, and no part
// of it is left out.
func TestMessageOfScript(t *testing.T) {
	const about = `{"abi":"rhost.v1","name":"p"}`
	source := []byte("function invoke() return 1 end\n")
	whole, err := manifest.EmbedScript(source, "--", []byte(about))
	require.NoError(t, err)
	assert.Equal(t, `rhost-plugin-v1{"manifest":`+about+`,"source":"sha256:d60e3e06d2f70a1a8aaf782cf481ed68e2acd9875ec0dfe16ffa9137a9c7cfe4"}`,
		string(signature.Message(whole, "--")))
	assert.Equal(t, `rhost-plugin-v1{"source":"sha256:d60e3e06d2f70a1a8aaf782cf481ed68e2acd9875ec0dfe16ffa9137a9c7cfe4"}`,
		string(signature.Message(source, "--")))

	seen := map[string]string{}
	for _, text := range []string{
		string(source), string(whole), string(whole) + "\n", string(whole) + "\r\n", strings.TrimRight(string(whole), "\n"),
		strings.Replace(string(whole), "return 1", "return 2", 1), strings.Replace(string(whole), `"p"`, `"q"`, 1), "--rhost.manifest " + about, "",
	} {
		message := string(signature.Message([]byte(text), "--"))
		assert.NotContains(t, seen, message, "%q and %q", text, seen[message])
		seen[message] = text
	}
}

func TestParse(t *testing.T) {
	good := string(signature.Sign([]byte("x"), "", newKey(t)).Format())
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "its first line"},
		{"later version", strings.Replace(good, "v1", "v2", 1), "another version"},
		{"a line short", good[:strings.LastIndex(good, "signature ")], "`signature …` is missing"},
		{"no end of line", strings.TrimRight(good, "\n"), "`signature …` is missing"},
		{"another line", good + "more\n", "more than four lines"},
		{"bad digest", strings.Replace(good, "key sha256:", "key sha512:", 1), "64 hex digits"},
		{"digits in capitals", strings.Replace(good, "sha256:", "sha256:ABCDEF", 1), "64 hex digits"},
		{"bad base64", strings.Replace(good, "signature ", "signature !", 1), "64 bytes in base64"},
		{"short", good[:len(good)-9] + "\n", "64 bytes in base64"},
		{"long", strings.Repeat("x", signature.MaxFile+1), "too large"},
	} {
		_, err := signature.Parse([]byte(tt.text))
		require.ErrorContains(t, err, tt.want, tt.name)
		assert.Equal(t, signature.CodeFile, code(err), tt.name)
	}
	_, err := signature.Parse([]byte(strings.ReplaceAll(good, "\n", "\r\n")))
	require.NoError(t, err, "a file that came through a mail")
}

func FuzzParse(f *testing.F) {
	f.Add(signature.Sign([]byte("x"), "", newKey(f)).Format())
	f.Add([]byte("rhost-signature-v1\nkey \nplugin \nsignature \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := signature.Parse(text)
		if err != nil {
			assert.Contains(t, []string{signature.CodeFile}, code(err))
			return
		}
		assert.Equal(t, string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))), string(s.Format()))
	})
}

func FuzzKey(f *testing.F) {
	f.Add([]byte(opensslPublic))
	f.Add([]byte(opensslPrivate))
	f.Fuzz(func(t *testing.T, text []byte) {
		if k, err := signature.ParsePublic(text); err == nil {
			again, err := k.PEM()
			require.NoError(t, err)
			same, err := signature.ParsePublic(again)
			require.NoError(t, err)
			assert.Equal(t, k.Fingerprint(), same.Fingerprint())
		}
		if k, err := signature.ParsePrivate(text); err == nil {
			require.NoError(t, signature.Sign(text, "", k).Verify(text, "", k.Public()))
		}
	})
}

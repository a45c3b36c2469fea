package signature_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/deploy/signature"
)

func assertAs(err error, target **signature.Error) bool { return errors.As(err, target) }

func TestPolicy(t *testing.T) {
	trusted, other := newKey(t), newKey(t)
	plugin := []byte("plugin")
	good := signature.Sign(plugin, "", trusted).Format()
	foreign := signature.Sign(plugin, "", other).Format()
	ofOther := signature.Sign([]byte("another"), "", trusted).Format()
	keys := []signature.PublicKey{trusted.Public()}
	none, lax, strict := signature.Policy{}, signature.NewPolicy(keys, false), signature.NewPolicy(keys, true)
	who := trusted.Public().Fingerprint()
	for _, tt := range []struct {
		name   string
		policy signature.Policy
		sig    []byte
		signer string
		code   string
	}{
		{"nobody looks", none, []byte("rubbish"), "", ""},
		{"unsigned, allowed", lax, nil, "", ""},
		{"unsigned, not allowed", strict, nil, "", signature.CodeMissing},
		{"empty file", lax, []byte{}, "", signature.CodeFile},
		{"signed", lax, good, who, ""},
		{"signed and required", strict, good, who, ""},
		{"by another key", lax, foreign, "", signature.CodeKey},
		{"of another file", strict, ofOther, who, signature.CodeBytes},
		{"rubbish", lax, []byte("rubbish"), "", signature.CodeFile},
	} {
		signer, err := tt.policy.Check(plugin, "", tt.sig)
		assert.Equal(t, tt.code, code(err), tt.name)
		assert.Equal(t, tt.signer, signer, tt.name)
		if err != nil {
			assert.Contains(t, signature.Codes(), code(err))
		}
	}
	assert.True(t, strict.Trusts(who))
	assert.False(t, strict.Trusts(other.Public().Fingerprint()))
}

func TestChange(t *testing.T) {
	p := signature.NewPolicy([]signature.PublicKey{newKey(t).Public()}, false)
	for _, tt := range []struct {
		name      string
		old, next signature.Past
		want      string
	}{
		{"the first", signature.Past{}, signature.Past{Signer: "sha256:a", Version: "1"}, ""},
		{"unsigned to signed", signature.Past{Version: "1"}, signature.Past{Signer: "sha256:a", Version: "1"}, ""},
		{"signed to unsigned", signature.Past{Signer: "sha256:a"}, signature.Past{}, signature.CodeDropped},
		{"another key", signature.Past{Signer: "sha256:a"}, signature.Past{Signer: "sha256:b"}, signature.CodeRekeyed},
		{"newer", signature.Past{Version: "1.9"}, signature.Past{Version: "1.10"}, ""},
		{"older", signature.Past{Version: "1.10"}, signature.Past{Version: "1.9"}, signature.CodeDowngrade},
		{"no version", signature.Past{Version: "1.10"}, signature.Past{}, ""},
	} {
		assert.Equal(t, tt.want, code(p.Change(tt.old, tt.next)), tt.name)
		require.NoError(t, signature.Policy{}.Change(tt.old, tt.next), tt.name)
	}
}

// The order is that of semver.org, point 11.
func TestOlder(t *testing.T) {
	order := []string{
		"0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
		"1.0.0", "v1.0.1", "1.2", "1.10+build", "2", "18446744073709551617.1",
	}
	for i, a := range order {
		for j, b := range order {
			assert.Equal(t, i < j, signature.Older(a, b), "%s and %s", a, b)
		}
	}
	assert.False(t, signature.Older("1.0", "1.0.0"))
	assert.False(t, signature.Older("1.0.0", "1"))
	for _, odd := range []string{"", "spring", "1..2", "1.0-", "1.x"} {
		assert.False(t, signature.Comparable(odd), odd)
		assert.False(t, signature.Older(odd, "1"), odd)
		assert.False(t, signature.Older("1", odd), odd)
	}
}

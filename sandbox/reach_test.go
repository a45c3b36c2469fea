package sandbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
)

// reaching is a host that offers everything.
func reaching() sandbox.Services {
	return sandbox.Services{
		KV: func(key string) ([]byte, bool) { return []byte{1, 255}, key == "there" },
		HTTP: func(ctx context.Context, req *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
			if req.URL == "slow" {
				<-ctx.Done()
				return abi.HTTPResponse{}, abi.StatusTimeout
			}
			return abi.HTTPResponse{Status: 200 + req.Ordinal, Header: []abi.HTTPHeader{{Name: "a", Value: "b"}}, Body: []byte(req.URL)}, abi.StatusOK
		},
		Secret: func(name string) ([]byte, abi.Status) {
			if name != "token" {
				return nil, abi.StatusNotFound
			}
			return []byte("s3cret"), abi.StatusOK
		},
	}
}

func TestSessionDeniesWhatReachesOutside(t *testing.T) {
	s := sandbox.NewSession(reaching(), nil, sandbox.Limits{})
	_, st := s.KVGet("there")
	assert.Equal(t, abi.StatusDenied, st)
	assert.Equal(t, abi.StatusDenied, s.KVSet("k", 0, []byte("v")))
	_, st = s.HTTP(t.Context(), &abi.HTTPRequest{URL: "u"})
	assert.Equal(t, abi.StatusDenied, st)
	_, st = s.Secret("token")
	assert.Equal(t, abi.StatusDenied, st)
	for _, f := range []string{v1.FuncKVGet, v1.FuncKVSet, v1.FuncHTTP, v1.FuncSecret, v1.FuncEmit, v1.FuncStateCAS} {
		assert.Equal(t, abi.StatusDenied, s.Has(f), f)
	}
	for _, f := range []string{v1.FuncHas, v1.FuncLog, v1.FuncItem} {
		assert.Equal(t, abi.StatusOK, s.Has(f), f)
	}
	assert.Equal(t, abi.StatusUnsupported, s.Has("teleport"))
}

func TestSessionSaysWhatThisHostDoesNotOffer(t *testing.T) {
	s := session(abi.Capabilities(), sandbox.Limits{})
	_, st := s.HTTP(t.Context(), &abi.HTTPRequest{URL: "u"})
	assert.Equal(t, abi.StatusUnsupported, st)
	_, st = s.Secret("token")
	assert.Equal(t, abi.StatusUnsupported, st)
	assert.Equal(t, abi.StatusUnsupported, s.Has(v1.FuncHTTP))
	assert.Equal(t, abi.StatusUnsupported, s.Has(v1.FuncSecret))
	assert.Equal(t, abi.StatusOK, s.Has(v1.FuncKVGet))
	_, st = s.KVGet("k")
	assert.Equal(t, abi.StatusNotFound, st)
}

func TestSessionKV(t *testing.T) {
	s := sandbox.NewSession(reaching(), abi.Capabilities(), sandbox.Limits{EffectBytes: 20})
	get := func(key string) string {
		v, st := s.KVGet(key)
		return string(v) + "|" + st.String()
	}
	assert.Equal(t, "\x01\xff|ok", get("there"))
	assert.Equal(t, "|not found", get("absent"))
	assert.Equal(t, "|invalid", get(""))
	value := []byte{0, 254}
	require.Equal(t, abi.StatusOK, s.KVSet("there", 1500, value))
	value[0] = 9
	assert.Equal(t, "\x00\xfe|ok", get("there"), "its own write, copied")
	require.Equal(t, abi.StatusOK, s.KVSet("there", 0, nil))
	assert.Equal(t, "|not found", get("there"))
	assert.Equal(t, abi.StatusInvalid, s.KVSet("\xff", 0, value))
	assert.Equal(t, abi.StatusLimit, s.KVSet("k", 0, make([]byte, 30)))
	require.Equal(t, abi.StatusOK, s.KVSet("k", 1<<63, []byte("x")))
	assert.Equal(t, []abi.Effect{
		{Kind: abi.EffectKVSet, Name: "there", Bytes: []byte{0, 254}, TTL: 1500 * time.Millisecond},
		{Kind: abi.EffectKVSet, Name: "there"},
		{Kind: abi.EffectKVSet, Name: "k", Bytes: []byte("x")},
	}, s.Effects(), "a time that no clock will see is for ever")
}

func TestSessionHTTP(t *testing.T) {
	s := sandbox.NewSession(reaching(), abi.Capabilities(), sandbox.Limits{})
	for n := range 2 {
		res, st := s.HTTP(t.Context(), &abi.HTTPRequest{URL: "u"})
		require.Equal(t, abi.StatusOK, st)
		assert.Equal(t, 201+n, res.Status, "requests are counted, so that their keys are the same in every attempt")
	}
	began := time.Now()
	_, st := s.HTTP(t.Context(), &abi.HTTPRequest{URL: "slow", Timeout: 10 * time.Millisecond})
	assert.Equal(t, abi.StatusTimeout, st)
	assert.Less(t, time.Since(began), 5*time.Second)
}

func TestSecretsStayOutOfLogs(t *testing.T) {
	var lines []string
	sv := reaching()
	sv.Log = func(_ sandbox.LogLevel, msg string) { lines = append(lines, msg) }
	s := sandbox.NewSession(sv, abi.Capabilities(), sandbox.Limits{})
	s.Log(sandbox.LogInfo, "before: s3cret")
	value, st := s.Secret("token")
	require.Equal(t, abi.StatusOK, st)
	s.Log(sandbox.LogInfo, "token="+string(value)+", again "+string(value))
	_, st = s.Secret("other")
	assert.Equal(t, abi.StatusNotFound, st)
	assert.Equal(t, []string{"before: s3cret", "token=[secret token], again [secret token]"}, lines)
	assert.Equal(t, "Bearer [secret token]", s.Redact("Bearer s3cret"))
}

func TestGrants(t *testing.T) {
	all := abi.Capabilities()
	free := abi.Freely(all)
	assert.Len(t, free, len(all)-2)
	assert.False(t, free.Has(abi.CapHTTP))
	assert.False(t, free.Has(abi.CapSecret))
	assert.Len(t, abi.Capabilities(), len(all), "the list is the caller's own")
	assert.Equal(t, abi.Grant{abi.CapHTTP}, abi.Grant{abi.CapKV, abi.CapHTTP}.Of([]abi.Capability{abi.CapHTTP, abi.CapNow}))
}

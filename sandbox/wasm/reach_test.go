package wasm_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// relay asks a service once and keeps what it was told, byte for byte: under the
// key "out", with the i64 that the service returned as the time to live.
func relay(service, request string) []byte {
	const buf = 4096
	m := New()
	ask, set := m.Service(service), m.Service(v1.FuncKVSet)
	m.Data(buf, string(v1.AppendKVSet(nil, "out", 0, nil)))
	m.Invoke([]byte{TypeI64},
		put(m, 100, request), I32(buf+15), I32(8000), Call(ask), Set(1),
		I32(buf+7), Get(1), Op(0x37, 0, 0),
		I32(buf), Get(1), Wrap(), I32(15), Add(), I32(0), I32(0), Call(set), statusOf(), If(Unreachable()),
		I32(0))
	return m.Bytes()
}

// TestServicesThatReachOut checks the bytes of the services that keep bytes or
// reach outside.
func TestServicesThatReachOut(t *testing.T) {
	e := newEngine(t)
	request := v1.AppendHTTPRequest(nil, &v1.HTTPRequest{
		Method: "POST", URL: "https://a.example/", Timeout: 250, Header: []v1.Header{{Name: "x-a", Value: "1"}, {Name: "x-a", Value: "2"}}, Body: []byte{0, 255},
	})
	answer := v1.AppendHTTPResponse(nil, &v1.HTTPResponse{Status: 503, Header: []v1.Header{{Name: "a", Value: "b"}}, Body: []byte{9}})
	for _, tt := range []struct {
		service, request string
		grant            abi.Grant
		status           v1.Status
		answer           string
	}{
		{v1.FuncKVGet, "key", nil, v1.StatusOK, "\x00\xff"},
		{v1.FuncKVGet, "none", nil, v1.StatusNotFound, ""},
		{v1.FuncKVGet, "", nil, v1.StatusInvalid, ""},
		{v1.FuncKVSet, "\xff\xff\xff\xffx", nil, v1.StatusInvalid, ""},
		{v1.FuncHTTP, string(request), nil, v1.StatusOK, string(answer)},
		{v1.FuncHTTP, string(request), abi.Grant{abi.CapKV}, v1.StatusDenied, ""},
		{v1.FuncHTTP, "\x01", nil, v1.StatusInvalid, ""},
		{v1.FuncSecret, "token", nil, v1.StatusOK, "s3cret"},
		{v1.FuncSecret, "none", nil, v1.StatusNotFound, ""},
		{v1.FuncHas, "http", nil, v1.StatusOK, ""},
		{v1.FuncHas, "http", abi.Grant{abi.CapKV}, v1.StatusDenied, ""},
		{v1.FuncHas, "teleport", nil, v1.StatusUnsupported, ""},
	} {
		t.Run(tt.service+" "+tt.request[:min(4, len(tt.request))], func(t *testing.T) {
			w := newWorld()
			if tt.grant != nil {
				w.grant = tt.grant
			}
			w.more = func(sv *sandbox.Services) {
				sv.KV = func(key string) ([]byte, bool) { return []byte{0, 255}, key == "key" }
				sv.Secret = func(name string) ([]byte, abi.Status) {
					if name != "token" {
						return nil, abi.StatusNotFound
					}
					return []byte("s3cret"), abi.StatusOK
				}
				sv.HTTP = func(ctx context.Context, req *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
					assert.Equal(t, &abi.HTTPRequest{
						Method: "POST", URL: "https://a.example/", Timeout: 250 * time.Millisecond, Ordinal: 1,
						Header: []abi.HTTPHeader{{Name: "x-a", Value: "1"}, {Name: "x-a", Value: "2"}}, Body: []byte{0, 255},
					}, req)
					_, bounded := ctx.Deadline()
					assert.True(t, bounded)
					return abi.HTTPResponse{Status: 503, Header: []abi.HTTPHeader{{Name: "a", Value: "b"}}, Body: []byte{9}}, abi.StatusOK
				}
			}
			reply, _, err := once(t, compile(t, e, "relay", relay(tt.service, tt.request)), w, callWith(""))
			require.NoError(t, err)
			require.Len(t, reply.Effects, 1)
			out := reply.Effects[0]
			status, n := v1.Unpack(uint64(out.TTL / time.Millisecond))
			assert.Equal(t, tt.status, status)
			assert.Equal(t, tt.answer, string(out.Bytes))
			assert.Len(t, out.Bytes, n)
		})
	}
}

// TestRequestsEndWithTheCall has a guest wait for an answer longer than it may.
func TestRequestsEndWithTheCall(t *testing.T) {
	w := newWorld()
	w.limits.Deadline = 20 * time.Millisecond
	w.more = func(sv *sandbox.Services) {
		sv.HTTP = func(ctx context.Context, _ *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
			<-ctx.Done()
			return abi.HTTPResponse{}, abi.StatusTimeout
		}
	}
	request := v1.AppendHTTPRequest(nil, &v1.HTTPRequest{Method: "GET", URL: "u"})
	began := time.Now()
	reply, _, err := once(t, compile(t, newEngine(t), "relay", relay(v1.FuncHTTP, string(request))), w, callWith(""))
	assert.Less(t, time.Since(began), 5*time.Second)
	// The guest is told, and ends before the host looks at the clock again.
	require.NoError(t, err)
	status, _ := v1.Unpack(uint64(reply.Effects[0].TTL / time.Millisecond))
	assert.Equal(t, v1.StatusTimeout, status)
}

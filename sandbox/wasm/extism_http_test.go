package wasm_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// answering is a world whose host answers every request so, and keeps the requests.
func answering(asked *[]abi.HTTPRequest, res abi.HTTPResponse, st abi.Status) *world {
	w := newWorld()
	w.more = func(sv *sandbox.Services) {
		sv.HTTP = func(_ context.Context, req *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
			*asked = append(*asked, *req)
			return res, st
		}
	}
	return w
}

func TestExtismRequests(t *testing.T) {
	e := newEngine(t)
	m := compile(t, e, "p", extismPlugin(t, "http.wasm"))
	assert.Equal(t, []abi.Capability{abi.CapHTTP}, m.Info().Needs)
	todo := `{"userId":1,"id":1,"title":"delectus aut autem","completed":false}`
	answer := abi.HTTPResponse{Status: 200, Body: []byte(todo), Header: []abi.HTTPHeader{
		{Name: "content-type", Value: "application/json"}, {Name: "set-cookie", Value: "a=1"}, {Name: "set-cookie", Value: "b=2"},
	}}
	var asked []abi.HTTPRequest
	reply, usage, err := once(t, m, answering(&asked, answer, abi.StatusOK), callWith(""))
	require.NoError(t, err)
	assert.JSONEq(t, todo, string(reply.Output))
	assert.Equal(t, 1, usage.HostCalls)
	require.Len(t, asked, 1)
	assert.Equal(t, "GET", asked[0].Method)
	assert.Equal(t, "https://jsonplaceholder.typicode.com/todos/1", asked[0].URL)
	assert.Equal(t, []abi.HTTPHeader{{Name: "another", Value: "again"}, {Name: "some-name", Value: "some-value"}}, asked[0].Header)

	headers := compile(t, e, "headers", extismPlugin(t, "http_headers.wasm"))
	reply, _, err = once(t, headers, answering(&asked, answer, abi.StatusOK), callWith(`{"input":{"url":"https://extism.org"}}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"content-type":"application/json","set-cookie":"a=1,b=2"}`, string(reply.Output))
	reply, _, err = once(t, headers, answering(&asked, abi.HTTPResponse{Status: 204}, abi.StatusOK), callWith(`{"input":{"url":"https://extism.org"}}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(reply.Output))
}

// A plugin cannot be told that there is no answer: that ends its call.
func TestExtismRequestsWithoutAnswer(t *testing.T) {
	m := compile(t, newEngine(t), "p", extismPlugin(t, "http.wasm"))
	const text = "extism:host/env.http_request: GET https://jsonplaceholder.typicode.com/todos/1: "
	for st, want := range map[abi.Status]sandbox.FaultKind{
		abi.StatusDenied: sandbox.FaultDenied, abi.StatusUnsupported: sandbox.FaultDenied, abi.StatusLimit: sandbox.FaultLimit, abi.StatusInvalid: sandbox.FaultABI,
	} {
		_, _, err := once(t, m, answering(new([]abi.HTTPRequest), abi.HTTPResponse{}, st), callWith(""))
		assert.Equal(t, want, sandbox.KindOf(err), "%v", err)
		assert.ErrorContains(t, err, text+st.String())
	}
	for _, st := range []abi.Status{abi.StatusTimeout, abi.StatusUnavailable} {
		reply, _, err := once(t, m, answering(new([]abi.HTTPRequest), abi.HTTPResponse{}, st), callWith(""))
		require.NoError(t, err)
		assert.Equal(t, abi.Reply{Result: abi.ResultRetry, Message: text + st.String()}, reply)
	}
	w := newWorld()
	w.grant = abi.Grant{abi.CapState}
	_, _, err := once(t, m, w, callWith(""))
	assert.Equal(t, sandbox.FaultDenied, sandbox.KindOf(err))
}

// A recorded call is replayed from its record, without the world it ran in.
func TestExtismReplay(t *testing.T) {
	e := newEngine(t)
	for _, tt := range []struct{ plugin, with string }{{"http.wasm", `{}`}, {"count_vowels.wasm", `{"input":"hello"}`}, {"config.wasm", `{}`}} {
		m := compile(t, e, tt.plugin, extismPlugin(t, tt.plugin))
		w := answering(new([]abi.HTTPRequest), abi.HTTPResponse{Status: 200, Body: []byte(`{"a":1}`)}, abi.StatusOK)
		w.commit([]abi.Effect{{Name: "extism/count_vowels.wasm/total", Value: []byte(`"40"`)}})
		i := instance(t, m, w.limits)
		recorder := sandbox.NewRecorder(1 << 20)
		s := w.session()
		s.Record(recorder)
		first, usage, err := i.Invoke(t.Context(), callWith(tt.with), s)
		require.NoError(t, err)
		calls, ok := recorder.Calls()
		require.True(t, ok)
		require.NotEmpty(t, calls)

		i = instance(t, m, w.limits)
		s = newWorld().session()
		s.Replay(sandbox.NewReplayer(calls))
		again, usageAgain, err := i.Invoke(t.Context(), callWith(tt.with), s)
		require.NoError(t, err)
		assert.Equal(t, first, again)
		assert.Equal(t, usage.Fuel, usageAgain.Fuel)
	}
}

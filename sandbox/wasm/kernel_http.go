package wasm

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// httpRequest is a request as Extism's plugins write it.
type httpRequest struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	Header  map[string]string `json:"header"` // what older kits write
}

// httpResponse is the last answer of the call.
type httpResponse struct {
	status  int
	headers map[string]string // by name in lower case
	body    []byte
}

// kernelHTTP makes a request and gives the body of the answer, handle 0 when it is
// empty. Any status code is an answer. There is no way to tell a plugin that there is
// none: that ends the call.
func kernelHTTP(r *run, k *kernel, s []uint64) error {
	text, err := k.Bytes(s[0])
	if err != nil {
		return err
	}
	body, err := k.Bytes(s[1])
	if err != nil {
		return err
	}
	if !r.service("http_request", len(text)+len(body)) {
		s[0] = 0
		return nil
	}
	var q httpRequest
	if err := json.Unmarshal(text, &q); err != nil {
		return fmt.Errorf("the request is not what it should be: %w", err)
	}
	k.response = httpResponse{}
	answer := r.fetch(&q, body)
	k.Free(s[0])
	k.Free(s[1])
	k.response = answer
	return r.give(k, s, answer.body)
}

// fetch makes a request, which ends when the call has to. Without an answer it ends the
// call: as a retry where another try may have one.
func (r *run) fetch(q *httpRequest, body []byte) httpResponse {
	req := &abi.HTTPRequest{Method: strings.ToUpper(q.Method), URL: q.URL, Body: body}
	if req.Method == "" {
		req.Method = "GET"
	}
	for _, headers := range []map[string]string{q.Header, q.Headers} {
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			req.Header = append(req.Header, abi.HTTPHeader{Name: name, Value: headers[name]})
		}
	}
	ctx, cancel := context.WithDeadline(r.Context, r.meter.deadline)
	defer cancel()
	res, st := r.session.HTTP(ctx, req)
	r.compare()
	why := fmt.Errorf("%s.http_request: %s %s: %s", moduleExtism, req.Method, clip([]byte(req.URL)), st)
	switch st {
	case abi.StatusOK:
		return httpResponse{status: res.Status, headers: headerMap(res.Header), body: res.Body}
	case abi.StatusTimeout, abi.StatusUnavailable:
		panic(&exit{code: codeTempFail, why: why.Error()})
	case abi.StatusDenied, abi.StatusUnsupported:
		panic(stop(sandbox.FaultDenied, why))
	case abi.StatusLimit:
		panic(stop(sandbox.FaultLimit, why))
	default:
		panic(stop(sandbox.FaultABI, why))
	}
}

// headerMap joins the values of headers that come more than once.
func headerMap(list []abi.HTTPHeader) map[string]string {
	m := make(map[string]string, len(list))
	for _, h := range list {
		if old, ok := m[h.Name]; ok {
			m[h.Name] = old + "," + h.Value
			continue
		}
		m[h.Name] = h.Value
	}
	return m
}

// kernelHTTPHeaders gives the headers of the last answer as a JSON object, handle 0
// before the first.
func kernelHTTPHeaders(r *run, k *kernel, s []uint64) error {
	s[0] = 0
	if k.response.headers == nil {
		return nil
	}
	text, err := json.Marshal(k.response.headers)
	if err != nil {
		return err
	}
	return r.give(k, s, text)
}

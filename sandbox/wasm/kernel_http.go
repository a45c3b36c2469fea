package wasm

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

const capHTTP abi.Capability = "http"

// httpRequest is a request as Extism's plugins write it.
type httpRequest struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	Header  map[string]string `json:"header"` // what older kits write
	body    []byte
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
	q.body = append([]byte(nil), body...)
	k.Free(s[0])
	k.Free(s[1])
	s[0] = 0
	k.response = httpResponse{}
	q.Method = strings.ToUpper(q.Method)
	if q.Method == "" {
		q.Method = "GET"
	}
	answer, st := r.fetch(&q)
	if st != abi.StatusOK {
		panic(noAnswer(&q, st))
	}
	k.response = answer
	return r.give(k, s, answer.body)
}

func noAnswer(q *httpRequest, st abi.Status) *halt {
	return stop(sandbox.FaultDenied, fmt.Errorf("%s %s: %s", q.Method, q.URL, st))
}

func (r *run) fetch(*httpRequest) (httpResponse, abi.Status) { return httpResponse{}, abi.StatusDenied }

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

package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rhost/rhost/abi"
)

// bytes charges for n bytes of an answer, once they are
// there: nobody knows their number before.
func (h *Host) bytes(n int) bool {
	return h.compare() && h.Spend(int64(n)/8) && h.Alloc(int64(n)*4)
}

// KVGet reads the bytes under a key.
func (h *Host) KVGet(key string) (value []byte, st abi.Status, ok bool) {
	if !h.begin("kv.get", len(key)) {
		return nil, 0, false
	}
	value, st = h.Session.KVGet(key)
	return value, st, h.bytes(len(value))
}

// KVSet buffers a write that holds for ttl milliseconds, or for ever when that is
// 0; an empty value deletes the key.
func (h *Host) KVSet(key string, ttl uint64, value []byte) (abi.Status, bool) {
	if !h.begin("kv.set", len(key)+8+len(value)) {
		return 0, false
	}
	return h.answered(h.Session.KVSet(key, ttl, value))
}

// HTTP makes a request, which ends when the call has to.
func (h *Host) HTTP(req *abi.HTTPRequest) (res abi.HTTPResponse, st abi.Status, ok bool) {
	size := len(req.Method) + len(req.URL) + len(req.Body)
	for _, x := range req.Header {
		size += len(x.Name) + len(x.Value)
	}
	if !h.begin("http", size) {
		return res, 0, false
	}
	ctx, cancel := h.Context()
	defer cancel()
	res, st = h.Session.HTTP(ctx, req)
	size = len(res.Body)
	for _, x := range res.Header {
		size += len(x.Name) + len(x.Value)
	}
	return res, st, h.bytes(size) && h.Tick()
}

// Secret gives a secret.
func (h *Host) Secret(name string) (value []byte, st abi.Status, ok bool) {
	if !h.begin("secret", len(name)) {
		return nil, 0, false
	}
	value, st = h.Session.Secret(name)
	return value, st, h.bytes(len(value))
}

// Has says how a service would receive a call.
func (h *Host) Has(service string) (abi.Status, bool) {
	if !h.begin("has", len(service)) {
		return 0, false
	}
	return h.answered(h.Session.Has(service))
}

// request is the argument of a script's rhost.http.
type request struct {
	Method  string                     `json:"method"`
	URL     string                     `json:"url"`
	Headers map[string]json.RawMessage `json:"headers"`
	Body    json.RawMessage            `json:"body"`
	Timeout float64                    `json:"timeout"` // milliseconds
}

// ParseRequest reads the argument of a script's rhost.http: an object with url
// and, as wanted, method (GET unless there is a body, then POST), headers, body
// and timeout in milliseconds. A body that is a text is sent as it is, any other
// value as JSON. The error is one to raise in the script.
func ParseRequest(text []byte) (*abi.HTTPRequest, error) {
	var in request
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("http takes {url, method, headers, body, timeout}: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if in.URL == "" {
		return nil, errors.New("http needs a url")
	}
	if in.Timeout < 0 || in.Timeout > math.MaxUint32 {
		return nil, errors.New("http: timeout is out of range; it is in milliseconds")
	}
	req := &abi.HTTPRequest{Method: strings.ToUpper(in.Method), URL: in.URL, Timeout: time.Duration(in.Timeout) * time.Millisecond}
	typed := false
	for _, name := range sortedKeys(in.Headers) {
		value, err := headerText(in.Headers[name])
		if err != nil {
			return nil, fmt.Errorf("http: header %s: %w", name, err)
		}
		typed = typed || strings.EqualFold(name, contentType)
		req.Header = append(req.Header, abi.HTTPHeader{Name: name, Value: value})
	}
	mediaType := "application/json"
	req.Body = in.Body
	var plain string
	if len(in.Body) == 0 || string(in.Body) == "null" {
		req.Body, typed = nil, true
	} else if json.Unmarshal(in.Body, &plain) == nil {
		req.Body, mediaType = []byte(plain), "text/plain; charset=utf-8"
	}
	if !typed {
		req.Header = append(req.Header, abi.HTTPHeader{Name: contentType, Value: mediaType})
	}
	if req.Method == "" {
		req.Method = "GET"
		if req.Body != nil {
			req.Method = "POST"
		}
	}
	return req, nil
}

const contentType = "content-type"

func headerText(raw json.RawMessage) (string, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", err
	}
	switch v.(type) {
	case string, float64, bool:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("%s is no text", raw)
}

// HeaderMap joins headers of one name, as most scripts want them.
func HeaderMap(list []abi.HTTPHeader) (names []string, values map[string]string) {
	values = make(map[string]string, len(list))
	for _, h := range list {
		if old, ok := values[h.Name]; ok {
			values[h.Name] = old + ", " + h.Value
			continue
		}
		values[h.Name] = h.Value
		names = append(names, h.Name)
	}
	return names, values
}

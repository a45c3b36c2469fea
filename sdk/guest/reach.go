package guest

import (
	"strings"
	"time"

	v1 "github.com/rhost/rhost/abi/v1"
)

// Header is one header of HTTP. A name may come more than once.
type Header = v1.Header

// Request is a request of HTTP.
type Request struct {
	Method  string // "" means GET
	URL     string
	Header  []Header
	Body    []byte
	Timeout time.Duration // in milliseconds; 0: what is left of the call
}

// Response is the answer to a Request.
type Response struct {
	Status int // 200, 404, …
	Header []Header
	Body   []byte
}

// Get returns the value of a header, "" when there is none. Upper and lower case
// are the same.
func (r *Response) Get(name string) string {
	for _, h := range r.Header {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// JSON returns the body as JSON.
func (r *Response) JSON() Value { return JSON(r.Body) }

// HTTP makes a request. It runs at once and is not undone when the call fails. An
// answer of 404 or 500 is an answer, no error. Errors are ErrDenied for a host that
// was not granted, ErrUnavailable without a connection, ErrTimeout and ErrLimit.
func (c *Call) HTTP(req Request) (*Response, error) {
	if req.Method == "" {
		req.Method = "GET"
	}
	b, err := ask(c.host, v1.FuncHTTP, host.http, v1.AppendHTTPRequest(nil, &v1.HTTPRequest{
		Method: req.Method, URL: req.URL, Timeout: uint32(max(req.Timeout, 0) / time.Millisecond), Header: req.Header, Body: req.Body,
	}))
	if err != nil {
		return nil, err
	}
	res, err := v1.ReadHTTPResponse(b)
	if err != nil {
		return nil, err
	}
	return &Response{Status: int(res.Status), Header: res.Header, Body: res.Body}, nil
}

// Secret returns a secret that the operator set. ErrDenied: the plugin may not have
// it; ErrNotFound: the operator did not set it.
func (c *Call) Secret(name string) ([]byte, error) {
	return ask(c.host, v1.FuncSecret, host.secret, []byte(name))
}

// Has says whether a function of the host may be called, as "http" or "kv_get": nil,
// ErrDenied, or ErrUnsupported by this host.
func (c *Call) Has(function string) error {
	_, err := ask(c.host, v1.FuncHas, host.has, []byte(function))
	return err
}

package sandbox

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
)

// HTTP makes a request, which ends when ctx does at the latest. It is made at
// once and not undone when the call fails.
func (s *Session) HTTP(ctx context.Context, req *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
	s.requests++
	req.Ordinal = s.requests
	if s.tape == nil {
		return s.http(ctx, req)
	}
	answer, st := s.tape.ask(v1.FuncHTTP, appendRequest(nil, req), func() ([]byte, abi.Status) {
		res, st := s.http(ctx, req)
		return AppendResponse(nil, &res), st
	})
	res, err := v1.ReadHTTPResponse(answer)
	if st != abi.StatusOK || err != nil {
		return abi.HTTPResponse{}, s.answered(st, err)
	}
	return abi.HTTPResponse{Status: int(res.Status), Header: fromWire(res.Header), Body: res.Body}, st
}

func (s *Session) http(ctx context.Context, req *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
	switch {
	case !s.grant.Has(abi.CapHTTP):
		return abi.HTTPResponse{}, abi.StatusDenied
	case s.services.HTTP == nil:
		return abi.HTTPResponse{}, abi.StatusUnsupported
	}
	if req.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, req.Timeout)
		defer cancel()
	}
	s.outside = true
	return s.services.HTTP(ctx, req)
}

// Secret returns a secret by its name. The session remembers it, so that it can
// be kept out of logs.
func (s *Session) Secret(name string) (value []byte, st abi.Status) {
	if s.tape == nil {
		return s.secret(name)
	}
	return s.tape.ask(v1.FuncSecret, []byte(name), func() ([]byte, abi.Status) { return s.secret(name) })
}

func (s *Session) secret(name string) (value []byte, st abi.Status) {
	switch {
	case !s.grant.Has(abi.CapSecret):
		return nil, abi.StatusDenied
	case s.services.Secret == nil:
		return nil, abi.StatusUnsupported
	case !isName(name):
		return nil, abi.StatusInvalid
	}
	value, st = s.services.Secret(name)
	if st == abi.StatusOK && len(value) >= minRedacted {
		*s.secrets = append(*s.secrets, secret{name: name, value: string(value)})
	}
	return value, st
}

// secret is one that the call was given.
type secret struct{ name, value string }

// minRedacted is how long a secret has to be to be looked for in texts: shorter
// ones would be found everywhere.
const minRedacted = 4

// Redact replaces the secrets that the call was given by their names, wherever
// they stand in msg as they are. It is a net beneath a careless guest; one that
// means to tell its secrets will find another way to write them.
func (s *Session) Redact(msg string) string {
	for _, x := range *s.secrets {
		msg = strings.ReplaceAll(msg, x.value, "[secret "+x.name+"]")
	}
	return msg
}

// Has says how a call of a service would be received: denied when it is not
// granted, unsupported when this host does not offer it.
func (s *Session) Has(service string) abi.Status {
	if s.tape == nil {
		return s.has(service)
	}
	_, st := s.tape.ask(v1.FuncHas, []byte(service), func() ([]byte, abi.Status) { return nil, s.has(service) })
	return st
}

func (s *Session) has(service string) abi.Status {
	if _, ok := v1.Lookup(service); !ok {
		return abi.StatusUnsupported
	}
	c := CapabilityOf(service)
	switch {
	case c != "" && !s.grant.Has(c):
		return abi.StatusDenied
	case c == abi.CapHTTP && s.services.HTTP == nil, c == abi.CapSecret && s.services.Secret == nil:
		return abi.StatusUnsupported
	}
	return abi.StatusOK
}

// CapabilityOf returns what a function of the ABI needs; "" for one that needs
// nothing.
func CapabilityOf(function string) abi.Capability {
	switch function {
	case v1.FuncStateGet, v1.FuncStateSet, v1.FuncStateCAS:
		return abi.CapState
	case v1.FuncKVGet, v1.FuncKVSet:
		return abi.CapKV
	case v1.FuncEmit, v1.FuncConfig, v1.FuncNow, v1.FuncRandom, v1.FuncNotify, v1.FuncHTTP, v1.FuncSecret:
		return abi.Capability(function)
	}
	return ""
}

// ReadRequest reads a request of http from the bytes of ABI v1. The body lies in
// b.
func ReadRequest(b []byte) (*abi.HTTPRequest, abi.Status) {
	q, err := v1.ReadHTTPRequest(b)
	if err != nil || !utf8.ValidString(q.Method) || !utf8.ValidString(q.URL) {
		return nil, abi.StatusInvalid
	}
	req := &abi.HTTPRequest{
		Method: strings.Clone(q.Method), URL: strings.Clone(q.URL),
		Timeout: time.Duration(q.Timeout) * time.Millisecond, Header: fromWire(q.Header), Body: q.Body,
	}
	for _, h := range req.Header {
		if !utf8.ValidString(h.Name) || !utf8.ValidString(h.Value) {
			return nil, abi.StatusInvalid
		}
	}
	return req, abi.StatusOK
}

func appendRequest(dst []byte, req *abi.HTTPRequest) []byte {
	return v1.AppendHTTPRequest(dst, &v1.HTTPRequest{
		Method: req.Method, URL: req.URL, Timeout: uint32(req.Timeout / time.Millisecond),
		Header: toWire(req.Header), Body: req.Body,
	})
}

// AppendResponse appends the answer of http in the bytes of ABI v1.
func AppendResponse(dst []byte, res *abi.HTTPResponse) []byte {
	return v1.AppendHTTPResponse(dst, &v1.HTTPResponse{Status: uint32(res.Status), Header: toWire(res.Header), Body: res.Body})
}

func toWire(list []abi.HTTPHeader) []v1.Header {
	out := make([]v1.Header, len(list))
	for i, h := range list {
		out[i] = v1.Header{Name: h.Name, Value: h.Value}
	}
	return out
}

// fromWire copies headers out of the bytes they were read from.
func fromWire(list []v1.Header) []abi.HTTPHeader {
	out := make([]abi.HTTPHeader, len(list))
	for i, h := range list {
		out[i] = abi.HTTPHeader{Name: strings.Clone(h.Name), Value: strings.Clone(h.Value)}
	}
	return out
}

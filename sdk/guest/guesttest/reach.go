package guesttest

import (
	"errors"
	"slices"
	"time"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sdk/guest"
)

// SetKV puts bytes into the kv store.
func (h *Host) SetKV(key string, value []byte) { h.kv[key] = value }

// KV returns a value of the kv store, nil when the key is absent. Time to live is
// not acted on: time stands still between runs.
func (h *Host) KV(key string) []byte { return h.kv[key] }

func (h *Host) kvGet(key string) ([]byte, v1.Status) {
	value, written := h.run.kv[key]
	if !written {
		value = h.kv[key]
	}
	if len(value) == 0 {
		return nil, v1.StatusNotFound
	}
	return value, v1.StatusOK
}

func (h *Host) kvSet(request []byte) v1.Status {
	s, err := v1.ReadKVSet(request)
	if err != nil || s.Key == "" {
		return v1.StatusInvalid
	}
	if len(s.Value) == 0 {
		s.Value = nil
	}
	h.run.kv[s.Key] = s.Value
	h.effect(Effect{Kind: v1.FuncKVSet, Name: s.Key, Bytes: s.Value, TTL: time.Duration(s.TTL) * time.Millisecond})
	return v1.StatusOK
}

func (h *Host) http(request []byte) ([]byte, v1.Status) {
	q, err := v1.ReadHTTPRequest(request)
	if err != nil {
		return nil, v1.StatusInvalid
	}
	if h.HTTP == nil {
		return nil, v1.StatusDenied
	}
	res, err := h.HTTP(guest.Request{
		Method: q.Method, URL: q.URL, Header: q.Header, Body: q.Body, Timeout: time.Duration(q.Timeout) * time.Millisecond,
	})
	if err != nil {
		return nil, statusOf(err)
	}
	return v1.AppendHTTPResponse(nil, &v1.HTTPResponse{Status: uint32(res.Status), Header: res.Header, Body: res.Body}), v1.StatusOK
}

// statusOf is the status that a handler sees as err.
func statusOf(err error) v1.Status {
	for st := v1.StatusNotFound; st <= v1.StatusUnsupported; st++ {
		if st != v1.StatusTooSmall && errors.Is(err, (&guest.StatusError{Status: st}).Unwrap()) {
			return st
		}
	}
	return v1.StatusUnavailable
}

func (h *Host) secret(name string) ([]byte, v1.Status) {
	value, ok := h.Secrets[name]
	if !ok {
		return nil, v1.StatusNotFound
	}
	return []byte(value), v1.StatusOK
}

func (h *Host) has(function string) v1.Status {
	if _, ok := v1.Lookup(function); !ok {
		return v1.StatusUnsupported
	}
	if slices.Contains(h.Deny, function) || function == v1.FuncHTTP && h.HTTP == nil {
		return v1.StatusDenied
	}
	return v1.StatusOK
}

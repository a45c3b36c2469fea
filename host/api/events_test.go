package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
)

const one = `{"specversion":"1.0","id":"e1","source":"/s","type":"a.b","data":{"n":1}}`

func post(contentType, body string) request {
	return request{method: http.MethodPost, path: "/v1/events", body: body, header: map[string]string{"Content-Type": contentType}}
}

func TestStructuredAndBatch(t *testing.T) {
	two := strings.Replace(one, "e1", "e2", 1)
	for _, tc := range []struct {
		name, contentType, body string
		want                    []string
	}{
		{"structured", "application/cloudevents+json", one, []string{"e1"}},
		{"structured, with charset", "application/cloudevents+json; charset=UTF-8", one, []string{"e1"}},
		{"batch", "application/cloudevents-batch+json", "[" + one + "," + two + "]", []string{"e1", "e2"}},
		{"empty batch", "application/cloudevents-batch+json", "[]", nil},
		{"plain json, one", "application/json", one, []string{"e1"}},
		{"plain json, several", "application/json", " \n[" + one + "," + two + "]", []string{"e1", "e2"}},
		{"no content type", "", one, []string{"e1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &backend{}
			a := b.do(t, post(tc.contentType, tc.body))
			require.Equal(t, http.StatusAccepted, a.status, a.body)
			assert.JSONEq(t, fmt.Sprintf(`{"accepted":%d}`, len(tc.want)), a.body)
			var ids []string
			for _, ev := range b.events {
				ids = append(ids, ev.ID)
				assert.JSONEq(t, `{"n":1}`, string(ev.Data))
			}
			assert.Equal(t, tc.want, ids)
		})
	}
}

func binary(header map[string]string, body string) request {
	return request{method: http.MethodPost, path: "/v1/events", body: body, header: header}
}

func TestBinaryMode(t *testing.T) {
	b := &backend{}
	a := b.do(t, binary(map[string]string{
		"Content-Type": "text/plain", "ce-specversion": "1.0", "ce-id": "e%201", "ce-source": "/s/%C3%BCber",
		"ce-type": "a.b", "ce-subject": "100%", "ce-time": "2026-01-02T15:04:05Z", "ce-dataschema": "https://example.com/s",
		"ce-region": "e%zzu%2", "x-other": "no attribute",
	}, "some text"))
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	require.Len(t, b.events, 1)
	assert.Equal(t, event.Event{
		ID: "e 1", Source: "/s/über", Type: "a.b", Subject: "100%", DataSchema: "https://example.com/s",
		Time: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), DataContentType: "text/plain",
		Ext:  []event.Attr{{Name: "region", Value: event.StringValue("e%zzu%2")}},
		Data: []byte("some text"),
	}, b.events[0], "percent-encoding is undone, and what is none stays")

	b = &backend{}
	a = b.do(t, binary(map[string]string{
		"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "e1", "ce-source": "/s", "ce-type": "a.b",
	}, ""))
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	assert.Nil(t, b.events[0].Data, "no body is no payload")
}

func TestEventsThatAreNone(t *testing.T) {
	head := map[string]string{"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "e1", "ce-source": "/s", "ce-type": "a.b"}
	with := func(name, value string) map[string]string {
		h := map[string]string{name: value}
		for k, v := range head {
			if k != name {
				h[k] = v
			}
		}
		return h
	}
	for _, tc := range []struct {
		name   string
		req    request
		status int
		want   string
	}{
		{"not json", post("application/cloudevents+json", "{"), 400, "offset 1"},
		{"no type", post("application/cloudevents+json", `{"specversion":"1.0","id":"e1","source":"/s"}`), 400, "type"},
		{"one of a batch", post("application/cloudevents-batch+json", "["+one+`,{"id":"e2"}]`), 400, "nothing was accepted"},
		{"batch that is none", post("application/cloudevents-batch+json", one), 400, "nothing was accepted"},
		{"empty", post("application/cloudevents+json", ""), 400, ""},
		{"text", post("text/plain", "hello"), 415, "send application/cloudevents+json"},
		{"form", post("application/x-www-form-urlencoded", "a=b"), 415, "send application/cloudevents+json"},
		{"bad content type", post("application/", one), 415, "application/"},
		{"old binary", binary(with("ce-specversion", "0.3"), "{}"), 400, "ce-specversion: 0.3 is not supported"},
		{"binary time", binary(with("ce-time", "today"), "{}"), 400, "ce-time: today is not an RFC 3339 time"},
		{"binary without id", binary(with("ce-id", ""), "{}"), 400, "id"},
		{"binary, payload is no json", binary(head, "{"), 400, "data"},
		{"too large", post("application/cloudevents-batch+json", "["+strings.Repeat(" ", 8<<20)+"]"), 413, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &backend{}
			assert.Contains(t, b.do(t, tc.req).problem(t, tc.status), tc.want)
			assert.Empty(t, b.events)
		})
	}
}

func TestErrorsOfTheBackend(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		after  string
	}{
		{fmt.Errorf("queue: %w", api.ErrFull), 429, "1"},
		{fmt.Errorf("frame: %w", api.ErrTooLarge), 413, ""},
		{fmt.Errorf("type rhost.x: %w", api.ErrInvalid), 400, ""},
		{fmt.Errorf("disk: %w", api.ErrUnavailable), 503, "5"},
		{context.Canceled, 503, "5"},
		{fmt.Errorf("it: %w", api.ErrNotFound), 404, ""},
		{errors.New("a bug"), 500, ""},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			a := (&backend{err: tc.err}).do(t, post("application/cloudevents+json", one))
			assert.Equal(t, tc.err.Error(), a.problem(t, tc.status))
			assert.Equal(t, tc.after, a.header.Get("Retry-After"))
		})
	}
}

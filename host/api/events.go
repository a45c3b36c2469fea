package api

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rhost/rhost/event"
)

// eventsInput is a request with events. Binary mode carries the attributes in
// ce-* headers, which Resolve collects.
type eventsInput struct {
	ContentType string `header:"Content-Type"`
	RawBody     []byte `contentType:"application/cloudevents+json"`
	attrs       map[string]string
}

func (in *eventsInput) Resolve(ctx huma.Context) []error {
	ctx.EachHeader(func(name, value string) {
		if attr, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
			if in.attrs == nil {
				in.attrs = make(map[string]string)
			}
			in.attrs[attr] = value
		}
	})
	return nil
}

type accepted struct {
	Body struct {
		Accepted int `json:"accepted" doc:"Events that are on disk"`
	}
}

func (s *server) submit(ctx context.Context, in *eventsInput) (*accepted, error) {
	events, err := in.events()
	if err != nil {
		return nil, err
	}
	if err := s.backend.Submit(ctx, events); err != nil {
		return nil, problem(err)
	}
	out := &accepted{}
	out.Body.Accepted = len(events)
	return out, nil
}

// events reads the request in the mode its headers say.
func (in *eventsInput) events() ([]event.Event, error) {
	media, _, err := mime.ParseMediaType(in.ContentType)
	if err != nil && in.ContentType != "" {
		return nil, huma.Error415UnsupportedMediaType("Content-Type " + in.ContentType + ": " + err.Error())
	}
	switch {
	case media == "application/cloudevents-batch+json":
		return parseBatch(in.RawBody)
	case media == "application/cloudevents+json":
		return parseOne(in.RawBody)
	case in.attrs["specversion"] != "":
		return in.binary()
	case media == "application/json" || media == "":
		if bytes.HasPrefix(bytes.TrimLeft(in.RawBody, " \t\r\n"), []byte{'['}) {
			return parseBatch(in.RawBody)
		}
		return parseOne(in.RawBody)
	}
	return nil, huma.Error415UnsupportedMediaType(fmt.Sprintf(
		"Content-Type %s without ce-* headers; send application/cloudevents+json, application/cloudevents-batch+json, or binary mode with ce-specversion, ce-id, ce-source and ce-type", media))
}

func parseOne(b []byte) ([]event.Event, error) {
	ev, err := event.Parse(b)
	if err != nil {
		return nil, huma.Error400BadRequest(err.Error())
	}
	return []event.Event{ev}, nil
}

func parseBatch(b []byte) ([]event.Event, error) {
	events, err := event.ParseBatch(b)
	if err != nil {
		return nil, huma.Error400BadRequest("nothing was accepted: " + err.Error())
	}
	return events, nil
}

// binary reads a binary-mode event: CloudEvents HTTP binding, section 3.1.
func (in *eventsInput) binary() ([]event.Event, error) {
	if v := in.attrs["specversion"]; v != "1.0" {
		return nil, huma.Error400BadRequest("ce-specversion: " + v + " is not supported; send 1.0")
	}
	ev := event.Event{DataContentType: in.ContentType}
	if len(in.RawBody) > 0 {
		ev.Data = in.RawBody
	}
	for name, value := range in.attrs {
		value = unescapeHeader(value)
		switch name {
		case "specversion":
		case "id":
			ev.ID = value
		case "source":
			ev.Source = value
		case "type":
			ev.Type = value
		case "subject":
			ev.Subject = value
		case "dataschema":
			ev.DataSchema = value
		case "time":
			t, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				return nil, huma.Error400BadRequest("ce-time: " + value + " is not an RFC 3339 time; write it as 2026-01-02T15:04:05Z")
			}
			ev.Time = t
		default:
			ev.SetExt(name, event.StringValue(value))
		}
	}
	if err := ev.Validate(); err != nil {
		return nil, huma.Error400BadRequest(err.Error())
	}
	return []event.Event{ev}, nil
}

// unescapeHeader undoes the percent-encoding of the HTTP binding; what is not a
// valid escape stays as it is.
func unescapeHeader(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

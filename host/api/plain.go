package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// handlePlain adds what is no JSON request with a JSON reply: a stream, other
// systems' callbacks, and probes.
func (s *server) handlePlain(mux humago.Mux) {
	mux.HandleFunc("GET /v1/tail", s.tail)
	mux.HandleFunc("GET /v1/topics/{topic}/events", s.topicEvents)
	mux.HandleFunc("POST /hooks/{name}", s.hook)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
}

// describePlain adds the same to the description.
func describePlain(doc *huma.OpenAPI) {
	text := &huma.Schema{Type: huma.TypeString}
	add := func(op huma.Operation, replies map[string]string) {
		op.Responses = make(map[string]*huma.Response)
		for status, meaning := range replies {
			op.Responses[status] = &huma.Response{Description: meaning}
		}
		doc.AddOperation(&op)
	}
	add(huma.Operation{
		OperationID: "tail", Method: http.MethodGet, Path: "/v1/tail",
		Summary: "What happens, as it happens: one JSON object a line",
		Parameters: []*huma.Param{
			{Name: "topic", In: "query", Required: true, Description: "May be given several times", Schema: text},
			{Name: "since", In: "query", Description: "Of one topic that is kept: begin behind the message with this id; 0 for all that is kept", Schema: text},
		},
	}, map[string]string{"200": "A stream of application/x-ndjson that ends with the host", "400": "No topic was named, or since is no id", "404": "With since: nothing is kept of the topic"})
	add(huma.Operation{
		OperationID: "topic-events", Method: http.MethodGet, Path: "/v1/topics/{topic}/events",
		Summary:     "The messages of a topic that is kept, as Server-Sent Events",
		Description: "The id of a message is its epoch and offset, EPOCH:OFFSET. Who comes back with the last one it got is told what followed, in order; what is not kept any more is an event `gap` with the range, from and to, and the epoch as it is now. From 0 is of another epoch.",
		Parameters: []*huma.Param{
			{Name: "topic", In: "path", Required: true, Schema: text},
			{Name: "Last-Event-ID", In: "header", Description: "Begin behind this message; 0 for all that is kept; absent: with what comes", Schema: text},
			{Name: "last_event_id", In: "query", Description: "The same, for those who cannot set a header", Schema: text},
		},
	}, map[string]string{"200": "A stream of text/event-stream that ends with the host", "400": "The id is none", "404": "Nothing is kept of the topic"})
	add(huma.Operation{
		OperationID: "hook", Method: http.MethodPost, Path: "/hooks/{name}", Summary: "Take a delivery for a webhook source",
		Parameters: []*huma.Param{{Name: "name", In: "path", Required: true, Schema: text}},
	}, map[string]string{
		"202": "The event is on disk", "400": "The body is not JSON", "401": "The signature is missing or wrong",
		"404": "No source has a webhook of that name", "413": "The body is too large", "429": "The tenant has reached a quota; try again later", "503": "Not accepted; try again later",
	})
	add(huma.Operation{OperationID: "healthz", Method: http.MethodGet, Path: "/healthz", Summary: "Alive"},
		map[string]string{"200": "Alive"})
	add(huma.Operation{OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Summary: "Able to accept events: a write to the log has just succeeded"},
		map[string]string{"200": "Ready", "503": "Not ready, and why"})
}

// tail streams what happens, one JSON object a line, flushed as it comes.
func (s *server) tail(w http.ResponseWriter, r *http.Request) {
	topics := r.URL.Query()["topic"]
	if len(topics) == 0 {
		WriteProblem(w, http.StatusBadRequest, "name at least one topic: /v1/tail?topic=rhost:matches")
		return
	}
	if since := r.URL.Query().Get("since"); since != "" {
		if len(topics) > 1 {
			WriteProblem(w, http.StatusBadRequest, "since is a place in one topic; name no other")
			return
		}
		s.tailTopic(w, r, topics[0], since)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	rc := http.NewResponseController(w)
	if err := rc.Flush(); err != nil {
		return // nobody is reading
	}
	//nolint:errcheck // the stream ends with its reader; there is nobody left to tell
	s.backend.Tail(r.Context(), topics, func(msg json.RawMessage) error {
		if _, err := w.Write(append(bytes.Clone(msg), '\n')); err != nil {
			return err
		}
		return rc.Flush()
	})
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := s.backend.Ready(ctx); err != nil {
		writeText(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	writeText(w, http.StatusOK, "ready")
}

func (s *server) hook(w http.ResponseWriter, r *http.Request) {
	h, ok := s.backend.Hook(r.PathValue("name"))
	if !ok {
		WriteProblem(w, http.StatusNotFound, fmt.Sprintf("no source has a webhook called %q; add it under sources in rhost.yaml", r.PathValue("name")))
		return
	}
	h.ServeHTTP(w, r)
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text) //nolint:errcheck // the caller is gone
}

// WriteProblem answers as all of the API does when something is wrong.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(huma.NewError(status, detail))
	if err != nil {
		panic(err) // two strings and a number
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	w.Write(body) //nolint:errcheck // the caller is gone
}

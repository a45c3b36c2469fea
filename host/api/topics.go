package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// TopicEvent is the next thing in a topic: a message, or a gap.
type TopicEvent struct {
	ID   string          // of the message, as Backend.Topic takes it; of a gap, where it ends
	Gap  bool            // messages are missing: Data says which
	Data json.RawMessage // JSON without a line break
}

// TopicReader reads a topic. It belongs to one goroutine.
type TopicReader interface {
	// Next waits for the next message or gap, until ctx ends.
	Next(ctx context.Context) (TopicEvent, error)
	Close()
}

const (
	sseRetry     = 2 * time.Second  // after which a browser comes back
	sseHeartbeat = 15 * time.Second // between signs of life of a quiet topic
)

// topicEvents streams a topic as Server-Sent Events.
func (s *server) topicEvents(w http.ResponseWriter, r *http.Request) {
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("last_event_id")
	}
	reader, ok := s.openTopic(w, r, r.PathValue("topic"), after)
	if !ok {
		return
	}
	defer reader.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	out := &eventStream{w: w, rc: http.NewResponseController(w)}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	if out.write(fmt.Sprintf("retry: %d\n\n", sseRetry.Milliseconds())) != nil {
		return
	}
	var beats sync.WaitGroup
	beats.Go(func() { out.beat(ctx, stop) })
	defer beats.Wait()
	defer stop()
	for {
		e, err := reader.Next(ctx)
		if err != nil {
			return // the reader went, or the host stops
		}
		kind := ""
		if e.Gap {
			kind = "event: gap\n"
		}
		if out.write(fmt.Sprintf("%sid: %s\ndata: %s\n\n", kind, e.ID, e.Data)) != nil {
			return
		}
	}
}

// openTopic opens a topic, or answers why not.
func (s *server) openTopic(w http.ResponseWriter, r *http.Request, topic, after string) (TopicReader, bool) {
	reader, err := s.backend.Topic(r.Context(), topic, after)
	if err == nil {
		return reader, true
	}
	status := http.StatusServiceUnavailable
	if known, ok := problem(err).(interface{ GetStatus() int }); ok { // made here, and not wrapped
		status = known.GetStatus()
	}
	WriteProblem(w, status, err.Error())
	return nil, false
}

// eventStream writes to one reader of Server-Sent Events, whole pieces at a time.
type eventStream struct {
	mu sync.Mutex // guards the rest
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (s *eventStream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.rc.Flush()
}

// beat shows that the stream lives, until ctx ends. It calls stop when nobody reads.
func (s *eventStream) beat(ctx context.Context, stop func()) {
	tick := time.NewTicker(sseHeartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.write(": still here\n\n") != nil {
			stop()
			return
		}
	}
}

// tailTopic streams one topic from a place on, one JSON object a line.
func (s *server) tailTopic(w http.ResponseWriter, r *http.Request, topic, after string) {
	reader, ok := s.openTopic(w, r, topic, after)
	if !ok {
		return
	}
	defer reader.Close()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	out := &eventStream{w: w, rc: http.NewResponseController(w)}
	if out.write("") != nil {
		return
	}
	for {
		e, err := reader.Next(r.Context())
		if err != nil || out.write(string(e.Data)+"\n") != nil {
			return
		}
	}
}

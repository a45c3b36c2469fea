// Package webhook takes events from other systems' HTTP callbacks: a JSON body
// becomes the data of an event of the configured type.
//
// A sender that signs its deliveries with HMAC-SHA256, as GitHub does in
// X-Hub-Signature-256, is checked against the shared secret. The delivery's id
// (X-GitHub-Delivery, or Webhook-Id as Standard Webhooks has it) becomes the
// event's id, so that a delivery that is sent again is accepted once.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
)

const maxBody = 900 << 10 // an event has at most 1 MiB in all

// Config is the `webhook:` of a source.
type Config struct {
	Type string `yaml:"type"` // type of the events
	// SecretFile names a file with the shared secret; deliveries must then be
	// signed. Relative to the app folder.
	SecretFile string `yaml:"secret_file"`
}

// Validate reports everything wrong with c.
func (c *Config) Validate() error {
	if c.Type == "" {
		return errors.New("type: must name the type of the events, such as github.push")
	}
	if strings.HasPrefix(c.Type, "rhost.") {
		return fmt.Errorf("type: %q starts with rhost., which is reserved for the host; choose another prefix", c.Type)
	}
	return nil
}

// Handler takes the deliveries of one webhook. It is safe for concurrent use.
type Handler struct {
	source string
	typ    string
	secret []byte // nil: deliveries are not signed
	sink   connect.Sink
}

// New returns the handler of the webhook called name, which submits to sink. It
// reads the secret.
func New(name string, c *Config, sink connect.Sink) (*Handler, error) {
	h := &Handler{source: "/rhost/hooks/" + name, typ: c.Type, sink: sink}
	if c.SecretFile == "" {
		return h, nil
	}
	secret, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("secret_file: %w", err)
	}
	h.secret = []byte(strings.TrimSpace(string(secret)))
	if len(h.secret) == 0 {
		return nil, fmt.Errorf("secret_file: %s is empty; write the shared secret into it", c.SecretFile)
	}
	return h, nil
}

// ServeHTTP answers 202 when the event is on disk.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, fmt.Sprintf("the body has more than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	if h.secret != nil && !h.signed(body, r.Header.Get("X-Hub-Signature-256")) {
		http.Error(w, "the signature in X-Hub-Signature-256 is missing or wrong", http.StatusUnauthorized)
		return
	}
	if !json.Valid(body) {
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
		return
	}
	ev := event.Event{ID: delivery(r.Header), Source: h.source, Type: h.typ, Time: time.Now().UTC(), Data: body}
	if ev.ID == "" {
		ev.ID = event.NewID(ev.Time)
	}
	if err := ev.Validate(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := h.sink.Submit(r.Context(), connect.Batch{Events: []event.Event{ev}}); err != nil {
		if refused := (*connect.Refusal)(nil); errors.As(err, &refused) {
			w.Header().Set("Retry-After", strconv.Itoa(max(int(math.Ceil(refused.After.Seconds())), 1)))
			http.Error(w, "not accepted: "+err.Error(), http.StatusTooManyRequests)
			return
		}
		w.Header().Set("Retry-After", "5")
		http.Error(w, "not accepted: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// signed compares in constant time, so that a wrong signature tells nothing.
func (h *Handler) signed(body []byte, header string) bool {
	given, err := hex.DecodeString(strings.TrimPrefix(header, "sha256="))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, h.secret)
	mac.Write(body) // a hash never fails to write
	return hmac.Equal(given, mac.Sum(nil))
}

// delivery is the sender's id of this delivery, or "".
func delivery(h http.Header) string {
	for _, name := range []string{"X-GitHub-Delivery", "Webhook-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

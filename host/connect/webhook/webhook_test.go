package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect/connecttest"
	"github.com/rhost/rhost/host/connect/webhook"
)

// secretFile writes a secret as an operator would, with a line break.
func secretFile(t *testing.T, secret string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(name, []byte(secret+"\n"), 0o600))
	return name
}

func handler(t *testing.T, c webhook.Config, sink *connecttest.Sink) *webhook.Handler {
	t.Helper()
	require.NoError(t, c.Validate())
	h, err := webhook.New("github", &c, sink)
	require.NoError(t, err)
	return h
}

func post(h http.Handler, body string, headers map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/hooks/github", strings.NewReader(body))
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestDelivery(t *testing.T) {
	sink := connecttest.NewSink()
	h := handler(t, webhook.Config{Type: "github.push"}, sink)
	body := `{"ref": "main"}`
	for range 2 { // the sender tries again: the same event
		w := post(h, body, map[string]string{"X-GitHub-Delivery": "d-1"})
		assert.Equal(t, http.StatusAccepted, w.Code)
	}
	assert.Equal(t, http.StatusAccepted, post(h, "[]", map[string]string{"Webhook-Id": "w-1"}).Code)
	assert.Equal(t, http.StatusAccepted, post(h, "1", nil).Code)
	events := sink.Events()
	require.Len(t, events, 4)
	for i, id := range []string{"d-1", "d-1", "w-1"} {
		assert.Equal(t, id, events[i].ID)
	}
	assert.NotEmpty(t, events[3].ID)
	assert.Equal(t, "/rhost/hooks/github", events[0].Source)
	assert.Equal(t, "github.push", events[0].Type)
	assert.Equal(t, "main", events[0].Get(event.PathOf("data", "ref")).Str())
	for i := range events {
		assert.NoError(t, events[i].Validate())
	}
}

func TestSignature(t *testing.T) {
	sink := connecttest.NewSink()
	h := handler(t, webhook.Config{Type: "x", SecretFile: secretFile(t, "s3cret")}, sink)
	body := `{"a":1}`
	for name, given := range map[string]string{
		"none": "", "other secret": sign("other", body), "other body": sign("s3cret", body+" "), "not hex": "sha256=zz", "cut": sign("s3cret", body)[:30],
	} {
		w := post(h, body, map[string]string{"X-Hub-Signature-256": given})
		assert.Equal(t, http.StatusUnauthorized, w.Code, name)
	}
	assert.Empty(t, sink.Events())
	assert.Equal(t, http.StatusAccepted, post(h, body, map[string]string{"X-Hub-Signature-256": sign("s3cret", body)}).Code)
	assert.Len(t, sink.Events(), 1)
}

func TestRefusals(t *testing.T) {
	sink := connecttest.NewSink()
	h := handler(t, webhook.Config{Type: "x"}, sink)
	for body, want := range map[string]int{
		"":                       http.StatusBadRequest,
		"a=b":                    http.StatusBadRequest,
		`{"a":1`:                 http.StatusBadRequest,
		`{"a":1,"a":2}`:          http.StatusBadRequest,
		"\"\xff\"":               http.StatusBadRequest,
		strings.Repeat("[", 100): http.StatusBadRequest,
		strings.Repeat("[", 70) + strings.Repeat("]", 70): http.StatusBadRequest,
		`"` + strings.Repeat("x", 1<<20) + `"`:            http.StatusRequestEntityTooLarge,
	} {
		assert.Equal(t, want, post(h, body, nil).Code, body[:min(len(body), 50)])
	}
	assert.Equal(t, http.StatusBadRequest, post(h, "1", map[string]string{"Webhook-Id": "a\x01b"}).Code)
	assert.Empty(t, sink.Events())
	sink.Fail(errors.New("full"))
	w := post(h, "1", nil)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.NotEmpty(t, w.Header().Get("Retry-After"))
}

func TestConfig(t *testing.T) {
	assert.ErrorContains(t, (&webhook.Config{}).Validate(), "type: must name the type of the events")
	assert.ErrorContains(t, (&webhook.Config{Type: "rhost.x"}).Validate(), "which is reserved for the host")
	_, err := webhook.New("x", &webhook.Config{Type: "t", SecretFile: secretFile(t, "")}, nil)
	assert.ErrorContains(t, err, "is empty; write the shared secret into it")
	_, err = webhook.New("x", &webhook.Config{Type: "t", SecretFile: "/none"}, nil)
	assert.ErrorContains(t, err, "secret_file: ")
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"a":1}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		sink := connecttest.NewSink()
		w := post(handler(t, webhook.Config{Type: "x"}, sink), string(body), nil)
		for _, ev := range sink.Events() {
			assert.NoError(t, ev.Validate())
		}
		assert.Equal(t, w.Code == http.StatusAccepted, len(sink.Events()) == 1)
	})
}

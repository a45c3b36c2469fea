package host

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// deadlineWriter notes the deadline for reading a request.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	at time.Time
}

func (w *deadlineWriter) SetReadDeadline(at time.Time) error { w.at = at; return nil }

// A body that does not come is given up; an answer that streams is not ended.
func TestOnlyBodiesHaveADeadline(t *testing.T) {
	h := boundBody(http.NotFoundHandler())
	w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/tail", http.NoBody))
	assert.Zero(t, w.at)
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/events", strings.NewReader("{}")))
	assert.WithinDuration(t, time.Now().Add(bodyTimeout), w.at, time.Second)
}

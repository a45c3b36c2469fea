package oci_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// fakeRegistry is the part of the OCI distribution protocol that clients need: blobs
// in one upload, manifests, tags and referrers. It holds one repository.
type fakeRegistry struct {
	*httptest.Server
	user, password string // asked for unless ""
	noReferrers    bool   // an old registry, without the referrers API

	mu        sync.Mutex
	blobs     map[string][]byte // by digest
	manifests map[string][]byte // by digest and by tag
	types     map[string]string // of manifests
}

func newRegistry(t *testing.T) *fakeRegistry {
	t.Helper()
	r := &fakeRegistry{blobs: map[string][]byte{}, manifests: map[string][]byte{}, types: map[string]string{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *fakeRegistry) host() string { return strings.TrimPrefix(r.URL, "http://") }

func (r *fakeRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if user, password, _ := req.BasicAuth(); r.user != "" && (user != r.user || password != r.password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	rest, ok := strings.CutPrefix(req.URL.Path, "/v2/team/plugin/")
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	what, id, _ := strings.Cut(rest, "/")
	switch {
	case what == "blobs" && id == "uploads/" && req.Method == http.MethodPost:
		w.Header().Set("Location", "/v2/team/plugin/blobs/uploads/1")
		w.WriteHeader(http.StatusAccepted)
	case what == "blobs" && req.Method == http.MethodPut:
		body, _ := io.ReadAll(req.Body)
		if digest(body) != req.URL.Query().Get("digest") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.blobs[digest(body)] = body
		w.WriteHeader(http.StatusCreated)
	case what == "blobs":
		r.give(w, r.blobs, id, "application/octet-stream")
	case what == "manifests" && req.Method == http.MethodPut:
		r.put(w, req, id)
	case what == "manifests":
		r.give(w, r.manifests, id, r.types[id])
	case what == "referrers" && !r.noReferrers:
		r.referrers(w, id)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (r *fakeRegistry) give(w http.ResponseWriter, from map[string][]byte, id, media string) {
	body, ok := from[id]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", media)
	if !strings.HasPrefix(id, "sha256:") { // of a digest the client knows
		w.Header().Set("Docker-Content-Digest", digest(body))
	}
	_, _ = w.Write(body)
}

func (r *fakeRegistry) put(w http.ResponseWriter, req *http.Request, id string) {
	body, _ := io.ReadAll(req.Body)
	for _, name := range []string{id, digest(body)} {
		r.manifests[name], r.types[name] = body, req.Header.Get("Content-Type")
	}
	var m struct {
		Subject *struct{ Digest string } `json:"subject"`
	}
	if json.Unmarshal(body, &m) == nil && m.Subject != nil && !r.noReferrers {
		w.Header().Set("OCI-Subject", m.Subject.Digest)
	}
	w.WriteHeader(http.StatusCreated)
}

func (r *fakeRegistry) referrers(w http.ResponseWriter, subject string) {
	list := []map[string]any{}
	for id, body := range r.manifests {
		var m struct {
			ArtifactType string                   `json:"artifactType"`
			Subject      *struct{ Digest string } `json:"subject"`
		}
		if strings.HasPrefix(id, "sha256:") && json.Unmarshal(body, &m) == nil && m.Subject != nil && m.Subject.Digest == subject {
			list = append(list, map[string]any{"mediaType": r.types[id], "digest": id, "size": len(body), "artifactType": m.ArtifactType})
		}
	}
	w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	_ = json.NewEncoder(w).Encode(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": list})
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

package api

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	maxBody      = 8 << 20 // of a request with events
	defaultLimit = 100
	maxLimit     = 1000
)

// Options says how New works.
type Options struct {
	Version string
	// Local serves a socket that only the owner can open: the Host header, which
	// guards a loopback port against pages in a browser, means nothing there.
	Local bool
	// Guarded says that whoever serves the handler has put it behind Guard.
	Guarded bool
}

// server answers requests from a backend.
type server struct {
	backend Backend
}

// New returns the API over b.
func New(b Backend, o Options) http.Handler {
	mux := http.NewServeMux()
	(&server{backend: b}).routes(mux, o)
	if o.Local || o.Guarded {
		return mux
	}
	return Guard(mux)
}

// routes adds all paths to mux.
func (s *server) routes(mux humago.Mux, o Options) {
	api := humago.New(mux, config(o.Version))
	s.register(api)
	s.handlePlain(mux)
	if o.Local {
		s.registerLocal(api)
	}
}

// Guard lets through what comes from this machine. A page in a browser there may
// send some requests without asking; what changes anything is refused when it comes
// from another origin.
func Guard(h http.Handler) http.Handler {
	return loopbackOnly(http.NewCrossOriginProtection().Handler(h))
}

// Spec returns the OpenAPI 3.1 description as JSON, of all that the local socket
// serves, that of a node of a cluster included.
func Spec(version string) ([]byte, error) {
	api := humago.New(http.NewServeMux(), config(version))
	(&server{}).register(api)
	(&server{}).registerLocal(api)
	return json.MarshalIndent(api.OpenAPI(), "", "  ")
}

func config(version string) huma.Config {
	c := huma.DefaultConfig("rhost", version)
	c.Info.Description = "A reactive automation host: events in, matches and actions out."
	c.DocsPath = "" // its page loads scripts from elsewhere
	c.OpenAPIPath = "/openapi"
	c.CreateHooks = nil // no $schema links in replies
	return c
}

func (s *server) register(api huma.API) {
	events := huma.Operation{
		OperationID: "submit-events", Method: http.MethodPost, Path: "/v1/events", DefaultStatus: http.StatusAccepted,
		Summary: "Accept events", MaxBodyBytes: maxBody,
		Description: "CloudEvents 1.0: structured (application/cloudevents+json), batch (application/cloudevents-batch+json) or binary (ce-* headers). All events of a request are accepted, or none. The reply comes after they are on disk.",
		Errors:      []int{400, 413, 415, 503}, SkipValidateBody: true,
		Responses:   map[string]*huma.Response{"429": describeQuota(api)},
		RequestBody: &huma.RequestBody{},
	}
	huma.Register(api, events, s.submit)
	events.RequestBody.Required = false // an event in binary mode may have no payload
	huma.Get(api, "/v1/matches", s.matches, summary("List recorded matches, oldest first"))
	huma.Get(api, "/v1/matches/{id}", s.match, summary("One recorded match, with the reasons for it"))
	huma.Get(api, "/v1/actions", s.actions, summary("List attempts at steps and ends of executions, oldest first"))
	huma.Get(api, "/v1/deadletters", s.deadLetters, summary("List what failed for good"))
	huma.Post(api, "/v1/deadletters/{id}/redrive", s.redrive, summary("Set a dead letter going again"))
	huma.Delete(api, "/v1/deadletters/{id}", s.drop, summary("Forget a dead letter"))
	huma.Get(api, "/v1/rules/{rule}/plan", s.plan, summary("How a rule is run"))
	huma.Get(api, "/v1/rules/{rule}/why-not", s.whyNot, summary("How far a rule came, and what stopped it"))
	huma.Get(api, "/v1/status", s.status, summary("What is loaded and counted"))
	huma.Get(api, "/v1/plugins", s.plugins, summary("The plugins in force"))
	huma.Get(api, "/v1/plugins/{name}", s.plugin, summary("One plugin, with the versions it has had"))
	describePlain(api.OpenAPI())
	describeCluster(api.OpenAPI())
}

func summary(text string) func(*huma.Operation) {
	return func(o *huma.Operation) { o.Summary = text }
}

// problem turns an error of the backend into a reply.
func problem(err error) error {
	var full *QuotaError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &full):
		return full.problem()
	case errors.Is(err, ErrNotFound):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, ErrInvalid):
		return huma.Error400BadRequest(err.Error())
	case errors.Is(err, ErrTooLarge):
		return huma.NewError(http.StatusRequestEntityTooLarge, err.Error())
	case errors.Is(err, ErrFull):
		return huma.ErrorWithHeaders(huma.Error429TooManyRequests(err.Error()), http.Header{"Retry-After": {"1"}})
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.Canceled):
		return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(err.Error()), http.Header{"Retry-After": {"5"}})
	}
	return huma.Error500InternalServerError(err.Error())
}

// loopbackOnly refuses what does not come from this machine, and requests for a
// name other than the loopback's: a page in a browser that had its own name
// resolve to 127.0.0.1 would otherwise speak for the user.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		remote, _, err := net.SplitHostPort(r.RemoteAddr)
		ip := net.ParseIP(remote)
		if err != nil || ip == nil || !ip.IsLoopback() || !loopbackName(host) {
			WriteProblem(w, http.StatusForbidden, "only loopback may call until authentication exists; use http://127.0.0.1 on this machine")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopbackName(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil && len(host) > 2 && host[0] == '[' {
		ip = net.ParseIP(host[1 : len(host)-1])
	}
	return ip != nil && ip.IsLoopback()
}

package api

import (
	"math"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// QuotaError is the error of a Backend whose tenant has reached a quota: nothing was
// accepted. It is answered with 429.
type QuotaError struct {
	Tenant     string
	Quota      string        // as an operator types it
	Used       int64         // bytes; 0 where the quota is a rate
	Limit      int64         // bytes, or bytes a second
	RetryAfter time.Duration // when it may be worth while to try again
	Err        error         // says all of it, and what to do
}

func (e *QuotaError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *QuotaError) Unwrap() error { return e.Err }

// quotaProblem is the problem of a QuotaError.
type quotaProblem struct {
	huma.ErrorModel
	Tenant string `json:"tenant,omitempty" doc:"Whose quota is reached"`
	Quota  string `json:"quota,omitempty" doc:"Which one, as a key below quotas in rhost.yaml" example:"events.held"`
	Used   int64  `json:"used,omitempty" doc:"Bytes held, where it bounds those"`
	Limit  int64  `json:"limit,omitempty" doc:"Bytes, or bytes a second"`
}

func (e *QuotaError) problem() error {
	p := &quotaProblem{Tenant: e.Tenant, Quota: e.Quota, Used: e.Used, Limit: e.Limit}
	p.Title, p.Status, p.Detail = http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests, e.Error()
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {seconds(e.RetryAfter)}})
}

// seconds is a Retry-After: whole seconds, and at least one.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(int(math.Ceil(d.Seconds())), 1))
}

// describeQuota describes the answer to a request for which there is no room.
func describeQuota(api huma.API) *huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[quotaProblem](), true, "QuotaProblem")
	return &huma.Response{
		Description: "The log's queue is full, or the tenant has reached a quota, which is then named",
		Headers: map[string]*huma.Param{
			"Retry-After": {Description: "Seconds to wait", Schema: &huma.Schema{Type: huma.TypeInteger}},
		},
		Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
}

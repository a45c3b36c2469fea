package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/doyensec/safeurl"
)

// Kind says why a request failed, in words that a workflow and its
// `retry: {on: …}` use.
type Kind string

// The kinds.
const (
	KindInvalid     Kind = "invalid"     // a request that cannot be made
	KindDenied      Kind = "denied"      // somewhere it must not go
	KindTimeout     Kind = "timeout"     // took too long; it may have had its effect
	KindUnavailable Kind = "unavailable" // no connection, or the other side says not now
	KindFail        Kind = "fail"        // the other side says no
	KindLimit       Kind = "limit"       // the request or the response is too large
	// KindStopped says that the caller's context was cancelled. It is no result:
	// the request may be made again.
	KindStopped Kind = "stopped"
)

// Error is the error of a request. Its text names the method, host and path, and
// never the query, which may hold secrets.
type Error struct {
	Kind   Kind
	Status int           // of the response, when there was one
	After  time.Duration // wait that the other side asked for; 0: none
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

func failf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// explain turns an error of the transport into one of ours.
func (r Request) explain(ctx context.Context, err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return &Error{Kind: own.Kind, Status: own.Status, After: own.After, Err: fmt.Errorf("%s: %w", r.name(), own.Err)}
	}
	kind, reason := classify(ctx, err)
	return failf(kind, "%s: %w", r.name(), reason)
}

func classify(ctx context.Context, err error) (Kind, error) {
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return KindStopped, ctx.Err()
	}
	var (
		blocked   *safeurl.AllowedIPError
		port      *safeurl.AllowedPortError
		untrusted *tls.CertificateVerificationError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &blocked):
		return KindDenied, errors.New("its address is private or otherwise special; add its network to egress.private if it may be reached")
	case errors.As(err, &port):
		return KindDenied, errors.New("its port is not allowed; name it in egress.hosts")
	case errors.As(err, &untrusted):
		return KindFail, untrusted
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return KindTimeout, errors.New("no answer in time")
	}
	return KindUnavailable, bare(err)
}

// bare strips the part of an error that names the URL again, query and all.
func bare(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// refused turns a response that is no success into an error.
func (r Request) refused(res *http.Response, body []byte, now time.Time) *Error {
	kind := KindFail
	switch {
	case res.StatusCode >= 500, res.StatusCode == http.StatusTooManyRequests,
		res.StatusCode == http.StatusRequestTimeout, res.StatusCode == http.StatusTooEarly:
		kind = KindUnavailable
	}
	e := failf(kind, "%s answers %s", r.name(), res.Status)
	if text := excerpt(body); text != "" {
		e.Err = fmt.Errorf("%w: %s", e.Err, text)
	}
	e.Status = res.StatusCode
	if kind == KindUnavailable {
		e.After = retryAfter(res.Header.Get("Retry-After"), now)
	}
	return e
}

// excerpt is the beginning of a body, for a message.
func excerpt(body []byte) string {
	text := strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}

// maxAfter bounds what the other side may ask for.
const maxAfter = time.Hour

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return min(max(time.Duration(n)*time.Second, 0), maxAfter)
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(at.Sub(now), 0), maxAfter)
	}
	return 0
}

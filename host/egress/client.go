package egress

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Client makes requests within a Config. It is safe for concurrent use.
type Client struct {
	cfg    Config
	hosts  []host
	also   []host // besides hosts, where narrow is set
	narrow bool
	http   *http.Client
}

// New returns a client, or says everything that is wrong with cfg.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	hosts, private, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, hosts: hosts}
	c.http = &http.Client{
		CheckRedirect: c.redirect,
		Transport: &http.Transport{
			DialContext:            resolved(guard(ports(hosts), private)),
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConns:           100,
			MaxIdleConnsPerHost:    8,
			MaxConnsPerHost:        32,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
	return c, nil
}

// Within returns a client that may ask those of c's hosts alone that hosts, in
// the form of Config.Hosts, allow as well. It shares c's connections.
func (c *Client) Within(hosts []string) (*Client, error) {
	also, _, err := Config{Hosts: hosts}.parse()
	if err != nil {
		return nil, err
	}
	n := &Client{cfg: c.cfg, hosts: c.hosts, also: also, narrow: true}
	n.http = &http.Client{CheckRedirect: n.redirect, Transport: c.http.Transport}
	return n, nil
}

// Close ends the connections that are idle. Requests that run are let be, and
// new ones may still be made.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Do makes a request. Any error is an *Error; a response with a status of 400 or
// more is one too.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	res, err := c.exchange(ctx, r)
	if err != nil {
		return Response{}, err
	}
	if res.StatusCode >= 400 {
		return Response{}, r.refused(res.Response, res.body, time.Now())
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: res.body}, nil
}

// Exchange makes a request and returns the response whatever its status. Any
// error is an *Error.
func (c *Client) Exchange(ctx context.Context, r Request) (Response, error) {
	res, err := c.exchange(ctx, r)
	if err != nil {
		return Response{}, err
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: res.body}, nil
}

// answer is a response whose body has been read.
type answer struct {
	*http.Response
	body []byte
}

func (c *Client) exchange(ctx context.Context, r Request) (answer, error) {
	req, err := c.prepare(r)
	if err != nil {
		return answer{}, r.explain(ctx, err)
	}
	timed, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	res, err := c.http.Do(req.WithContext(timed)) //nolint:bodyclose // read closes it
	if err != nil {
		return answer{}, r.explain(ctx, err)
	}
	body, err := c.read(res)
	if err != nil {
		return answer{}, r.explain(ctx, err)
	}
	return answer{res, body}, nil
}

// prepare checks everything about r that can be known before its host is
// resolved.
func (c *Client) prepare(r Request) (*http.Request, error) {
	if !slices.Contains(methods(), r.Method) {
		return nil, failf(KindInvalid, "%q is no method; use one of %s", r.Method, strings.Join(methods(), ", "))
	}
	if int64(len(r.Body)) > c.cfg.MaxRequest {
		return nil, failf(KindLimit, "the body of %d bytes is too large; at most %d are allowed", len(r.Body), c.cfg.MaxRequest)
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, failf(KindInvalid, "the url cannot be read")
	}
	if err := c.check(u); err != nil {
		return nil, err
	}
	header, err := r.header()
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if r.Body != nil {
		body = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequest(r.Method, r.URL, body) //nolint:noctx // Do adds the context
	if err != nil {
		return nil, failf(KindInvalid, "the request cannot be made")
	}
	req.Header = header
	return req, nil
}

// check reports whether u is a place that may be asked.
func (c *Client) check(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return failf(KindDenied, "scheme %q is not allowed; use https or http", u.Scheme)
	}
	if u.User != nil {
		return failf(KindDenied, "the url holds credentials; send them in a header")
	}
	name, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if addr, err := netip.ParseAddr(name); err == nil && addr.Zone() != "" || name == "" || strings.Contains(name, "%") {
		return failf(KindDenied, "host %q is not allowed", u.Host)
	}
	allowed := func(h host) bool { return h.allows(name, port) }
	if !slices.ContainsFunc(c.hosts, allowed) {
		return failf(KindDenied, "host %s is not allowed; add it to egress.hosts", net.JoinHostPort(name, port))
	}
	if c.narrow && !slices.ContainsFunc(c.also, allowed) {
		return failf(KindDenied, "host %s is not among those of this plugin", net.JoinHostPort(name, port))
	}
	return nil
}

// redirect decides whether a redirect is followed. What the request carries is
// meant for the host it was made for.
func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	first, last := via[0], via[len(via)-1]
	if len(via) > c.cfg.MaxRedirects {
		return failf(KindFail, "more than %d redirects", c.cfg.MaxRedirects)
	}
	if err := c.check(req.URL); err != nil {
		return failf(KindDenied, "it redirects to where it must not: %w", err)
	}
	if last.URL.Scheme == "https" && req.URL.Scheme == "http" {
		return failf(KindDenied, "it redirects from https to http")
	}
	if req.URL.Host != first.URL.Host {
		for name := range req.Header {
			if name != "Content-Type" && name != "User-Agent" {
				req.Header.Del(name)
			}
		}
	}
	req.Header.Del("Referer")
	return nil
}

// read reads the body and closes it. The transport has decompressed it.
func (c *Client) read(res *http.Response) (body []byte, err error) {
	defer func() {
		if closeErr := res.Body.Close(); err == nil && closeErr != nil {
			err = closeErr
		}
	}()
	body, err = io.ReadAll(io.LimitReader(res.Body, c.cfg.MaxResponse+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > c.cfg.MaxResponse {
		return nil, failf(KindLimit, "the response is larger than %d bytes; raise egress.max_response if it is wanted", c.cfg.MaxResponse)
	}
	return body, nil
}

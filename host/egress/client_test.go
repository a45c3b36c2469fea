package egress_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rhost/rhost/host/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.HandlerFunc) (base, hostPort string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	return s.URL, u.Host
}

func client(t *testing.T, cfg egress.Config) *egress.Client {
	t.Helper()
	c, err := egress.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func failure(t *testing.T, err error) *egress.Error {
	t.Helper()
	var e *egress.Error
	require.ErrorAs(t, err, &e)
	return e
}

func TestDo(t *testing.T) {
	base, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, "PUT", r.Method)
		assert.Equal(t, "/a/b?c=d", r.URL.String())
		assert.Equal(t, `{"x":1}`, string(body))
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.Equal(t, "x-1/http", r.Header.Get("Idempotency-Key"))
		assert.Equal(t, "rhost", r.Header.Get("User-Agent"))
		assert.Equal(t, "v", r.Header.Get("X-Own"))
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusCreated)
		_, err = fmt.Fprint(w, `{"id":7}`)
		assert.NoError(t, err)
	})
	req, err := egress.ParseRequest([]byte(`{"method":"PUT","url":"`+base+`/a/b?c=d","headers":{"x-own":"v"},"body":{"x":1}}`), "x-1/http")
	require.NoError(t, err)
	res, err := client(t, egress.Config{Hosts: []string{host}}).Do(t.Context(), req)
	require.NoError(t, err)
	out, err := res.Output()
	require.NoError(t, err)
	date := res.Header.Get("Date")
	assert.JSONEq(t, `{"status":201,"headers":{"content-type":"application/json","content-length":"8","date":"`+date+`"},"body":{"id":7}}`, string(out))
}

func TestStatuses(t *testing.T) {
	base, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, err := fmt.Sscanf(r.URL.Path, "/%d", &status)
		assert.NoError(t, err)
		if after := r.URL.Query().Get("after"); after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(status)
		if _, err := fmt.Fprint(w, "the\n\x1breason"); status != http.StatusNoContent && status != http.StatusNotModified {
			assert.NoError(t, err)
		}
	})
	c := client(t, egress.Config{Hosts: []string{host}})
	for _, tc := range []struct {
		path  string
		kind  egress.Kind
		after time.Duration
	}{
		{"/200", "", 0},
		{"/204", "", 0},
		{"/304", "", 0},
		{"/400", egress.KindFail, 0},
		{"/404?secret=x", egress.KindFail, 0},
		{"/409?after=5", egress.KindFail, 0},
		{"/408", egress.KindUnavailable, 0},
		{"/425", egress.KindUnavailable, 0},
		{"/429?after=5", egress.KindUnavailable, 5 * time.Second},
		{"/500", egress.KindUnavailable, 0},
		{"/503?after=99999999", egress.KindUnavailable, time.Hour},
		{"/503?after=-1", egress.KindUnavailable, 0},
		{"/503?after=Mon,%2001%20Jan%202001%2000:00:00%20GMT", egress.KindUnavailable, 0},
		{"/503?after=soon", egress.KindUnavailable, 0},
	} {
		t.Run(tc.path, func(t *testing.T) {
			_, err := c.Do(t.Context(), egress.Request{Method: "POST", URL: base + tc.path})
			if tc.kind == "" {
				require.NoError(t, err)
				return
			}
			e := failure(t, err)
			assert.Equal(t, tc.kind, e.Kind)
			assert.Equal(t, tc.after, e.After)
			path, _, _ := strings.Cut(tc.path, "?")
			assert.Regexp(t, "^POST "+base+path+` answers \d+ [A-Z][A-Za-z ]+: the reason$`, e.Error(), "without the query, without control characters")
		})
	}
}

func TestRefusedPlaces(t *testing.T) {
	base, host := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the request arrived") })
	port := host[strings.LastIndex(host, ":")+1:]
	everywhere := egress.Config{Hosts: []string{"*", "*:" + port}}
	for _, tc := range []struct{ name, url, want string }{
		{"loopback", base + "/", "its address is private or otherwise special; add its network to egress.private if it may be reached"},
		{"by name", "http://localhost:" + port + "/?q", "its address is private"},
		{"loopback 6", "http://[::1]:" + port + "/", "its address is private"},
		{"mapped", "http://[::ffff:127.0.0.1]:" + port + "/", "its address is private"},
		{"mapped hex", "http://[::ffff:7f00:1]:" + port + "/", "its address is private"},
		{"compatible", "http://[::127.0.0.1]:" + port + "/", "its address is private"},
		{"nat64", "http://[64:ff9b::7f00:1]:" + port + "/", "its address is private"},
		{"local nat64", "http://[64:ff9b:1::7f00:1]:" + port + "/", "its address is private"},
		{"6to4", "http://[2002:7f00:1::]:" + port + "/", "its address is private"},
		{"unspecified", "http://0.0.0.0:" + port + "/", "its address is private"},
		{"metadata", "http://169.254.169.254/latest/meta-data", "its address is private"},
		{"private", "http://10.0.0.1/", "its address is private"},
		{"shared", "http://100.64.0.1/", "its address is private"},
		{"unique local", "http://[fd00::1]/", "its address is private"},
		{"site local", "http://[fec0::1]/", "its address is private"},
		{"link local with zone", "http://[fe80::1%25eth0]/", "is not allowed"},
		{"scheme", "file:///etc/passwd", `scheme "file" is not allowed; use https or http`},
		{"no scheme", "//example.com/", `scheme "" is not allowed`},
		{"credentials", "http://user:pass@example.com/", "the url holds credentials; send them in a header"},
		{"no host", "http:///x", "is not allowed"},
		{"port", "http://example.com:22/", "host example.com:22 is not allowed; add it to egress.hosts"},
		{"not a url", "http://exa mple.com/\x7f", "the url cannot be read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := client(t, everywhere).Do(t.Context(), egress.Request{Method: "GET", URL: tc.url})
			e := failure(t, err)
			assert.Contains(t, e.Error(), tc.want)
			assert.NotContains(t, e.Error(), "user:pass")
			if tc.name != "not a url" {
				assert.Equal(t, egress.KindDenied, e.Kind)
			}
		})
	}
}

func TestHosts(t *testing.T) {
	for _, tc := range []struct {
		hosts string
		url   string
		want  bool
	}{
		{"", "http://example.com/", false},
		{"example.com", "http://example.com/", true},
		{"example.com", "https://EXAMPLE.com/", true},
		{"Example.com", "https://example.com/", true},
		{"example.com", "https://example.com:443/", true},
		{"example.com", "https://example.com:8443/", false},
		{"example.com:8443", "https://example.com:8443/", true},
		{"example.com:8443", "https://example.com/", false},
		{"example.com", "http://sub.example.com/", false},
		{"example.com", "http://notexample.com/", false},
		{"*.example.com", "http://sub.example.com/", true},
		{"*.example.com", "http://a.b.example.com/", true},
		{"*.example.com", "http://example.com/", false},
		{"*.example.com", "http://notexample.com/", false},
		{"*", "http://anything.example/", true},
		{"*", "http://anything.example:81/", false},
		{"*:81", "http://anything.example:81/", true},
		{"192.0.2.7", "http://192.0.2.7/", true},
		{"192.0.2.7", "http://[::ffff:192.0.2.7]/", true},
		{"192.0.2.7", "http://192.0.2.8/", false},
		{"[2001:db8::1]:80", "http://[2001:db8:0::1]/", true},
		{"2001:db8::1", "http://[2001:db8::1]/", true},
	} {
		t.Run(tc.hosts+" "+tc.url, func(t *testing.T) {
			var hosts []string
			if tc.hosts != "" {
				hosts = []string{tc.hosts}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // what is allowed goes no further than here
			_, err := client(t, egress.Config{Hosts: hosts}).Do(ctx, egress.Request{Method: "GET", URL: tc.url})
			want := egress.KindDenied
			if tc.want {
				want = egress.KindStopped
			}
			assert.Equal(t, want, failure(t, err).Kind)
		})
	}
}

func TestPrivate(t *testing.T) {
	base, host := serve(t, func(http.ResponseWriter, *http.Request) {})
	port := host[strings.LastIndex(host, ":")+1:]
	for _, cfg := range []egress.Config{
		{Hosts: []string{host}},
		{Hosts: []string{"*:" + port}, Private: []string{"127.0.0.0/8"}},
	} {
		_, err := client(t, cfg).Do(t.Context(), egress.Request{Method: "GET", URL: base})
		require.NoError(t, err, "%v", cfg)
	}
	_, err := client(t, egress.Config{Hosts: []string{"localhost:" + port}, Private: []string{"127.0.0.0/8", "::1/128"}}).
		Do(t.Context(), egress.Request{Method: "GET", URL: "http://localhost:" + port})
	require.NoError(t, err)
	_, err = client(t, egress.Config{Hosts: []string{host}, Private: []string{"10.0.0.0/8"}}).
		Do(t.Context(), egress.Request{Method: "GET", URL: "http://169.254.169.254/"})
	assert.Equal(t, egress.KindDenied, failure(t, err).Kind, "what is not listed stays out")
}

func TestRedirects(t *testing.T) {
	var seen http.Header
	target, targetHost := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen = r.Header })
	base, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/same":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		case "/end":
			seen = r.Header
		case "/away":
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}
	})
	get := func(c *egress.Client, path string) error {
		seen = nil
		_, err := c.Do(t.Context(), egress.Request{Method: "POST", URL: base + path, Key: "k", Body: []byte("{}"), ContentType: "application/json", Header: map[string]string{"X-Token": "secret"}})
		return err
	}
	c := client(t, egress.Config{Hosts: []string{host, targetHost, "169.254.0.1"}})
	require.NoError(t, get(c, "/same"))
	assert.Equal(t, "secret", seen.Get("X-Token"))
	assert.Equal(t, "k", seen.Get("Idempotency-Key"))
	assert.Empty(t, seen.Get("Referer"))

	require.NoError(t, get(c, "/away"))
	assert.Empty(t, seen.Get("X-Token"), "another host gets no headers")
	assert.Empty(t, seen.Get("Idempotency-Key"))
	assert.Equal(t, "application/json", seen.Get("Content-Type"))

	assert.ErrorContains(t, get(c, "/loop"), "more than 5 redirects")
	for path, want := range map[string]string{"/metadata": "169.254.169.254:80 is not allowed", "/file": `scheme "file" is not allowed`} {
		err := get(c, path)
		assert.Equal(t, egress.KindDenied, failure(t, err).Kind)
		assert.ErrorContains(t, err, want)
	}
	err := get(client(t, egress.Config{Hosts: []string{host}}), "/away")
	assert.Equal(t, egress.KindDenied, failure(t, err).Kind)
	err = get(client(t, egress.Config{Hosts: []string{host, "*"}}), "/metadata")
	assert.ErrorContains(t, err, "its address is private", "even where every host is allowed")
}

func TestSizes(t *testing.T) {
	base, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bomb" {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 1000 {
				if _, err := z.Write(make([]byte, 1<<20)); err != nil {
					return // the client has had enough
				}
			}
			assert.NoError(t, z.Close())
			return
		}
		_, err := w.Write(bytes.Repeat([]byte("x"), 1000))
		assert.NoError(t, err)
	})
	do := func(cfg egress.Config, path string, body []byte) error {
		cfg.Hosts = []string{host}
		_, err := client(t, cfg).Do(t.Context(), egress.Request{Method: "POST", URL: base + path, Body: body})
		return err
	}
	require.NoError(t, do(egress.Config{MaxResponse: 1000, MaxRequest: 10}, "/", make([]byte, 10)))
	for _, err := range []error{
		do(egress.Config{MaxResponse: 999}, "/", nil),
		do(egress.Config{}, "/bomb", nil),
		do(egress.Config{MaxRequest: 10}, "/", make([]byte, 11)),
	} {
		assert.Equal(t, egress.KindLimit, failure(t, err).Kind)
	}
}

func TestTimes(t *testing.T) {
	hold := make(chan struct{})
	base, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.WriteHeader(http.StatusOK)
			assert.NoError(t, http.NewResponseController(w).Flush())
		}
		<-hold
	})
	defer close(hold)
	c := client(t, egress.Config{Hosts: []string{host}, Timeout: 20 * time.Millisecond})
	for _, path := range []string{"/", "/body"} {
		_, err := c.Do(t.Context(), egress.Request{Method: "GET", URL: base + path})
		assert.Equal(t, egress.KindTimeout, failure(t, err).Kind)
		assert.EqualError(t, err, "GET "+base+path+": no answer in time")
	}
	slow := client(t, egress.Config{Hosts: []string{host}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := slow.Do(ctx, egress.Request{Method: "GET", URL: base})
	assert.Equal(t, egress.KindTimeout, failure(t, err).Kind, "the step's own deadline")

	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = slow.Do(ctx, egress.Request{Method: "GET", URL: base})
	assert.Equal(t, egress.KindStopped, failure(t, err).Kind)
}

func TestUnavailable(t *testing.T) {
	s := httptest.NewServer(nil)
	base, host := s.URL, strings.TrimPrefix(s.URL, "http://")
	s.Close()
	_, err := client(t, egress.Config{Hosts: []string{host}}).Do(t.Context(), egress.Request{Method: "GET", URL: base + "/?secret=1"})
	assert.Equal(t, egress.KindUnavailable, failure(t, err).Kind)
	assert.ErrorContains(t, err, "connection refused")
	assert.NotContains(t, err.Error(), "secret")
}

func TestUntrustedCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of our refusal
	s.StartTLS()
	defer s.Close()
	_, err := client(t, egress.Config{Hosts: []string{strings.TrimPrefix(s.URL, "https://")}}).
		Do(t.Context(), egress.Request{Method: "GET", URL: s.URL})
	assert.Equal(t, egress.KindFail, failure(t, err).Kind)
	assert.ErrorContains(t, err, "certificate")
}

func TestInvalidRequests(t *testing.T) {
	c := client(t, egress.Config{Hosts: []string{"example.com"}})
	for _, tc := range []struct {
		name string
		req  egress.Request
		want string
	}{
		{"method", egress.Request{Method: "get"}, `"get" is no method; use one of GET, HEAD`},
		{"header name", egress.Request{Method: "GET", Header: map[string]string{"a b": ""}}, `header "a b" cannot be sent`},
		{"header value", egress.Request{Method: "GET", Header: map[string]string{"a": "b\r\nc: d"}}, `header "a" cannot be sent`},
		{"own header", egress.Request{Method: "GET", Header: map[string]string{"host": "b"}}, "header Host is set by the host; leave it out"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.req.URL = "http://example.com/"
			_, err := c.Do(t.Context(), tc.req)
			assert.Equal(t, egress.KindInvalid, failure(t, err).Kind)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

// TestWithin narrows a client for one of its users.
func TestWithin(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://localhost:"+r.Host[strings.LastIndexByte(r.Host, ':')+1:]+"/", http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(srv.Close)
	where := strings.TrimPrefix(srv.URL, "http://")
	port := where[strings.LastIndexByte(where, ':'):]
	c, err := egress.New(egress.Config{Hosts: []string{where, "localhost" + port}, Private: []string{"127.0.0.0/8", "::1/128"}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	narrow, err := c.Within([]string{"127.0.0.1" + port, "elsewhere.example"})
	require.NoError(t, err)

	res, err := narrow.Exchange(t.Context(), egress.Request{Method: "GET", URL: srv.URL + "/"})
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, res.Status, "any status is an answer")
	for name, url := range map[string]string{
		"not of the plugin's":   "http://localhost" + port + "/",
		"by a redirect":         srv.URL + "/away",
		"not of the operator's": "http://elsewhere.example/",
	} {
		_, err := narrow.Exchange(t.Context(), egress.Request{Method: "GET", URL: url})
		var e *egress.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, egress.KindDenied, e.Kind, name)
	}
	_, err = c.Within([]string{"not a host"})
	assert.ErrorContains(t, err, `hosts[0]: "not a host" is no host`)
	none, err := c.Within(nil)
	require.NoError(t, err)
	_, err = none.Exchange(t.Context(), egress.Request{Method: "GET", URL: srv.URL})
	assert.ErrorContains(t, err, "is not among those of this plugin")
}

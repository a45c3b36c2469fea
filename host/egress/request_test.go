package egress_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/egress"
)

func TestParseRequest(t *testing.T) {
	for _, c := range []struct {
		name, args string
		want       egress.Request
	}{
		{"least", `{"method":"GET","url":"u"}`, egress.Request{Method: "GET", URL: "u", Key: "k"}},
		{"text", `{"method":"POST","url":"u","body":"a"}`, egress.Request{Method: "POST", URL: "u", Key: "k", Body: []byte("a"), ContentType: "text/plain; charset=utf-8"}},
		{"json", `{"method":"POST","url":"u","body":[1]}`, egress.Request{Method: "POST", URL: "u", Key: "k", Body: []byte("[1]"), ContentType: "application/json"}},
		{"null", `{"method":"POST","url":"u","body":null}`, egress.Request{Method: "POST", URL: "u", Key: "k"}},
		{"headers", `{"headers":{"A":"b","N":5,"T":true}}`, egress.Request{Key: "k", Header: map[string]string{"A": "b", "N": "5", "T": "true"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := egress.ParseRequest([]byte(c.args), "k")
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
	for _, args := range []string{``, `[]`, `{"url":5}`, `{"headers":{"a":[]}}`, `{"headers":{"a":null}}`, `{"headers":[]}`} {
		_, err := egress.ParseRequest([]byte(args), "k")
		assert.Equal(t, egress.KindInvalid, failure(t, err).Kind, args)
	}
}

func TestOutputBody(t *testing.T) {
	for _, c := range []struct{ name, contentType, body, want string }{
		{"json", "application/json; charset=utf-8", `{"a": "<"}`, `{"a":"<"}`},
		{"json suffix", "application/problem+json", `1`, `1`},
		{"no json after all", "application/json", `{`, `"{"`},
		{"text", "text/plain", `{"a":1}`, `"{\"a\":1}"`},
		{"nothing", "text/plain", ``, `null`},
		{"bytes", "image/png", "\xff\x00", `{"base64":"/wA="}`},
		{"json of bytes", "application/json", "\"\xff\"", `{"base64":"Iv8i"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := egress.Response{Status: 200, Header: http.Header{"Content-Type": {c.contentType}}, Body: []byte(c.body)}.Output()
			require.NoError(t, err)
			assert.Equal(t, `{"body":`+c.want+`,"headers":{"content-type":"`+c.contentType+`"},"status":200}`, string(out))
		})
	}
}

func TestConfigValidate(t *testing.T) {
	require.NoError(t, egress.Config{}.Validate())
	assert.EqualError(t, egress.Config{
		Hosts:   []string{"ok.example", "http://x/", "a b", "x:99999", "x:http", "*.*", "", "[fe80::1%eth0]"},
		Private: []string{"10.0.0.0/8", "10.0.0.1"}, Timeout: -1,
	}.Validate(), `hosts[1]: "http://x/" is no host; write a name, "*.name", "*" or an address, and a port if it is not 80 or 443
hosts[2]: "a b" is no host; write a name, "*.name", "*" or an address, and a port if it is not 80 or 443
hosts[3]: "x:99999": "99999" is no port
hosts[4]: "x:http": "http" is no port
hosts[5]: "*.*" is no host; write a name, "*.name", "*" or an address, and a port if it is not 80 or 443
hosts[6]: "" is no host; write a name, "*.name", "*" or an address, and a port if it is not 80 or 443
hosts[7]: "[fe80::1%eth0]" is no host; write a name, "*.name", "*" or an address, and a port if it is not 80 or 443
private[1]: "10.0.0.1" is no network; write an address and its bits, such as 10.1.0.0/16
timeout: is below 0; leave it out for the default`)
}

// FuzzParseRequest: whatever a step's arguments come out as, it is refused or
// fails, for nobody listens at the one place that is allowed.
func FuzzParseRequest(f *testing.F) {
	f.Add(`{"method":"GET","url":"http://[fe80::1%25eth0]/","headers":{"a":"b"},"body":"x"}`)
	c, err := egress.New(egress.Config{Hosts: []string{"127.0.0.1:1"}})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, args string) {
		req, err := egress.ParseRequest([]byte(args), "k")
		if err != nil {
			return
		}
		_, err = c.Do(t.Context(), req)
		require.Error(t, err)
	})
}

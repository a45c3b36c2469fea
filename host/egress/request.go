package egress

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Request is a request to make.
type Request struct {
	Method string
	URL    string
	Header map[string]string
	// Body is nil for none.
	Body []byte
	// ContentType of the body, unless Header says one.
	ContentType string
	// Key is sent as Idempotency-Key, unless Header says one or it is empty.
	Key string
}

// ParseRequest reads the evaluated arguments of an http step:
// {"method", "url", "headers", "body"}. A body that is text is sent as it is, any
// other value as JSON. The error is an *Error of KindInvalid.
func ParseRequest(args json.RawMessage, key string) (Request, error) {
	var in struct {
		Method  string                     `json:"method"`
		URL     string                     `json:"url"`
		Headers map[string]json.RawMessage `json:"headers"`
		Body    json.RawMessage            `json:"body"`
	}
	if err := json.Unmarshal(args, &in); err != nil {
		return Request{}, failf(KindInvalid, "http: method and url must come out as text, headers as a map: %w", err)
	}
	r := Request{Method: in.Method, URL: in.URL, Key: key}
	for name, raw := range in.Headers {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return Request{}, failf(KindInvalid, "http: header %s: %w", name, err)
		}
		switch v.(type) {
		case string, float64, bool:
		default:
			return Request{}, failf(KindInvalid, "http: header %s is %s, which is no text", name, raw)
		}
		if r.Header == nil {
			r.Header = make(map[string]string)
		}
		r.Header[name] = fmt.Sprint(v)
	}
	var text string
	switch {
	case len(in.Body) == 0 || string(in.Body) == "null":
	case json.Unmarshal(in.Body, &text) == nil:
		r.Body, r.ContentType = []byte(text), "text/plain; charset=utf-8"
	default:
		r.Body, r.ContentType = in.Body, "application/json"
	}
	return r, nil
}

// name is how errors call the request.
func (r Request) name() string {
	u, err := url.Parse(r.URL)
	if err != nil {
		return r.Method
	}
	return fmt.Sprintf("%s %s://%s%s", r.Method, u.Scheme, u.Host, u.EscapedPath())
}

// methods are those that a request may have.
func methods() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
	}
}

// kept are the headers that the client alone sets.
func kept() []string {
	return []string{
		"Accept-Encoding", "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	}
}

// header checks and completes the headers.
func (r Request) header() (http.Header, error) {
	h := make(http.Header)
	for name, value := range r.Header {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !isToken(name) || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
			return nil, failf(KindInvalid, "header %q cannot be sent: a name has letters, digits and '-', a value no control characters", name)
		case slices.Contains(kept(), canonical):
			return nil, failf(KindInvalid, "header %s is set by the host; leave it out", canonical)
		}
		h.Set(canonical, value)
	}
	setDefault(h, "User-Agent", "rhost")
	if r.Key != "" {
		setDefault(h, "Idempotency-Key", r.Key)
	}
	if r.Body != nil && r.ContentType != "" {
		setDefault(h, "Content-Type", r.ContentType)
	}
	return h, nil
}

func setDefault(h http.Header, name, value string) {
	if h.Get(name) == "" {
		h.Set(name, value)
	}
}

func isToken(s string) bool {
	return s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == ""
}

// Response is an answer that is a success: a status below 400.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // decompressed
}

// Output is the response as the output of a step:
// {"status", "headers", "body"}. Header names are in lower case; cookies are left
// out. The body is a JSON value if it says that it is one and is, else text, else
// {"base64": …}.
func (r Response) Output() (json.RawMessage, error) {
	headers := make(map[string]string, len(r.Header))
	for name, values := range r.Header {
		if name != "Set-Cookie" {
			headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	out := map[string]any{"status": r.Status, "headers": headers}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	isJSON := err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
	switch {
	case len(r.Body) == 0:
		out["body"] = nil
	case isJSON && json.Valid(r.Body) && utf8.Valid(r.Body):
		out["body"] = json.RawMessage(r.Body)
	case utf8.Valid(r.Body):
		out["body"] = string(r.Body)
	default:
		out["body"] = map[string]string{"base64": base64.StdEncoding.EncodeToString(r.Body)}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return nil, fmt.Errorf("encode response: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

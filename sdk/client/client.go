package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrNoHost is the error of a socket that nobody serves.
var ErrNoHost = errors.New("no host is running")

// maxLine bounds one message of a stream; an event has at most 1 MiB.
const maxLine = 4 << 20

// Client reaches one host.
type Client struct {
	http *http.Client
	base string
}

// Error is the host's answer to a request it did not carry out.
type Error struct {
	Status int    // of HTTP
	Detail string // what is wrong and what to do
}

func (e *Error) Error() string { return e.Detail }

// Dial returns a client of the host that serves the local socket, or ErrNoHost.
func Dial(socket string) (*Client, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.Dial("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("%w at %s: %w", ErrNoHost, socket, err)
	}
	if err := conn.Close(); err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", socket)
	}}
	return &Client{http: &http.Client{Transport: transport}, base: "http://rhost"}, nil
}

// New returns a client of the host whose API is at the address, such as
// http://127.0.0.1:4000.
func New(address string) *Client {
	return &Client{http: &http.Client{Transport: &http.Transport{}}, base: strings.TrimSuffix(address, "/")}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Query chooses records. Zero fields choose all.
type Query struct {
	Rule   string
	Status string // actions only
	Since  time.Time
	Cursor uint64
	Limit  int // 1 to 1,000; 0: 100
}

// Page is a run of records; Cursor is 0 when there was nothing more.
type Page struct {
	// Since is when the log begins, where its beginning was removed.
	Since  time.Time         `json:"since,omitzero"`
	Items  []json.RawMessage `json:"items"`
	Cursor uint64            `json:"cursor"`
}

// Submit sends structured CloudEvents as one batch; all are accepted and on
// disk, or none.
func (c *Client) Submit(ctx context.Context, events ...json.RawMessage) error {
	body, err := json.Marshal(events)
	if err != nil {
		return fmt.Errorf("encode events: %w", err)
	}
	return c.call(ctx, http.MethodPost, "/v1/events", "application/cloudevents-batch+json", body, nil)
}

// Matches returns a page of recorded matches, oldest first.
func (c *Client) Matches(ctx context.Context, q Query) (Page, error) {
	return get[Page](ctx, c, "/v1/matches?"+q.encode())
}

// Actions returns a page of actions, oldest first.
func (c *Client) Actions(ctx context.Context, q Query) (Page, error) {
	return get[Page](ctx, c, "/v1/actions?"+q.encode())
}

// Match returns one recorded match with its reasons.
func (c *Client) Match(ctx context.Context, id string) (json.RawMessage, error) {
	return get[json.RawMessage](ctx, c, "/v1/matches/"+url.PathEscape(id))
}

// Plan returns how a rule is run.
func (c *Client) Plan(ctx context.Context, rule string) (json.RawMessage, error) {
	return get[json.RawMessage](ctx, c, "/v1/rules/"+url.PathEscape(rule)+"/plan")
}

// WhyNot returns a rule's furthest partial match and what stopped it.
func (c *Client) WhyNot(ctx context.Context, rule string) (json.RawMessage, error) {
	return get[json.RawMessage](ctx, c, "/v1/rules/"+url.PathEscape(rule)+"/why-not")
}

// Status describes the host.
func (c *Client) Status(ctx context.Context) (json.RawMessage, error) {
	return get[json.RawMessage](ctx, c, "/v1/status")
}

// Cluster describes the cluster that the host is a node of.
func (c *Client) Cluster(ctx context.Context) (json.RawMessage, error) {
	return get[json.RawMessage](ctx, c, "/v1/cluster")
}

// ChangeCluster has the node, over its local socket, drain, undrain or rebalance, and
// describes the cluster afterwards.
func (c *Client) ChangeCluster(ctx context.Context, what string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodPost, "/v1/cluster/"+what, "", nil, &out)
}

// ForgetInCluster has the node, over its local socket, take one that has gone for good out
// of the cluster, and describes the cluster afterwards.
func (c *Client) ForgetInCluster(ctx context.Context, node string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodPost, "/v1/cluster/forget?"+url.Values{"node": {node}}.Encode(), "", nil, &out)
}

// BackupCluster has the node, over its local socket, back up the cluster's log into a
// folder of its machine, and returns what was written.
func (c *Client) BackupCluster(ctx context.Context, out string) (json.RawMessage, error) {
	var res json.RawMessage
	return res, c.call(ctx, http.MethodPost, "/v1/cluster/backup?"+url.Values{"out": {out}}.Encode(), "", nil, &res)
}

// DeadLetters returns what failed for good and waits for a person.
func (c *Client) DeadLetters(ctx context.Context) ([]json.RawMessage, error) {
	page, err := get[Page](ctx, c, "/v1/deadletters")
	return page.Items, err
}

// Redrive sets a dead letter going again.
func (c *Client) Redrive(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, "/v1/deadletters/"+url.PathEscape(id)+"/redrive", "", nil, nil)
}

// Drop forgets a dead letter.
func (c *Client) Drop(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/v1/deadletters/"+url.PathEscape(id), "", nil, nil)
}

// Plugins describes the plugins in force.
func (c *Client) Plugins(ctx context.Context) ([]json.RawMessage, error) {
	page, err := get[Page](ctx, c, "/v1/plugins")
	return page.Items, err
}

// Plugin describes one, with the versions it has had.
func (c *Client) Plugin(ctx context.Context, name string) (json.RawMessage, error) {
	return get[json.RawMessage](ctx, c, "/v1/plugins/"+url.PathEscape(name))
}

// Upload is a version of a plugin.
type Upload struct {
	Kind      string // wasm, lua or js
	Source    []byte
	Signature []byte // what its .sig file holds; nil: none
	Allow     bool   // it may follow a version that it could not follow by itself
}

// PutPlugin brings bytes into force as a version of a plugin. It needs the local
// socket, as the other two that change plugins do.
func (c *Client) PutPlugin(ctx context.Context, name string, u Upload) (json.RawMessage, error) {
	query := url.Values{"kind": {u.Kind}}
	if u.Allow {
		query.Set("allow", "true")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.base+"/v1/plugins/"+url.PathEscape(name)+"?"+query.Encode(), bytes.NewReader(u.Source))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	if u.Signature != nil {
		req.Header.Set("Rhost-Signature", base64.StdEncoding.EncodeToString(u.Signature))
	}
	var out json.RawMessage
	return out, c.do(req, &out)
}

// ActivatePlugin brings a version back into force. digest may be the beginning of
// one.
func (c *Client) ActivatePlugin(ctx context.Context, name, digest string) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]string{"digest": digest})
	if err != nil {
		return nil, err
	}
	var out json.RawMessage
	return out, c.call(ctx, http.MethodPost, "/v1/plugins/"+url.PathEscape(name)+"/activate", "application/json", body, &out)
}

// RollbackPlugin brings the version before the present one back into force.
func (c *Client) RollbackPlugin(ctx context.Context, name string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodPost, "/v1/plugins/"+url.PathEscape(name)+"/rollback", "", nil, &out)
}

// Apply sends a bundle, as the API describes it, and gives what it changed.
func (c *Client) Apply(ctx context.Context, bundle json.RawMessage) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodPost, "/v1/apply", "application/json", bundle, &out)
}

// Tail calls fn with each message of the topics as it happens. It returns nil
// when ctx ends, io.ErrUnexpectedEOF when the host goes away, fn's error when fn
// fails.
func (c *Client) Tail(ctx context.Context, topics []string, fn func(json.RawMessage) error) error {
	return c.tail(ctx, url.Values{"topic": topics}, fn)
}

// TailSince is Tail of one topic that is kept, from behind the message with the id
// since on; "0" stands for all that is kept. Messages that are not kept any more are
// told as an object with gap.
func (c *Client) TailSince(ctx context.Context, topic, since string, fn func(json.RawMessage) error) error {
	return c.tail(ctx, url.Values{"topic": {topic}, "since": {since}}, fn)
}

func (c *Client) tail(ctx context.Context, q url.Values, fn func(json.RawMessage) error) error {
	req, err := c.request(ctx, http.MethodGet, "/v1/tail?"+q.Encode(), "", nil)
	if err != nil {
		return err
	}
	res, err := c.send(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		if err := fn(bytes.Clone(lines.Bytes())); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("follow the host: %w", err)
	}
	return io.ErrUnexpectedEOF
}

func (q Query) encode() string {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("rule", q.Rule)
	set("status", q.Status)
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Cursor > 0 {
		v.Set("cursor", strconv.FormatUint(q.Cursor, 10))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v.Encode()
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var out T
	return out, c.call(ctx, http.MethodGet, path, "", nil, &out)
}

// call sends a request and decodes the reply into out, unless that is nil.
func (c *Client) call(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	req, err := c.request(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	return c.do(req, out)
}

// do sends a request and decodes the reply into out, unless that is nil.
func (c *Client) do(req *http.Request, out any) error {
	res, err := c.send(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if out == nil {
		_, err := io.Copy(io.Discard, res.Body) // so that the connection is used again
		return err
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: decode reply: %w", req.Method, req.URL.Path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path, contentType string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req, nil
}

// send returns a reply with a status below 300; any other is an *Error.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the host: %w", err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("ask the host: %w", err)
	}
	var problem struct {
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	detail := strings.TrimSpace(string(text))
	if json.Unmarshal(text, &problem) == nil && problem.Detail != "" {
		detail = problem.Detail
		for _, e := range problem.Errors {
			detail += "; " + e.Location + ": " + e.Message
		}
	}
	return nil, &Error{Status: res.StatusCode, Detail: detail}
}

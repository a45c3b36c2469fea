package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/yamldoc"
)

// fixtureResult is what `plugin test --json` prints of a fixture.
type fixtureResult struct {
	Test   string `json:"test"`
	Place  string `json:"place"`
	Passed bool   `json:"passed"`
	// Recorded says that the test is a recorded call, not a fixture.
	Recorded bool          `json:"recorded,omitempty"`
	Diff     []string      `json:"diff,omitempty"` // lines that begin with "-" (wanted), "+" (got) or " "
	Got      fixtureGot    `json:"got"`
	Usage    sandbox.Usage `json:"usage"`

	record *callRecord // nil unless the call was to be recorded
}

// fixtureGot is what a call gave, in the form in which fixtures want it.
type fixtureGot struct {
	Result  string           `json:"result"` // ok, fail, retry, drop or fault
	Message string           `json:"message"`
	Fault   string           `json:"fault"` // kind of a fault
	Output  any              `json:"output"`
	Effects []map[string]any `json:"effects"`
	Logs    []string         `json:"logs"`
}

// run calls the plugin once, in the real engine. keep has the call recorded.
func (fx *fixture) run(ctx context.Context, m sandbox.Module, keep bool) (r fixtureResult, err error) {
	r.Test, r.Place = fx.Name, fx.pos.String()
	call, err := fx.call()
	if err != nil {
		return r, fmt.Errorf("%s: %w", fx.pos, err)
	}
	grant, err := fx.grant(m.Info().Needs)
	if err != nil {
		return r, fmt.Errorf("%s: %w", fx.pos, err)
	}
	w := &fixtureWorld{fx: fx, now: call.Match.At}
	if fx.Now != "" {
		if w.now, err = time.Parse(time.RFC3339Nano, fx.Now); err != nil {
			return r, fmt.Errorf("%s: now: %w", fx.pos, err)
		}
	}
	inst, err := m.New(ctx, fx.limits())
	if err != nil {
		return r, err
	}
	session := sandbox.NewSession(w.services(), grant, fx.limits())
	recorder := sandbox.NewRecorder(recordLimit)
	if keep {
		session.Record(recorder)
	}
	reply, usage, callErr := inst.Invoke(ctx, call, session)
	if err := inst.Close(ctx); err != nil {
		return r, err
	}
	if keep {
		calls, ok := recorder.Calls()
		if !ok {
			return r, fmt.Errorf("%s: %w", fx.pos, errRecordTooLarge)
		}
		r.record = &callRecord{
			Version: 1, Plugin: m.Info().Name, Test: fx.Name, Digest: m.Info().Digest, Call: newRecordedCall(call),
			Grant: grant, Limits: session.Limits(), Calls: calls, Secrets: fx.Secrets, End: callResult{Logs: w.logs},
		}
		r.record.End.fill(reply, usage, callErr)
		r.record.End.Message = session.Redact(r.record.End.Message)
	}
	r.Usage = usage
	if r.Got, err = gotOf(reply, callErr, w.logs); err != nil {
		return r, err
	}
	if r.Diff, err = fx.compare(r.Got); err != nil {
		return r, err
	}
	r.Diff = append(r.Diff, w.unexpected()...)
	r.Passed = len(r.Diff) == 0
	return r, nil
}

func gotOf(reply abi.Reply, callErr error, logs []string) (fixtureGot, error) {
	got := fixtureGot{Result: reply.Result.String(), Message: reply.Message, Effects: []map[string]any{}, Logs: append([]string{}, logs...)}
	if callErr != nil {
		got.Result, got.Fault, got.Message = "fault", string(sandbox.KindOf(callErr)), callErr.Error()
		return got, nil
	}
	var err error
	if got.Output, err = value(reply.Output); err != nil {
		return got, err
	}
	for _, e := range reply.Effects {
		shown := make(map[string]any)
		switch e.Kind {
		case abi.EffectEmit, abi.EffectNotify:
			shown[string(e.Kind)] = e.Name
			if shown["data"], err = value(e.Value); err != nil {
				return got, err
			}
		case abi.EffectStateSet:
			shown["state"] = e.Name
			if shown["value"], err = value(e.Value); err != nil {
				return got, err
			}
		case abi.EffectKVSet:
			shown["kv"], shown["value"] = e.Name, string(e.Bytes)
			if e.TTL > 0 {
				shown["ttl"] = e.TTL.String()
			}
		}
		got.Effects = append(got.Effects, shown)
	}
	return got, nil
}

func value(text json.RawMessage) (v any, err error) {
	if len(text) == 0 {
		return nil, nil
	}
	return v, json.Unmarshal(text, &v)
}

// compare returns the differences between what is wanted and what came, in the
// parts of it that the fixture names.
func (fx *fixture) compare(got fixtureGot) ([]string, error) {
	text, err := json.Marshal(got)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	wanted, have := map[string]any{"result": "ok"}, map[string]any{}
	for _, e := range fx.Want.Keys {
		if _, ok := all[e.Key]; !ok {
			return nil, yamldoc.Errors{yamldoc.Errorf(e.Pos, "want", yamldoc.CodeKey, "use one of result, message, fault, output, effects, logs", "there is no %s", e.Key)}
		}
		wanted[e.Key] = e.Value.Any()
	}
	for key := range wanted {
		have[key] = all[key]
	}
	if list, ok := wanted["effects"].([]any); ok {
		for _, e := range list { // data and value may be left out for none
			fillIn(e)
		}
	}
	if wanted["effects"] == nil && have["effects"] != nil {
		wanted["effects"] = []any{}
	}
	if wanted["logs"] == nil && have["logs"] != nil {
		wanted["logs"] = []any{}
	}
	if wanted["result"] == "ok" && have["result"] != "ok" { // say why
		have["message"] = all["message"]
	}
	return lineDiff(wanted, have)
}

// fillIn adds the part of a wanted effect that has nothing in it.
func fillIn(e any) {
	m, ok := e.(map[string]any)
	if !ok {
		return
	}
	for kind, part := range map[string]string{"emit": "data", "notify": "data", "state": "value"} {
		if _, is := m[kind]; !is {
			continue
		}
		if _, has := m[part]; !has {
			m[part] = nil
		}
	}
	if _, is := m["kv"]; is && m["value"] == nil {
		m["value"] = ""
	}
}

// lineDiff compares two values as indented JSON; nil when they are the same.
func lineDiff(want, got any) ([]string, error) {
	a, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(got, "", "  ")
	if err != nil || bytes.Equal(a, b) {
		return nil, err
	}
	return diff(strings.Split(string(a), "\n"), strings.Split(string(b), "\n")), nil
}

// diff gives the lines of a longest common subsequence with what was removed and
// added between them.
func diff(a, b []string) []string {
	length := make([][]int, len(a)+1) // of the subsequence of a[i:] and b[j:]
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i, line := range slices.Backward(a) {
		for j := len(b) - 1; j >= 0; j-- {
			if line == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}

// fixtureWorld is what a call of a fixture finds around it.
type fixtureWorld struct {
	fx    *fixture
	now   time.Time
	seed  uint32
	logs  []string
	wrong []string
}

func (w *fixtureWorld) services() sandbox.Services {
	return sandbox.Services{
		State: func(key string) (json.RawMessage, uint64, bool) {
			v, ok := w.fx.State[key]
			text, err := json.Marshal(v)
			return text, 1, ok && err == nil
		},
		KV: func(key string) ([]byte, bool) {
			v, ok := w.fx.KV[key]
			return []byte(v), ok
		},
		HTTP: w.http,
		Secret: func(name string) ([]byte, abi.Status) {
			v, ok := w.fx.Secrets[name]
			if !ok {
				return nil, abi.StatusNotFound
			}
			return []byte(v), abi.StatusOK
		},
		Now: func() time.Time { return w.now },
		Random: func(p []byte) { // the same in every run
			for i := range p {
				w.seed = w.seed*1664525 + 1013904223
				p[i] = byte(w.seed >> 24)
			}
		},
		Log: func(l sandbox.LogLevel, msg string) { w.logs = append(w.logs, l.String()+": "+msg) },
	}
}

// http answers with the first exchange of that request that was not used yet.
func (w *fixtureWorld) http(_ context.Context, q *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
	i := slices.IndexFunc(w.fx.HTTP, func(x exchange) bool {
		return !x.used && strings.EqualFold(orElse(x.Method, "GET"), q.Method) && x.URL == q.URL
	})
	if i < 0 {
		w.wrong = append(w.wrong, fmt.Sprintf("+ a request %s %s, which nothing under http answers", q.Method, q.URL))
		return abi.HTTPResponse{}, abi.StatusDenied
	}
	x := &w.fx.HTTP[i]
	x.used = true
	if x.Want != nil {
		if lines, err := lineDiff(x.Want.Any(), bodyValue(q.Body)); err != nil || len(lines) > 0 {
			w.wrong = append(w.wrong, fmt.Sprintf("  body of %s %s:", q.Method, q.URL))
			w.wrong = append(w.wrong, lines...)
		}
	}
	if x.Error != "" {
		return abi.HTTPResponse{}, statusNamed(x.Error)
	}
	res := abi.HTTPResponse{Status: orElse(x.Status, 200)}
	for _, name := range sortedKeys(x.Headers) {
		res.Header = append(res.Header, abi.HTTPHeader{Name: strings.ToLower(name), Value: x.Headers[name]})
	}
	if x.Body != nil {
		res.Body = bodyBytes(x.Body)
	}
	return res, abi.StatusOK
}

// bodyValue is a body as JSON where it is JSON, else as a text.
func bodyValue(body []byte) any {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return string(body)
	}
	return v
}

// bodyBytes sends a text as it is and any other value as JSON.
func bodyBytes(n *yamldoc.Node) []byte {
	if n.Kind == yamldoc.String {
		return []byte(n.Text)
	}
	text, err := json.Marshal(n.Any())
	if err != nil {
		return nil // never: the value came from a document
	}
	return text
}

// statusNamed finds a status by its name as scripts have it.
func statusNamed(name string) abi.Status {
	for st := abi.StatusNotFound; st <= abi.StatusUnsupported; st++ {
		if strings.ReplaceAll(st.String(), " ", "_") == strings.ReplaceAll(name, " ", "_") {
			return st
		}
	}
	return abi.StatusUnavailable
}

// unexpected lists what went wrong beside the result.
func (w *fixtureWorld) unexpected() []string {
	lines := w.wrong
	for _, x := range w.fx.HTTP {
		if !x.used {
			lines = append(lines, fmt.Sprintf("- a request %s %s, which was not made", orElse(x.Method, "GET"), x.URL))
		}
	}
	return lines
}

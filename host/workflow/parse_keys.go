package workflow

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/yamldoc"
)

// actions are the keys that say what a step does.
func actions() []string {
	return []string{string(ActionRun), string(ActionEmit), string(ActionNotify), string(ActionHTTP), string(ActionFile)}
}

// later are the steps and keys of later releases.
func later() []string {
	return []string{
		"approve", "breaker", "bulkhead", "catch", "compensate", "detach", "fail", "fallback", "foreach", "hedge", "hold", "if",
		"infer", "max", "needs", "parallel", "priority", "rate", "repeat", "rule", "script", "state", "states", "stop", "switch",
		"until", "wait", "when", "workflow",
	}
}

// actionOf finds the one key that says what the step does, and checks the
// others. more are keys allowed beside those of every step.
func (p *parser) actionOf(n *yamldoc.Node, more ...string) (Action, bool) {
	if n.Kind != yamldoc.Map {
		p.fail(n.Pos, "", codeType, "write one of run, emit, notify, http, file and its value", "a step must be a map")
		return "", false
	}
	var found []yamldoc.Entry
	notYet := false
	for _, e := range n.Keys {
		switch {
		case slices.Contains(actions(), e.Key):
			found = append(found, e)
		case slices.Contains(later(), e.Key):
			notYet = true
			p.fail(e.Pos, e.Key, codeLater, "remove it; this release knows run, emit, notify, http and file, in order", "not supported yet")
		}
	}
	switch {
	case len(found) == 0 && !notYet:
		p.fail(n.Pos, "", codeMissing, "add one of run, emit, notify, http, file", "the step does nothing")
	case len(found) > 1:
		p.fail(found[1].Pos, found[1].Key, codeDuplicate, "make it a step of its own", "the step does %s already", found[0].Key)
	}
	if len(found) != 1 {
		return "", false
	}
	action := Action(found[0].Key)
	p.known(n, append(keysOf(action), more...)...)
	return action, true
}

// keysOf are the keys of a step that does a.
func keysOf(a Action) []string {
	switch a {
	case ActionRun:
		return []string{"run", "with", "retry", "timeout"}
	case ActionNotify:
		return []string{"notify", "with"}
	case ActionEmit:
		return []string{"emit"}
	case ActionHTTP, ActionFile:
		return []string{string(a), "retry", "timeout"}
	}
	return nil
}

// known refuses the keys of n that are not among keys. Those of later releases
// were refused before.
func (p *parser) known(n *yamldoc.Node, keys ...string) {
	for _, e := range n.Keys {
		if !slices.Contains(keys, e.Key) && !slices.Contains(later(), e.Key) {
			p.fail(e.Pos, e.Key, codeKey, yamldoc.Suggest(e.Key, keys), "unknown key")
		}
	}
}

// fill parses the keys that steps and undos share, and the arguments.
func (p *parser) fill(n *yamldoc.Node, s *Step) {
	s.Timeout = DefaultTimeout
	if t := n.Get("timeout"); t != nil {
		s.Timeout = p.duration(t, "timeout", time.Millisecond, maxTimeout)
	}
	if r := n.Get("retry"); r != nil {
		s.Retry = p.retry(r)
	}
	s.args = p.arguments(n, s.Action)
}

const (
	maxTimeout = time.Hour
	maxBackoff = 7 * 24 * time.Hour
	maxWithin  = 30 * 24 * time.Hour
	maxRetries = 1000
)

// retry parses `{max, backoff: a..b, factor, jitter, on, within}`.
func (p *parser) retry(n *yamldoc.Node) Retry {
	r := Retry{Min: 200 * time.Millisecond, Cap: 10 * time.Second, Factor: 2, Jitter: JitterFull}
	if n.Kind != yamldoc.Map {
		p.fail(n.Pos, "retry", codeType, "write retry: {max: 3, backoff: 200ms..10s}", "must be a map")
		return r
	}
	p.known(n, "max", "backoff", "factor", "jitter", "on", "within")
	if n.Get("max") == nil {
		p.fail(n.Pos, "max", codeMissing, "say how many attempts may follow the first: max: 3", "retry needs max")
	}
	for _, e := range n.Keys {
		switch v := e.Value; e.Key {
		case "max":
			r.Max = int(p.number(v, "max", 1, maxRetries, true))
		case "backoff":
			r.Min, r.Cap = p.backoff(v)
		case "factor":
			r.Factor = p.number(v, "factor", 1, 100, false)
		case "jitter":
			r.Jitter = Jitter(v.Text)
			if r.Jitter != JitterFull && r.Jitter != JitterNone {
				p.fail(v.Pos, "jitter", codeValue, "write full or none", "%q is no jitter", v.Text)
			}
		case "on":
			r.On = p.kinds(v)
		case "within":
			r.Within = p.duration(v, "within", time.Millisecond, maxWithin)
		}
	}
	return r
}

// backoff parses `a..b`, or `a` for waits that do not grow.
func (p *parser) backoff(n *yamldoc.Node) (low, high time.Duration) {
	from, to, ranged := strings.Cut(n.Text, "..")
	low, err := yamldoc.ParseDuration(from)
	high = low
	if ranged && err == nil {
		high, err = yamldoc.ParseDuration(to)
	}
	if err != nil || low <= 0 || high < low || high > maxBackoff {
		p.fail(n.Pos, "backoff", codeValue, "write the shortest and the longest wait: backoff: 200ms..10s (at most 7d)",
			"%q is no range of waits", n.Text)
	}
	return low, high
}

func (p *parser) duration(n *yamldoc.Node, key string, least, most time.Duration) time.Duration {
	d, err := yamldoc.ParseDuration(n.Text)
	if err != nil || d < least || d > most {
		p.fail(n.Pos, key, codeValue, "write a time from "+span(least)+" to "+span(most)+", such as 30s", "%q is no time that fits here", n.Text)
	}
	return d
}

// span writes a duration without parts that are zero.
func span(d time.Duration) string {
	if day := 24 * time.Hour; d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

func (p *parser) number(n *yamldoc.Node, key string, least, most float64, whole bool) float64 {
	f, err := strconv.ParseFloat(n.Text, 64)
	if n.Kind != yamldoc.Number || err != nil || !(f >= least && f <= most) || whole && f != float64(int64(f)) {
		p.fail(n.Pos, key, codeValue, "write a number from "+strconv.FormatFloat(least, 'g', -1, 64)+" to "+strconv.FormatFloat(most, 'g', -1, 64),
			"%q is no number that fits here", n.Text)
		return least
	}
	return f
}

// kinds parses the list of failure kinds under `on:`.
func (p *parser) kinds(n *yamldoc.Node) []FailureKind {
	if n.Kind != yamldoc.List || len(n.Items) == 0 {
		p.fail(n.Pos, "on", codeType, "write on: [timeout, unavailable]", "must be a list of kinds of failure")
		return nil
	}
	var kinds []FailureKind
	for _, item := range n.Items {
		k := FailureKind(item.Text)
		if !slices.Contains(failureKinds(), k) {
			p.fail(item.Pos, "on", codeValue, yamldoc.Suggest(item.Text, kindNames()), "%q is no kind of failure", item.Text)
		}
		kinds = append(kinds, k)
	}
	return kinds
}

func kindNames() []string {
	var names []string
	for _, k := range failureKinds() {
		names = append(names, string(k))
	}
	return names
}

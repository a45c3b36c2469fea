package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rhost/rhost/host/notify"
)

// activityBuffer is how far a reader of the activity may be behind.
const activityBuffer = 1 << 15

// Activity is one thing that happened: exactly one of Match, Action and Notify
// is set.
type Activity struct {
	At     time.Time     `json:"at"`
	Match  *MatchRecord  `json:"match,omitempty"`
	Action *Action       `json:"action,omitempty"`
	Notify *Notification `json:"notify,omitempty"`
	Lost   int           `json:"lost,omitempty"` // activities skipped just before, because the reader was slow
}

// Notification is a message to a topic that rhost.yaml sends to the output.
type Notification struct {
	Topic   string          `json:"topic"`
	Rule    string          `json:"rule,omitempty"`
	Match   string          `json:"match,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Activities is a reader's place in what happens.
type Activities struct{ sub *notify.Subscription }

// Activities begins to collect what happens: matches, actions, and the topics
// that rhost.yaml sends to the output. Take it before Run to miss nothing.
func (h *Host) Activities() (*Activities, error) {
	topics := []string{notify.TopicMatches, notify.TopicActions}
	for _, name := range slices.Sorted(maps.Keys(h.config.Notify)) {
		if h.config.Notify[name].Log {
			topics = append(topics, name)
		}
	}
	sub, err := h.hub.Subscribe(activityBuffer, topics...)
	if err != nil {
		return nil, err
	}
	return &Activities{sub}, nil
}

// Next waits for the next activity. ok is false once the host is closed and
// everything was read, or ctx has ended.
func (a *Activities) Next(ctx context.Context) (act Activity, ok bool, err error) {
	m, lost, err := a.sub.Next(ctx)
	if errors.Is(err, notify.ErrClosed) || ctx.Err() != nil {
		return Activity{}, false, nil //nolint:nilerr // ok says so
	}
	if err != nil {
		return Activity{}, false, err
	}
	act = Activity{At: m.At, Lost: lost}
	switch m.Topic {
	case notify.TopicMatches:
		err = json.Unmarshal(m.Payload, &act.Match)
	case notify.TopicActions:
		err = json.Unmarshal(m.Payload, &act.Action)
	default:
		act.Notify = &Notification{Topic: m.Topic, Rule: m.Rule, Match: m.Match, Payload: m.Payload}
	}
	if err != nil {
		return Activity{}, false, fmt.Errorf("read activity of %s: %w", m.Topic, err)
	}
	return act, true, nil
}

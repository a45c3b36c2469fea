package host

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/yamldoc"
)

// TopicConfig says whether the messages of a topic last, and how many of them.
type TopicConfig struct {
	Pos     yamldoc.Pos   `yaml:",pos"`
	Durable bool          `yaml:"durable"`
	History int           `yaml:"history"` // messages: 1000
	Bytes   yamldoc.Bytes `yaml:"bytes"`   // 1MiB
	Age     time.Duration `yaml:"age"`     // 24h
}

// The most that may be kept of one topic.
const (
	maxHistory      = 100_000
	maxHistoryBytes = 16 << 20
)

func (c TopicConfig) validate(name string) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: topics.%s: "+format, append([]any{c.Pos, name}, args...)...))
	}
	if _, err := path.Match(name, ""); err != nil {
		bad("it is no pattern; * stands for any text but a slash, ? for one character")
	}
	if strings.HasPrefix(name, "rhost:") {
		bad("topics of the host itself are not kept; its log has what happened")
	}
	if !c.Durable && (c.History != 0 || c.Bytes != 0 || c.Age != 0) {
		bad("nothing is kept of it; add durable: true, or remove history, bytes and age")
	}
	if c.History < 0 || c.History > maxHistory {
		bad("history: %d is outside 1 to %d", c.History, maxHistory)
	}
	if c.Bytes > maxHistoryBytes {
		bad("bytes: %d is more than %d", c.Bytes, maxHistoryBytes)
	}
	if c.Age < 0 {
		bad("age: %v is below 0", c.Age)
	}
	return errors.Join(errs...)
}

// keepTopics says what is kept of a topic: what its own entry says, or else that of the
// longest pattern that it matches.
func keepTopics(topics map[string]TopicConfig) func(topic string) (notify.Keep, bool) {
	names := slices.SortedFunc(maps.Keys(topics), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	return func(topic string) (notify.Keep, bool) {
		c, ok := topics[topic]
		for i := 0; !ok && i < len(names); i++ {
			if match, err := path.Match(names[i], topic); err == nil && match && !strings.HasPrefix(topic, "rhost:") {
				c, ok = topics[names[i]], true
			}
		}
		return notify.Keep{Count: c.History, Bytes: int64(c.Bytes), Age: c.Age}, c.Durable
	}
}

// epochOf draws the epoch of a topic from its first message: the same whenever the log
// is folded, and another if the topic begins anew.
func epochOf(origin, topic, effect string) string {
	const chars = 12
	sum := sha256.Sum256([]byte(origin + "\x00" + topic + "\x00" + effect))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:chars]
}

// topic writes the history of a topic.
func (f *formWriter) topic(t *notify.Topic) {
	f.Text(t.Name)
	f.Text(t.Epoch)
	f.Uint(t.Last)
	f.Uint(t.Used)
	f.Uint(uint64(len(t.Entries)))
	for i := range t.Entries {
		e := &t.Entries[i]
		f.Time(e.At)
		f.Text(e.Rule)
		f.Text(e.Match)
		f.Raw(e.Payload)
	}
}

// topic reads what the writer wrote.
func (f *formReader) topic() notify.Topic {
	t := notify.Topic{Name: f.Text(), Epoch: f.Text(), Last: f.Uint(), Used: f.Uint()}
	f.Each(func() {
		e := notify.Entry{Message: notify.Message{Topic: t.Name, At: f.Time(), Rule: f.Text(), Match: f.Text(), Payload: f.Raw()}}
		t.Entries = append(t.Entries, e)
	})
	if uint64(len(t.Entries)) > t.Last {
		f.Fail("topic %s has %d messages, and %d were given out", t.Name, len(t.Entries), t.Last)
		return t
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		e.Offset = t.Last - uint64(len(t.Entries)-1-i)
		e.Place = notify.Place{Epoch: t.Epoch, Offset: e.Offset}
	}
	return t
}

package notify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Keep says how much of a topic is kept. Zero fields have their defaults.
type Keep struct {
	Count int           // messages; DefaultCount
	Bytes int64         // of payloads, with a little for each; DefaultBytes
	Age   time.Duration // DefaultAge
}

// What is kept where nothing else is said, and the most that is kept of all topics
// together.
const (
	DefaultCount = 1000
	DefaultBytes = 1 << 20
	DefaultAge   = 24 * time.Hour

	maxKept   = 64 << 20 // bytes of all topics
	maxTopics = 1000
	entryOver = 128 // bytes that an entry counts beside its payload
)

func (k Keep) withDefaults() Keep {
	k.Count = cmp.Or(k.Count, DefaultCount)
	k.Bytes = cmp.Or(k.Bytes, int64(DefaultBytes))
	k.Age = cmp.Or(k.Age, DefaultAge)
	return k
}

// Entry is a message with its place in its topic.
type Entry struct {
	Offset uint64 // counted from 1
	Message
}

func (e *Entry) size() int64 {
	return int64(len(e.Rule)+len(e.Match)+len(e.Payload)) + entryOver
}

// Topic is the history of one topic, as it is kept over restarts.
type Topic struct {
	Name    string
	Epoch   string  // of offsets: they mean nothing in another
	Last    uint64  // offset given out last
	Used    uint64  // when that was, in the order of all topics
	Entries []Entry // the newest, in order, without a gap
}

// Place is a place in a topic: everything up to the offset has been seen.
type Place struct {
	Epoch  string
	Offset uint64
}

// ParsePlace reads what String gives; "0" is the zero Place.
func ParsePlace(s string) (Place, error) {
	if s == "0" {
		return Place{}, nil
	}
	epoch, offset, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(offset, 10, 63)
	if !ok || epoch == "" || len(epoch) > maxEpoch || err != nil {
		return Place{}, fmt.Errorf("%q is no place in a topic; give the id of a message, such as k3x9w2mq:17, or 0 for all that is kept", s)
	}
	return Place{epoch, n}, nil
}

const maxEpoch = 64

// String is the place as the id of a message: epoch:offset.
func (p Place) String() string { return p.Epoch + ":" + strconv.FormatUint(p.Offset, 10) }

// MarshalText implements encoding.TextMarshaler.
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Place) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePlace(string(b))
	return err
}

// Gap says that messages are not kept any more: those From up to and with To, or,
// when the epoch is another one now, whatever followed the place that was asked for.
type Gap struct {
	Epoch string `json:"epoch"` // now
	From  uint64 `json:"from"`  // 0: of another epoch
	To    uint64 `json:"to"`
}

// Histories are the topics whose messages are kept, with offsets. They are folded from
// a log: the same messages in the same order give the same offsets and epochs,
// whatever was kept and restored in between.
//
// Append belongs to one goroutine, which folds; a message is seen by readers once it is
// shown. Everything else may be called from anywhere.
type Histories struct {
	keep func(topic string) (Keep, bool) // what is kept of a topic; false: nothing

	mu     sync.Mutex        // guards the rest
	topics map[string]*kept  // by name
	shown  map[string]uint64 // offsets up to which readers see
	clock  uint64            // counts appends
	bytes  int64             // of all entries
}

// kept is a Topic and what it counts.
type kept struct {
	Topic
	Keep
	bytes int64
}

// NewHistories returns histories without a message. keep says how much is kept of a
// topic, and must always say the same.
func NewHistories(keep func(topic string) (Keep, bool)) *Histories {
	return &Histories{keep: keep, topics: make(map[string]*kept), shown: make(map[string]uint64)}
}

// Append puts a message behind the others of its topic. epoch is asked for that of a
// topic which has no message yet, and must draw it from the message. ok is false for a
// topic of which nothing is kept.
func (h *Histories) Append(m Message, epoch func() string) (at Place, ok bool) {
	if h == nil {
		return at, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[m.Topic]
	if t == nil {
		keep, ok := h.keep(m.Topic)
		if !ok {
			return at, false
		}
		t = &kept{Topic: Topic{Name: m.Topic, Epoch: epoch()}, Keep: keep.withDefaults()}
		h.topics[m.Topic] = t
		delete(h.shown, m.Topic)
	}
	h.clock++
	t.Last++
	t.Used = h.clock
	m.Place = Place{t.Epoch, t.Last}
	e := Entry{Offset: t.Last, Message: m}
	t.Entries = append(t.Entries, e)
	t.bytes += e.size()
	h.bytes += e.size()
	h.trim(t, m.At)
	h.bound(t)
	return m.Place, true
}

// trim lets go of what is more, or older, than what is kept of t.
func (h *Histories) trim(t *kept, now time.Time) {
	n := 0
	for n < len(t.Entries) {
		e := &t.Entries[n]
		if len(t.Entries)-n <= t.Count && t.bytes <= t.Bytes && now.Sub(e.At) <= t.Age {
			break
		}
		t.bytes -= e.size()
		h.bytes -= e.size()
		n++
	}
	t.Entries = t.Entries[n:]
}

// bound lets go of topics that were quiet for longest while there are too many, or
// too much in them.
func (h *Histories) bound(but *kept) {
	for len(h.topics) > maxTopics || h.bytes > maxKept && len(h.topics) > 1 {
		var oldest *kept
		for _, t := range h.topics {
			if t != but && (oldest == nil || t.Used < oldest.Used) {
				oldest = t
			}
		}
		h.bytes -= oldest.bytes
		delete(h.topics, oldest.Name)
		delete(h.shown, oldest.Name)
	}
}

// Show lets readers see a topic up to a place.
func (h *Histories) Show(topic string, at Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[topic]; t != nil && t.Epoch == at.Epoch {
		h.shown[topic] = max(h.shown[topic], at.Offset)
	}
}

// ShowAll lets readers see everything.
func (h *Histories) ShowAll() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, t := range h.topics {
		h.shown[name] = t.Last
	}
}

// Since returns what follows a place, in order, and which messages of it are not kept
// any more. The zero Place stands for the beginning of what is kept. next is where to
// go on. ok is false for a topic of which nothing is kept.
func (h *Histories) Since(topic string, at Place, now time.Time) (list []Entry, gap *Gap, next Place, ok bool) {
	if h == nil {
		return nil, nil, at, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[topic]
	if t == nil {
		_, ok = h.keep(topic)
		return nil, nil, at, ok
	}
	entries, shown := t.Entries, h.shown[topic]
	for len(entries) > 0 && now.Sub(entries[0].At) > t.Age { // Append drops them, so that what is kept is a matter of the log alone
		entries = entries[1:]
	}
	first := t.Last + 1
	if len(entries) > 0 {
		first = entries[0].Offset
	}
	from := at.Offset + 1
	switch {
	case at == Place{}:
		from = first
	case at.Epoch != t.Epoch || at.Offset > shown:
		gap = &Gap{Epoch: t.Epoch, To: min(first-1, shown)}
		from = first
	case from < first && from <= shown:
		gap = &Gap{Epoch: t.Epoch, From: from, To: min(first-1, shown)}
		from = first
	}
	if n := int64(from) - int64(first); n >= 0 && from <= shown {
		list = slices.Clone(entries[n : n+int64(shown-from)+1])
	}
	return list, gap, Place{t.Epoch, shown}, true
}

// End is the place behind all that readers see.
func (h *Histories) End(topic string) Place {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[topic]; t != nil {
		return Place{t.Epoch, h.shown[topic]}
	}
	return Place{}
}

// Kept reports whether anything is kept of a topic.
func (h *Histories) Kept(topic string) bool {
	if h == nil {
		return false
	}
	_, ok := h.keep(topic)
	return ok
}

// Capture returns all topics, in the order of their names. What it returns does not
// change any more.
func (h *Histories) Capture() []Topic {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Topic, 0, len(h.topics))
	for _, name := range slices.Sorted(maps.Keys(h.topics)) {
		t := h.topics[name].Topic
		t.Entries = slices.Clip(t.Entries)
		list = append(list, t)
	}
	return list
}

// Restore puts captured topics in place of all that there is. Those of which nothing
// is to be kept any more are left out.
func (h *Histories) Restore(list []Topic) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.topics, h.shown, h.bytes, h.clock = make(map[string]*kept), make(map[string]uint64), 0, 0
	for _, one := range list {
		h.clock = max(h.clock, one.Used)
		keep, ok := h.keep(one.Name)
		if !ok {
			continue
		}
		t := &kept{Topic: one, Keep: keep.withDefaults()}
		t.Entries = slices.Clip(t.Entries)
		for i := range t.Entries {
			t.bytes += t.Entries[i].size()
		}
		h.bytes += t.bytes
		h.topics[one.Name] = t
		h.shown[one.Name] = one.Last
	}
}

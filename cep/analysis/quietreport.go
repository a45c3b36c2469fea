package analysis

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// QuietReport is why a rule over windows, a value or a schedule did not match.
type QuietReport struct {
	Rule     string    `json:"rule"`
	Kind     string    `json:"kind"` // window, state or schedule
	Matches  int       `json:"matches"`
	Latest   time.Time `json:"latest,omitzero"`    // match
	Events   int       `json:"events"`             // in all
	Counted  int       `json:"counted"`            // of these that met `where`, or all without
	Keyless  uint64    `json:"keyless,omitempty"`  // of these that had no value for `by`
	Unsure   uint64    `json:"unsure,omitempty"`   // matches whose score was below `at_least`, or unknown
	Overflow uint64    `json:"overflow,omitempty"` // keys or times beyond what is kept
	Missing  []string  `json:"missing,omitempty"`  // fields that none of the counted events had

	Wants   string    `json:"wants"`         // of a match
	Next    time.Time `json:"next,omitzero"` // when a schedule comes next, the first open window ends, or a value has lasted long enough
	NextKey string    `json:"next_key,omitempty"`
	Now     time.Time `json:"now"` // time of the lane at the end

	Window   string        `json:"window,omitempty"`    // how the stream is cut
	Windows  int           `json:"windows,omitempty"`   // that ended
	Last     []QuietWindow `json:"last,omitempty"`      // the latest of them
	OpenKeys int           `json:"open_keys,omitempty"` // with a window that is open, or a value that is watched
	Open     []QuietWindow `json:"open,omitempty"`      // some of those, the first to end first, as they end if no more events come
	Full     string        `json:"full,omitempty"`      // how many events close a window
	Filling  []QuietCount  `json:"filling,omitempty"`   // how many some keys have, the most first

	Path   string      `json:"path,omitempty"` // of the value that is watched
	Values *ValueRange `json:"values,omitempty"`
}

// QuietWindow is a window, and whether the rule matched it.
type QuietWindow struct {
	From    time.Time       `json:"from"`
	To      time.Time       `json:"to"`
	Key     string          `json:"key,omitempty"`
	Events  int             `json:"events"`
	Let     json.RawMessage `json:"let"` // null where there is no value
	Matched bool            `json:"matched"`
}

// QuietCount is how many events a key has towards its window.
type QuietCount struct {
	Key  string `json:"key,omitempty"`
	Have int    `json:"have"`
}

// ValueRange is what a field held. Values are as JSON writes them.
type ValueRange struct {
	Number int             `json:"number"`
	Least  json.RawMessage `json:"least"` // of numbers; null when there was none
	Most   json.RawMessage `json:"most"`
	Last   json.RawMessage `json:"last"`

	least, most float64
}

const (
	maxWindows = 5    // shown of those that ended, and of those open
	maxEnds    = 1000 // of time, to see windows end
)

func (v *ValueRange) add(x event.Value) {
	if x.Kind() == event.Missing {
		return
	}
	v.Number++
	v.Last = x.AppendJSON(nil)
	if x.Kind() != event.Number {
		return
	}
	if n := x.Number(); v.Least == nil || n < v.least {
		v.Least, v.least = v.Last, n
	}
	if n := x.Number(); v.Most == nil || n > v.most {
		v.Most, v.most = v.Last, n
	}
}

func (r *QuietReport) fillingOf(have map[string]int) {
	for key, n := range have {
		r.Filling = append(r.Filling, QuietCount{key, n})
	}
	slices.SortFunc(r.Filling, func(a, b QuietCount) int {
		return cmp.Or(cmp.Compare(b.Have, a.Have), cmp.Compare(a.Key, b.Key))
	})
	r.Filling = r.Filling[:min(len(r.Filling), maxWindows)]
}

func letJSON(list []cep.Let) json.RawMessage {
	out := []byte{'{'}
	for _, l := range list {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(event.StringValue(l.Name).AppendJSON(out), ':')
		if l.Value.Kind() == event.Missing {
			out = append(out, "null"...)
		} else {
			out = l.Value.AppendJSON(out)
		}
	}
	return append(out, '}')
}

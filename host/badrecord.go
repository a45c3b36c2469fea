package host

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
)

// maxBadRecords is how many are listed; the log has the others.
const maxBadRecords = 10_000

// badRecordOf turns the event by which a source reports an unreadable record
// into what RUN keeps of it.
func badRecordOf(ev *event.Event, r *eventlog.Record) eventlog.RunRecord {
	var bad BadRecord
	if err := json.Unmarshal(ev.Data, &bad); err != nil {
		bad.Reason = "unreadable report: " + err.Error()
	}
	bad.ID, bad.At = ev.ID, r.Ingest
	body, err := json.Marshal(bad)
	if err != nil {
		panic(err) // plain strings and a time
	}
	return eventlog.RunRecord{Kind: runBad, Key: bad.ID, Body: body}
}

// badRecords are those that nobody has dropped, oldest first.
type badRecords struct{ list []BadRecord }

func newBadRecords() *badRecords { return &badRecords{} }

// fold applies one record of RUN.
func (b *badRecords) fold(r *eventlog.RunRecord) error {
	if r.Kind == runBadDropped {
		b.drop(r.Key)
		return nil
	}
	var bad BadRecord
	if err := json.Unmarshal(r.Body, &bad); err != nil {
		return fmt.Errorf("bad record %s: %w", r.Key, err)
	}
	if len(b.list) == maxBadRecords {
		b.list = slices.Delete(b.list, 0, 1)
	}
	b.list = append(b.list, bad)
	return nil
}

func (b *badRecords) drop(id string) bool {
	n := len(b.list)
	b.list = slices.DeleteFunc(b.list, func(r BadRecord) bool { return r.ID == id })
	return len(b.list) < n
}

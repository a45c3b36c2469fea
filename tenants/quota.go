package tenants

import (
	"errors"
	"fmt"
)

// Quota is what a tenant may use. A field that is zero sets no limit.
type Quota struct {
	EventsPerSecond int64 // events admitted
	BytesPerSecond  int64 // bytes of events admitted
	FuelPerSecond   int64 // guest work, charged after each call
	QueuedActions   int   // actions waiting for a worker
	RunningActions  int   // actions running at once
}

// Validate reports everything wrong with q, under the keys operators type.
func (q Quota) Validate() error {
	var errs []error
	for _, f := range []struct {
		key   string
		value int64
	}{
		{"events_per_second", q.EventsPerSecond},
		{"bytes_per_second", q.BytesPerSecond},
		{"fuel_per_second", q.FuelPerSecond},
		{"queued_actions", int64(q.QueuedActions)},
		{"running_actions", int64(q.RunningActions)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %d is below 0; leave it out for no limit", f.key, f.value))
		}
	}
	return errors.Join(errs...)
}

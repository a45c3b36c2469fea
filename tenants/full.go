package tenants

import (
	"fmt"
	"time"
)

// Full says that a tenant has reached a quota of bytes, and is refused.
type Full struct {
	Tenant     string
	Quota      string        // as an operator types it: events.held
	Limit      int64         // bytes; of a rate, bytes a second
	Rate       bool          // the quota is a rate
	Used       int64         // bytes held; of a rate, 0
	More       int64         // bytes that were asked for
	RetryAfter time.Duration // when it may be worth while to try again
	Fix        string        // what to do
}

func (f *Full) Error() string {
	if f.Rate {
		return fmt.Sprintf("tenant %s: quota %s of %s/s is reached; try again in %s; %s",
			f.Tenant, f.Quota, Size(f.Limit), f.RetryAfter.Round(time.Millisecond), f.Fix)
	}
	return fmt.Sprintf("tenant %s: quota %s of %s is reached: %s are held, and %s more do not fit; %s",
		f.Tenant, f.Quota, Size(f.Limit), Size(f.Used), Size(f.More), f.Fix)
}

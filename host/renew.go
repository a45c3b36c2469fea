package host

import (
	"context"
	"fmt"

	"github.com/rhost/rhost/host/eventlog"
)

// renew has the first start after a restore note, in the log, where it began. What
// starts behind that place has idempotency keys that no other copy of the log gives
// out, though its matches have the ids they would have there: other events may have
// come to their places. What had started before, and what starts from events that the
// backup has, keep the keys that the host before would have given them too.
func (h *Host) renew(ctx context.Context) error {
	var life string
	if err := h.lane.ask(ctx, func() { life = h.lane.life }); err != nil || h.renewed == "" || life == h.renewed {
		return err
	}
	_, err := h.log.Committer().Commit(ctx, []eventlog.Record{{
		Kind: eventlog.Origin, Tenant: h.tenant.String(), Key: h.renewed,
	}})
	if err != nil {
		return fmt.Errorf("note that the log was restored: %w", err)
	}
	return nil
}

package backup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rhost/rhost/host/eventlog"
)

// followEvery is how often somebody who waits for the log to be whole looks.
const followEvery = 200 * time.Millisecond

// shared has servers keep the log: this one writes it, or waits until another has.
func (r *restorer) shared(ctx context.Context) (err error) {
	e, err := r.Engine(ctx, filepath.Join(r.data, "log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := r.ready(ctx, e); err != nil {
		return err
	}
	if r.Follow {
		return r.follow(ctx, e)
	}
	out, err := eventlog.NewRebuildOn(ctx, e, r.first(), r.Logger)
	if err != nil {
		return err
	}
	if err = r.fill(ctx, out); err == nil {
		err = r.compareWritten(ctx, out)
	}
	return errors.Join(err, out.Finish(ctx, err == nil))
}

// tellAfter is when somebody who waits for the other servers is told so.
const tellAfter = 4 * time.Second

func (r *restorer) ready(ctx context.Context, e *eventlog.Engine) error {
	if r.Logger != nil {
		told := time.AfterFunc(tellAfter, func() {
			r.Logger.Warn("waiting until most nodes are there: run the same restore on all of them at the same time")
		})
		defer told.Stop()
	}
	return e.Ready(ctx)
}

// compareWritten compares before the log counts as whole: others wait for that.
func (r *restorer) compareWritten(ctx context.Context, out *eventlog.Rebuild) error {
	cut, err := out.Cut(ctx)
	if err != nil {
		return err
	}
	return r.compare(ctx, liveLog{cut})
}

// follow waits until the log is whole. Until the one who writes it begins, it is
// empty.
func (r *restorer) follow(ctx context.Context, e *eventlog.Engine) error {
	for {
		origin, err := e.Restored(ctx, 0)
		switch {
		case err == nil && origin != "":
			return nil
		case err == nil || errors.Is(err, eventlog.ErrUnfinished) || errors.Is(err, eventlog.ErrUnavailable):
		default:
			return err
		}
		select {
		case <-time.After(followEvery):
		case <-ctx.Done():
			return fmt.Errorf("wait for the node that writes the log: %w", ctx.Err())
		}
	}
}

package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/rhost/rhost/host/egress"
	"github.com/rhost/rhost/host/files"
	"github.com/rhost/rhost/host/workflow"
)

// httpStep carries out http steps through the guarded client.
func httpStep(c *egress.Client) func(context.Context, workflow.Command) workflow.Result {
	return func(ctx context.Context, cmd workflow.Command) workflow.Result {
		ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
		defer cancel()
		out, err := request(ctx, c, cmd)
		if err != nil {
			var e *egress.Error
			if !errors.As(err, &e) {
				return cmd.Fail(workflow.FailInternal, err.Error())
			}
			res := cmd.Fail(workflow.FailureKind(e.Kind), err.Error())
			res.Failure.After = e.After
			return res
		}
		return cmd.Answer(out)
	}
}

func request(ctx context.Context, c *egress.Client, cmd workflow.Command) ([]byte, error) {
	req, err := egress.ParseRequest(cmd.Args, cmd.Key)
	if err != nil {
		return nil, err
	}
	res, err := c.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	return res.Output()
}

// openFolders opens the folders that rhost.yaml grants to file steps.
func openFolders(app, data string, granted map[string]string) (*files.Executor, error) {
	cfg := files.Config{Journal: filepath.Join(data, "files")}
	for _, name := range slices.Sorted(maps.Keys(granted)) {
		cfg.Folders = append(cfg.Folders, files.Folder{Name: name, Path: within(app, granted[name])})
	}
	e, err := files.Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("rhost.yaml: folders: %w", err)
	}
	return e, nil
}

// fileStep carries out file steps inside the granted folders. While the journal of
// file steps has no room, they wait: that is no fault of theirs, and no attempt.
func fileStep(e *files.Executor, logger *slog.Logger) func(context.Context, workflow.Command) workflow.Result {
	return func(ctx context.Context, cmd workflow.Command) workflow.Result {
		var res workflow.Result
		whileStarved(ctx, logger, func() (err error) {
			ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
			defer cancel()
			var out []byte
			out, err = e.Do(ctx, cmd.Key, cmd.Args)
			res = fileResult(cmd, out, err)
			if !errors.Is(err, files.ErrJournal) {
				return nil
			}
			return err
		})
		return res
	}
}

func fileResult(cmd workflow.Command, out []byte, err error) workflow.Result {
	if err == nil {
		return cmd.Answer(out)
	}
	var own *files.Error
	switch {
	case !errors.As(err, &own):
		return cmd.Fail(workflow.FailInternal, err.Error())
	case own.Kind == files.KindStopped:
		return cmd.Fail(workflow.FailTimeout, err.Error()) // the host's own stop gives no answer
	}
	return cmd.Fail(workflow.FailureKind(own.Kind), err.Error())
}

// whileStarved does fn again and again while it fails for want of something of the
// host's own, which is no result of the action. It ends with ctx: then the action
// runs again after the restart.
func whileStarved(ctx context.Context, logger *slog.Logger, fn func() error) {
	for {
		err := fn()
		if err == nil || ctx.Err() != nil {
			return
		}
		logger.Error("an action waits for the host's own disk", "error", err)
		select {
		case <-time.After(diskFullWait):
		case <-ctx.Done():
			return
		}
	}
}

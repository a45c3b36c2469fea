package host

import (
	"context"
	"errors"

	"github.com/rhost/rhost/host/egress"
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

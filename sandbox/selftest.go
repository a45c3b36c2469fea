package sandbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/rhost/rhost/abi"
)

// ErrSelfTest is in the chain of the errors of SelfTest.
var ErrSelfTest = errors.New("self-test")

// Start makes an instance of a module and closes it, so that start-up code that faults
// is known before a call comes, and what it leaves is there for the first.
func Start(ctx context.Context, m Module, lim Limits) error {
	inst, err := m.New(ctx, lim)
	if err != nil {
		return fmt.Errorf("start %s: %w", m.Info().Name, err)
	}
	return inst.Close(context.WithoutCancel(ctx))
}

// SelfTest runs one call on a new instance of a module and reports a fault, or
// that the guest did not say ok.
func SelfTest(ctx context.Context, m Module, call *abi.Call, session *Session) (Usage, error) {
	inst, err := m.New(ctx, session.Limits())
	if err != nil {
		return Usage{}, fmt.Errorf("%w of %s: %w", ErrSelfTest, m.Info().Name, err)
	}
	reply, usage, err := inst.Invoke(ctx, call, session)
	err = errors.Join(err, inst.Close(context.WithoutCancel(ctx)))
	if err == nil && reply.Result != abi.ResultOK && reply.Result != abi.ResultDrop {
		err = fmt.Errorf("the sample call ends as %s: %s", reply.Result, reply.Message)
	}
	if err != nil {
		return usage, fmt.Errorf("%w of %s: %w", ErrSelfTest, m.Info().Name, err)
	}
	return usage, nil
}

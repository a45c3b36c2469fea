package guest

import (
	"errors"

	v1 "github.com/rhost/rhost/abi/v1"
)

// verdictError is an error that decides how the step ends.
type verdictError struct {
	code int32 // a result of rhost_invoke
	msg  string
}

func (v *verdictError) Error() string { return v.msg }

// Fail ends the step as failed for good: it is not tried again.
func Fail(msg string) error { return &verdictError{code: v1.ResultFail, msg: msg} }

// Retry ends the attempt; the step's retry policy decides whether there is
// another.
func Retry(msg string) error { return &verdictError{code: v1.ResultRetry, msg: msg} }

// Drop ends the step as done, without effects: there was nothing to do.
func Drop(msg string) error { return &verdictError{code: v1.ResultDrop, msg: msg} }

// What a service may answer. Compare with errors.Is.
var (
	ErrNotFound    = errors.New("not found")
	ErrDenied      = errors.New("the capability was not granted")
	ErrInvalid     = errors.New("the request is not valid")
	ErrConflict    = errors.New("the version is another")
	ErrLimit       = errors.New("a limit of the call is used up")
	ErrTimeout     = errors.New("timeout")
	ErrUnavailable = errors.New("not available now")
	ErrInternal    = errors.New("internal error of the host")
	ErrUnsupported = errors.New("this host does not offer the service")
)

// StatusError is what a service answered when it was not ok.
type StatusError struct {
	Service string
	Status  v1.Status
}

func (e *StatusError) Error() string { return e.Service + ": " + e.Unwrap().Error() }

// Unwrap returns the error of the status.
func (e *StatusError) Unwrap() error {
	switch e.Status {
	case v1.StatusNotFound:
		return ErrNotFound
	case v1.StatusDenied:
		return ErrDenied
	case v1.StatusInvalid:
		return ErrInvalid
	case v1.StatusConflict:
		return ErrConflict
	case v1.StatusLimit:
		return ErrLimit
	case v1.StatusTimeout:
		return ErrTimeout
	case v1.StatusUnavailable:
		return ErrUnavailable
	case v1.StatusUnsupported:
		return ErrUnsupported
	case v1.StatusInternal, v1.StatusOK, v1.StatusTooSmall: // the last two are no errors, unless the host errs
	}
	return ErrInternal
}

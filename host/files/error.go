package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Kind says why an operation failed, in words that a workflow and its
// `retry: {on: …}` use.
type Kind string

// The kinds.
const (
	KindInvalid     Kind = "invalid"     // an operation that cannot be
	KindDenied      Kind = "denied"      // outside the granted folders, or not allowed by the system
	KindFail        Kind = "fail"        // the files are not as they must be
	KindUnavailable Kind = "unavailable" // the disk is full, or fails just now
	KindLimit       Kind = "limit"       // too large
	KindTimeout     Kind = "timeout"     // took longer than the caller's context allows
	// KindStopped says that the caller's context was cancelled. It is no result:
	// what was begun is finished when the operation comes again.
	KindStopped Kind = "stopped"
)

// Error is the error of an operation. Its text names the paths of the step.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// ErrJournal is within the errors of operations that failed because the journal
// could not be written, for want of room as a rule. The operation is as it was, or
// done; coming again with the same key, it goes on.
var ErrJournal = errors.New("write the journal of file steps")

func failf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// explain turns an error of the system into one of ours, about a path. One that
// came too late to have changed nothing stays so.
func explain(at place, err error) error {
	if partly, ok := errors.AsType[*partialError](err); ok {
		return &partialError{explain(at, partly.err)}
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	reason := err
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		reason = path.Err
	case errors.As(err, &link):
		reason = link.Err
	}
	kind := KindUnavailable
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR),
		errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, syscall.ENAMETOOLONG):
		kind = KindFail
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ELOOP), escapes(err):
		kind = KindDenied
	case errors.Is(err, context.Canceled):
		kind = KindStopped
	case errors.Is(err, context.DeadlineExceeded):
		kind = KindTimeout
	}
	return failf(kind, "%s: %w", at, reason)
}

// escapes reports whether a root refused a path that leads out of it. The os
// package has no name for that error.
func escapes(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Err.Error() == "path escapes from parent"
}

package abi

import "strconv"

// Status is the host's answer to one service call of a guest. The numbers are
// part of ABI v1.
type Status uint32

// The statuses.
const (
	StatusOK          Status = 0
	StatusNotFound    Status = 1
	StatusTooSmall    Status = 2 // the buffer was: fetch the kept answer with take
	StatusDenied      Status = 3 // the capability was not granted
	StatusInvalid     Status = 4 // the request could not be read
	StatusConflict    Status = 5 // compare-and-set found another version
	StatusLimit       Status = 6 // a limit of the call is used up
	StatusTimeout     Status = 7
	StatusUnavailable Status = 8 // not now, for example while a module is being prepared
	StatusInternal    Status = 9
	StatusUnsupported Status = 10 // this host does not offer the service
)

var statusNames = [...]string{ //nolint:gochecknoglobals // a constant table
	"ok", "not found", "too small", "denied", "invalid", "conflict", "limit",
	"timeout", "unavailable", "internal", "unsupported",
}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "status " + strconv.FormatUint(uint64(s), 10)
}

package v1

// Status is the host's answer to a service call. Package abi has the same
// numbers with more words.
type Status uint32

// The statuses.
const (
	StatusOK          Status = 0
	StatusNotFound    Status = 1
	StatusTooSmall    Status = 2
	StatusDenied      Status = 3
	StatusInvalid     Status = 4
	StatusConflict    Status = 5
	StatusLimit       Status = 6
	StatusTimeout     Status = 7
	StatusUnavailable Status = 8
	StatusInternal    Status = 9
	StatusUnsupported Status = 10
)

// Pack joins a status and the length of an answer into the i64 that a service
// returns.
func Pack(st Status, n int) uint64 { return uint64(st)<<32 | uint64(uint32(n)) }

// Unpack takes apart what a service returned.
func Unpack(r uint64) (st Status, n int) { return Status(r >> 32), int(uint32(r)) }

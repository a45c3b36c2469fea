package host

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rhost/rhost/sandbox"
)

// tapeVersion is the version of the format of a tape in the log.
const tapeVersion = 1

// tape is what the log keeps, with the result of a recorded call, of what the call
// asked and ran under.
type tape struct {
	Version int    `json:"v"`
	Key     string `json:"key"` // idempotency key, as the call was given it
	sandbox.Setting
	Calls []sandbox.HostCall `json:"calls"`
	// Full says that the call was told more than is kept. Then there are no calls.
	Full bool `json:"full,omitempty"`
}

// encodeTape is what the record of a call keeps of its recorder; nil when nothing
// was recorded, or no module ran.
func encodeTape(rec *sandbox.Recorder, key string) json.RawMessage {
	if rec == nil || rec.Setting().Engine == "" {
		return nil
	}
	t := tape{Version: tapeVersion, Key: key, Setting: rec.Setting()}
	calls, ok := rec.Calls()
	if t.Calls, t.Full = calls, !ok; t.Full {
		t.Calls, t.Config = nil, nil
	}
	text, err := json.Marshal(t)
	if err != nil {
		return nil // never: all of it is plain data
	}
	return text
}

// The reasons why a tape does not bring a call back.
var (
	errNotRecorded = errors.New("it was not recorded")
	errTapeOld     = errors.New("it was recorded by an earlier version of rhost, without what it ran under")
	errTapeFull    = fmt.Errorf("it was told more than the %d KiB that are kept", recordLimit>>10)
)

// decodeTape is the inverse of encodeTape.
func decodeTape(text json.RawMessage) (*tape, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, errNotRecorded
	}
	if text[0] == '[' {
		return nil, errTapeOld
	}
	t := &tape{}
	if err := json.Unmarshal(text, t); err != nil {
		return nil, fmt.Errorf("its record cannot be read: %w", err)
	}
	switch {
	case t.Version != tapeVersion:
		return nil, fmt.Errorf("its record has version %d; this rhost reads version %d", t.Version, tapeVersion)
	case t.Full:
		return nil, errTapeFull
	}
	return t, nil
}

package host

import (
	"context"
	"sync"
	"time"

	"github.com/rhost/rhost/host/eventlog"
)

// heldFor is how long a blob that was just stored is left alone, whatever names it: the
// record that will may still wait for the disk.
const heldFor = 24 * time.Hour

// heldBlobs are the blobs of a log while blobs that nothing names are removed beside:
// what was stored lately stays, whether or not a record names it yet.
type heldBlobs struct {
	*eventlog.Log
	now func() time.Time // only its differences count
	// gone is told of blobs that drop has removed; nil: nobody is.
	gone func(digest string)

	mu  sync.RWMutex         // held, for reading, while a blob is stored
	own sync.Mutex           // guards put
	put map[string]time.Time // stored by this process, and there
}

func newHeldBlobs(log *eventlog.Log) *heldBlobs {
	return &heldBlobs{Log: log, now: time.Now, put: make(map[string]time.Time)}
}

// PutBlob stores a blob that is not removed for a day.
func (h *heldBlobs) PutBlob(ctx context.Context, digest string, b []byte) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.touch(digest) {
		return nil
	}
	if err := h.Log.PutBlob(ctx, digest, b); err != nil {
		return err
	}
	h.own.Lock()
	defer h.own.Unlock()
	h.put[digest] = h.now()
	return nil
}

// touch has a blob be new, if it was stored by this process.
func (h *heldBlobs) touch(digest string) bool {
	h.own.Lock()
	defer h.own.Unlock()
	_, ok := h.put[digest]
	if ok {
		h.put[digest] = h.now()
	}
	return ok
}

// drop removes a blob, unless it was stored lately, or after mark.
func (h *heldBlobs) drop(ctx context.Context, digest string, mark eventlog.BlobMark) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.Lock()
	_, held := h.put[digest]
	h.own.Unlock()
	if held {
		return nil
	}
	err := h.DeleteBlob(ctx, digest, mark)
	if err == nil && h.gone != nil {
		h.gone(digest)
	}
	return err
}

// Remove removes a blob, whenever it was stored.
func (h *heldBlobs) Remove(ctx context.Context, digest string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.Lock()
	delete(h.put, digest)
	h.own.Unlock()
	return h.DeleteBlob(ctx, digest, eventlog.AnyBlob)
}

// forgetOld lets go of blobs stored so long ago. That is time in which this process
// ran: when a clock is set forward, or a machine was asleep, what waits to be written
// still waits.
func (h *heldBlobs) forgetOld(age time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.Lock()
	defer h.own.Unlock()
	now := h.now()
	for digest, when := range h.put {
		if now.Sub(when) > age {
			delete(h.put, digest)
		}
	}
}

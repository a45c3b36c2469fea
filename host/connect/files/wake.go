package files

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// blindPoll is how often to look where the system cannot tell of changes.
const blindPoll = 250 * time.Millisecond

// wake tells when a file, or one that it was renamed to, may have changed. It is
// only a hint: whoever waits looks again after a while anyway.
type wake struct {
	watcher *fsnotify.Watcher // nil when there are no notifications
	bases   []string          // names that concern the file start with these
}

func newWake(path string) *wake {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return &wake{} // out of watches; polling does
	}
	k := &wake{watcher: watcher}
	k.add(path)
	if target, err := filepath.EvalSymlinks(path); err == nil && target != path {
		k.add(target)
	}
	return k
}

// add watches a file's folder, where it may come and go.
func (k *wake) add(path string) {
	if err := k.watcher.Add(filepath.Dir(path)); err != nil {
		return // the tail will say what is wrong with the folder
	}
	k.bases = append(k.bases, filepath.Base(path))
}

func (k *wake) close() error {
	if k.watcher == nil {
		return nil
	}
	return k.watcher.Close()
}

// wait returns when the file may have changed, after a while, or when ctx ends.
func (k *wake) wait(ctx context.Context, while time.Duration) {
	var events chan fsnotify.Event
	var errs chan error
	if k.watcher != nil && len(k.bases) > 0 {
		events, errs = k.watcher.Events, k.watcher.Errors
	} else {
		while = min(while, blindPoll)
	}
	timer := time.NewTimer(while)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-errs: //nolint:errcheck // too many changes to tell of: look
			return
		case ev := <-events:
			if k.concerns(filepath.Base(ev.Name)) {
				return
			}
		}
	}
}

func (k *wake) concerns(name string) bool {
	for _, base := range k.bases {
		if strings.HasPrefix(name, base) {
			return true
		}
	}
	return false
}

package sandbox

import (
	"context"
	"fmt"
	"sync"
)

// room is how many instances the versions of a slot may have together, those that
// run and those that are idle. While a new version takes the place of an old one,
// the instances of one make room for the other's, so that a swap takes no more
// memory than its plugin has. It is safe for concurrent use.
type room struct {
	mu       sync.Mutex
	most     int           // guarded by mu; 0: no bound
	live     int           // guarded by mu; instances that there are
	versions []*version    // guarded by mu; that may have idle instances
	freed    chan struct{} // guarded by mu; closed when there may be room, or nil when nobody waits
}

// resize sets the bound. Instances beyond a lower one go as they end their calls.
func (r *room) resize(most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.most = most
	r.tell()
}

// add makes a version one whose idle instances may have to go.
func (r *room) add(v *version) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions = append(r.versions, v)
}

// remove forgets a version that keeps no instance any more.
func (r *room) remove(v *version) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, have := range r.versions {
		if have == v {
			r.versions = append(r.versions[:i:i], r.versions[i+1:]...)
			return
		}
	}
}

// enter counts an instance that is about to be made, if there is room.
func (r *room) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.most > 0 && r.live >= r.most {
		return false
	}
	r.live++
	return true
}

// leave forgets an instance that is gone.
func (r *room) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live--
	r.tell()
}

// idle tells those who wait that an instance is idle.
func (r *room) idle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell()
}

// tell wakes those who wait. The caller holds mu.
func (r *room) tell() {
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
}

// next is closed when there may be room that there was not at the time of the call.
func (r *room) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.freed == nil {
		r.freed = make(chan struct{})
	}
	return r.freed
}

// evict closes an idle instance of any version, those of others than v first. It
// reports whether there was one.
func (r *room) evict(ctx context.Context, v *version) (bool, error) {
	r.mu.Lock()
	order := make([]*version, 0, len(r.versions)+1)
	for _, have := range r.versions {
		if have != v {
			order = append(order, have)
		}
	}
	r.mu.Unlock()
	for _, from := range append(order, v) {
		if s, ok := from.oldest(); ok {
			return true, s.Close(context.WithoutCancel(ctx))
		}
	}
	return false, nil
}

// count is how many instances there are.
func (r *room) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live
}

// bound is how many there may be.
func (r *room) bound() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

// spare is an instance with the limits it was made for, and its place in the room.
type spare struct {
	Instance
	limits Limits
	room   *room
}

// Close closes the instance and gives up its place.
func (s spare) Close(ctx context.Context) error {
	defer s.room.leave()
	return s.Instance.Close(ctx)
}

// take picks an idle instance that was made for the limits, or makes one. Where
// there is no room for another it waits until there is, at most until ctx ends.
func (v *version) take(ctx context.Context, lim Limits) (Instance, error) {
	for {
		if s, ok := v.fitting(lim); ok {
			return s, nil
		}
		if v.room.enter() {
			return v.make(ctx, lim)
		}
		freed := v.room.next() // before the next look, or what happens meanwhile would be missed
		if s, ok := v.fitting(lim); ok {
			return s, nil
		}
		if gone, err := v.room.evict(ctx, v); gone || err != nil {
			if err != nil {
				return nil, fmt.Errorf("close an instance of %s: %w", v.info.Name, err)
			}
			continue
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, &Fault{Kind: FaultDeadline, Module: v.info.Name, Err: fmt.Errorf("waited for one of its %d instances: %w", v.room.bound(), context.Cause(ctx))}
		}
	}
}

// make makes an instance, for which there is room.
func (v *version) make(ctx context.Context, lim Limits) (Instance, error) {
	m, err := v.warm(ctx)
	var inst Instance
	if err == nil {
		inst, err = m.New(ctx, lim)
	}
	if err != nil {
		v.room.leave()
		return nil, err
	}
	return spare{inst, lim, v.room}, nil
}

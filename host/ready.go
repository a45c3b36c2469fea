package host

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// probeEvery is for how long the answer of a probe holds. Each probe is a write
	// with its sync, and anybody on this machine may ask.
	probeEvery = 2 * time.Second
	// probePatience is how long a probe may take before those who ask are told so.
	probePatience = 4 * time.Second
	// probeEnds bounds a probe whose answer does not come.
	probeEnds = 15 * time.Second
)

// readiness finds out by a write whether a log can be written, no more often than
// every probeEvery, whoever asks. Those who ask while a probe is under way get its
// answer, and none of them waits longer than probePatience after its start. The
// zero value is ready to use; its methods may be called together.
type readiness struct {
	mu     sync.Mutex
	latest *probe // guarded by mu; nil before the first
}

// probe is one write. err is set when done is closed.
type probe struct {
	began, ended time.Time
	done         chan struct{}
	err          error
}

// over reports whether the probe has an answer that holds no more.
func (p *probe) over(now time.Time) bool {
	select {
	case <-p.done:
		return now.Sub(p.ended) >= probeEvery
	default:
		return false
	}
}

// ask returns nil when write does, or did lately.
func (r *readiness) ask(ctx context.Context, write func(context.Context) error) error {
	r.mu.Lock()
	p := r.latest
	if p == nil || p.over(time.Now()) {
		p = &probe{began: time.Now(), done: make(chan struct{})}
		r.latest = p
		go p.run(context.WithoutCancel(ctx), write) // ends by its own timeout
	}
	r.mu.Unlock()
	wait := time.NewTimer(time.Until(p.began.Add(probePatience)))
	defer wait.Stop()
	select {
	case <-p.done:
		return p.err
	default:
	}
	select {
	case <-p.done:
		return p.err
	case <-wait.C:
		return fmt.Errorf("a write to the log has been under way for %v; its disk, or most of its servers, do not answer", time.Since(p.began).Round(time.Second))
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *probe) run(ctx context.Context, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, probeEnds)
	defer cancel()
	p.err = write(ctx)
	p.ended = time.Now()
	close(p.done)
}

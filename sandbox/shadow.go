package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/rhost/rhost/abi"
)

// ShadowStats is what running calls on both versions has shown.
type ShadowStats struct {
	Compared uint64   `json:"compared"` // calls that ran on both
	Differ   uint64   `json:"differ"`   // of them, those that ended another way
	Skipped  uint64   `json:"skipped"`  // calls left out because the new version was busy
	Examples []string `json:"examples,omitempty"`
}

const (
	maxShadows  = 64 // calls that wait to be run again; beyond, they are left out
	maxExamples = 5
)

// outcome is how a call ended.
type outcome struct {
	reply abi.Reply
	usage Usage
	err   error
}

// shadowed is a call that is to be run on the new version as well.
type shadowed struct {
	call    *abi.Call
	session *Session
	was     outcome
}

// shadows runs calls on the new version of a rollout beside the old one. Nobody
// waits for it: a call is left out when too many wait.
type shadows struct {
	queue chan shadowed
	quit  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup

	mu  sync.Mutex
	sum ShadowStats // guarded by mu
}

// run starts the goroutine that works off the queue, if the rollout has a phase
// for it.
func (s *shadows) run(r *rollout) {
	if s.queue == nil {
		return
	}
	s.wg.Go(func() {
		for {
			select {
			case <-s.quit:
				return
			case <-r.stop:
				return
			case one := <-s.queue:
				s.compare(r, one)
			}
		}
	})
}

// open makes room for calls; it comes before the rollout is seen by any.
func (s *shadows) open() {
	s.queue, s.quit = make(chan shadowed, maxShadows), make(chan struct{})
}

// end stops the goroutine after the call it is at.
func (s *shadows) end() {
	if s.queue != nil {
		s.once.Do(func() { close(s.quit) })
		s.wg.Wait()
	}
}

// wait waits for the goroutine, which has been told to stop.
func (s *shadows) wait() { s.wg.Wait() }

func (s *shadows) stats() ShadowStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.sum
	out.Examples = slices.Clone(out.Examples)
	return out
}

// shadow hands a call that the old version has answered to the new one.
func (r *rollout) shadow(call *abi.Call, session *Session, was outcome) {
	if r.phase() != PhaseShadow || r.failed.Load() {
		return
	}
	copied := *call // its caller may go on with it
	select {
	case r.shadows.queue <- shadowed{&copied, session.shadow(), was}:
	default:
		r.shadows.mu.Lock()
		r.shadows.sum.Skipped++
		r.shadows.mu.Unlock()
	}
}

// compare runs a call on the new version and notes how it ended.
func (s *shadows) compare(r *rollout, one shadowed) {
	if !r.version.enter() {
		return
	}
	ctx := context.Background() // its deadline is that of the session's limits
	reply, usage, err := r.version.runShadow(ctx, one.call, one.session)
	what := different(one.was, outcome{reply, usage, err})
	s.mu.Lock()
	s.sum.Compared++
	if what != "" {
		s.sum.Differ++
		if len(s.sum.Examples) < maxExamples {
			s.sum.Examples = append(s.sum.Examples, "match "+one.call.Match.ID+": "+what)
		}
	}
	s.mu.Unlock()
	r.judge(err)
}

// runShadow is runEntered where nobody else would catch a panic of the engine.
func (v *version) runShadow(ctx context.Context, call *abi.Call, session *Session) (reply abi.Reply, usage Usage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the engine panicked; this is a bug of rhost: %v", p)
			v.gauge.add(ctx, Usage{}, err)
		}
	}()
	return v.runEntered(ctx, call, session)
}

// different says in what two ends of one call differ, or "".
func different(was, is outcome) string {
	switch {
	case KindOf(was.err) != KindOf(is.err) || (was.err == nil) != (is.err == nil):
		return fmt.Sprintf("%s instead of %s", ended(is), ended(was))
	case was.reply.Result != is.reply.Result:
		return fmt.Sprintf("%s instead of %s", is.reply.Result, was.reply.Result)
	case !bytes.Equal(was.reply.Output, is.reply.Output):
		return fmt.Sprintf("output %s instead of %s", brief(is.reply.Output), brief(was.reply.Output))
	case len(was.reply.Effects) != len(is.reply.Effects):
		return fmt.Sprintf("%d effects instead of %d", len(is.reply.Effects), len(was.reply.Effects))
	}
	for i, a := range was.reply.Effects {
		b := is.reply.Effects[i]
		if a.Kind != b.Kind || a.Name != b.Name || !bytes.Equal(a.Value, b.Value) || !bytes.Equal(a.Bytes, b.Bytes) || a.TTL != b.TTL {
			return fmt.Sprintf("effect %d is %s %s %s instead of %s %s %s", i+1, b.Kind, b.Name, brief(b.Value), a.Kind, a.Name, brief(a.Value))
		}
	}
	return ""
}

func ended(o outcome) string {
	if o.err == nil {
		return o.reply.Result.String()
	}
	if kind := KindOf(o.err); kind != "" {
		return "a " + string(kind) + " fault"
	}
	return "an error"
}

// brief is the beginning of a text for people.
func brief(b []byte) string {
	const most = 60
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	if len(b) == 0 {
		return "nothing"
	}
	return string(b)
}

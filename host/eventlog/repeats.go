package eventlog

import (
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// repeatFirst is how long what was told is not told again; then twice as long each
	// time, up to repeatMost, for as long as it goes on. What was quiet for repeatFirst
	// is news.
	repeatFirst = time.Minute
	repeatMost  = time.Hour
	// maxRepeats bounds how many texts are known. Beyond, all are forgotten.
	maxRepeats = 256
)

// repeats says which of many texts are to be told. Its zero value is ready; its methods
// may be called together.
type repeats struct {
	mu   sync.Mutex
	seen map[string]*repeat
}

type repeat struct {
	last, next time.Time // when it came last; when it is told again
	wait       time.Duration
	held       int // how often it was not told
}

// pass reports whether text is to be told at now, and how often texts like it were not
// since the last time.
func (r *repeats) pass(text string, now time.Time) (held int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := likeness(text)
	p := r.seen[key]
	if p == nil || now.Sub(p.last) > repeatFirst {
		if r.seen == nil || len(r.seen) >= maxRepeats {
			r.seen = make(map[string]*repeat)
		}
		r.seen[key] = &repeat{last: now, next: now.Add(repeatFirst), wait: repeatFirst}
		return 0, true
	}
	p.last = now
	if now.Before(p.next) {
		p.held++
		return 0, false
	}
	held, p.held = p.held, 0
	p.wait = min(2*p.wait, repeatMost)
	p.next = now.Add(p.wait)
	return held, true
}

// likeness is the same for texts that differ in numbers alone, or in what is quoted at
// their end: the number of an attempt, the port of a connection. The address that a
// server tries to reach is kept, for it says which of them is gone.
func likeness(text string) string {
	const dial = "dial tcp "
	addr := ""
	if _, rest, ok := strings.Cut(text, dial); ok {
		addr, _, _ = strings.Cut(rest, ": ")
	}
	text, _, _ = strings.Cut(text, "'")
	return addr + strings.Map(func(c rune) rune {
		if unicode.IsDigit(c) {
			return -1
		}
		return c
	}, text)
}

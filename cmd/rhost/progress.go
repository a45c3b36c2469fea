package main

import (
	"fmt"
	"io"
	"time"
)

// progress shows how far something is that takes long, on a terminal, after a
// second and twice a second.
type progress struct {
	w     io.Writer // nil: nowhere
	began time.Time
	last  time.Time
	shown bool
}

func newProgress(w io.Writer, quiet bool) *progress {
	p := &progress{began: time.Now()}
	if !quiet && isTerminal(w) {
		p.w = w
	}
	return p
}

// show is told how much of how much is done, in bytes.
func (p *progress) show(done, total int64) {
	now := time.Now()
	if p.w == nil || now.Sub(p.began) < time.Second || now.Sub(p.last) < time.Second/2 {
		return
	}
	p.last, p.shown = now, true
	share := 100.0
	if total > 0 {
		share = min(100, 100*float64(done)/float64(total))
	}
	fmt.Fprintf(p.w, "\r\x1b[K%3.0f %%  %s of %s", share, byteCount(done), byteCount(total)) //nolint:errcheck // it is for looking at
}

// end takes the line away.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K") //nolint:errcheck // it is for looking at
	}
}

// byteCount writes a number of bytes in three digits or so: 31 KiB, 1.2 GiB.
func byteCount(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for ; f >= 1000 && i < len(units)-1; i++ {
		f /= 1024
	}
	if i == 0 || f >= 10 {
		return fmt.Sprintf("%.0f %s", f, units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

package window

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/yamldoc"
)

// Kind is how a stream is cut into windows.
type Kind uint8

// The kinds of windows.
const (
	Tumbling Kind = iota // one after the other, each Size long
	Sliding              // Size long, one beginning every Slide
	Session              // as long as no two events are Size or more apart
	Count                // Count events each
)

// String gives the kind as a rule writes it.
func (k Kind) String() string {
	if names := kindNames(); int(k) < len(names) {
		return names[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

func kindNames() []string { return []string{"tumbling", "sliding", "session", "count"} }

const (
	// MaxPanes bounds the steps in which a sliding window slides through its size.
	MaxPanes = 10_000
	// MaxCount bounds the events of a count window.
	MaxCount = 1_000_000_000
)

// Spec says how a stream is cut into windows.
type Spec struct {
	Kind  Kind
	Size  time.Duration // of a tumbling or sliding window; the gap that ends a session
	Slide time.Duration // from the start of a sliding window to the next
	Count int           // events of a count window
}

// ParseSpec reads a window as rules write it: "tumbling 1m", "sliding 5m every
// 10s", "session 30s" or "count 100". Time spans are those of
// yamldoc.ParseDuration. The error is a *yamldoc.Error without a position; the
// caller knows where the text stands.
func ParseSpec(text string) (Spec, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Spec{}, specError("write tumbling 1m, sliding 5m every 10s, session 30s or count 100", "says no window")
	}
	var s Spec
	var err error
	switch words[0] {
	case "tumbling":
		s, err = parseSpan(Tumbling, words)
	case "session":
		s, err = parseSpan(Session, words)
	case "sliding":
		s, err = parseSliding(words)
	case "count":
		s, err = parseCount(words)
	default:
		return Spec{}, specError(yamldoc.Suggest(words[0], kindNames()), "%s is no kind of window", quoted(words[0]))
	}
	if err != nil {
		return Spec{}, err
	}
	return s, s.validate()
}

func parseSpan(k Kind, words []string) (Spec, error) {
	if len(words) != 2 {
		return Spec{}, specError("write "+k.String()+" 1m", "a %s window takes one time span", k)
	}
	d, err := parseDuration(words[1])
	return Spec{Kind: k, Size: d}, err
}

func parseSliding(words []string) (Spec, error) {
	if len(words) != 4 || words[2] != "every" {
		return Spec{}, specError("write sliding 5m every 10s", "a sliding window takes its size and how often one begins")
	}
	size, err := parseDuration(words[1])
	if err != nil {
		return Spec{}, err
	}
	slide, err := parseDuration(words[3])
	return Spec{Kind: Sliding, Size: size, Slide: slide}, err
}

func parseCount(words []string) (Spec, error) {
	if len(words) != 2 {
		return Spec{}, specError("write count 100", "a count window takes one number")
	}
	n, err := strconv.Atoi(words[1])
	if err != nil {
		return Spec{}, specError("write count 100", "%s is not a whole number", quoted(words[1]))
	}
	return Spec{Kind: Count, Count: n}, nil
}

func parseDuration(word string) (time.Duration, error) {
	d, err := yamldoc.ParseDuration(word)
	if err != nil {
		return 0, specError("write a time span such as 30s, 5m, 2h or 7d", "%s is none", quoted(word))
	}
	return d, nil
}

// validate says what is wrong with s, the first thing only: the rest depends
// on it.
func (s Spec) validate() error {
	switch {
	case s.Kind > Count:
		return specError("use one of the kinds there are", "%s is no kind of window", s.Kind)
	case s.Kind == Count && (s.Count < 1 || s.Count > MaxCount):
		return specError("write count 100", "a window of %d events: it takes 1 to %d", s.Count, MaxCount)
	case s.Kind != Count && s.Size <= 0:
		return specError("write a time span above zero, such as 1m", "a time span of %v", s.Size)
	case s.Kind != Sliding:
		return nil
	case s.Slide <= 0:
		return specError("write a time span above zero, such as 10s", "a window every %v", s.Slide)
	case s.Slide > s.Size:
		return specError(fmt.Sprintf("let one begin every %v or more often", s.Size), "windows of %v every %v leave out what lies between them", s.Size, s.Slide)
	case s.panes() > MaxPanes:
		err := specError(fmt.Sprintf("let one begin every %v or less often", s.coarser()), "windows of %v every %v overlap in %d steps; the limit is %d", s.Size, s.Slide, s.panes(), MaxPanes)
		err.Code = CodePanes
		return err
	}
	return nil
}

// String gives s as a rule writes it.
func (s Spec) String() string {
	switch s.Kind {
	case Sliding:
		return fmt.Sprintf("sliding %v every %v", s.Size, s.Slide)
	case Count:
		return fmt.Sprintf("count %d", s.Count)
	default:
		return fmt.Sprintf("%v %v", s.Kind, s.Size)
	}
}

// tail is what a sliding window is longer than a whole number of slides.
func (s Spec) tail() time.Duration { return s.Size % s.Slide }

// panes is the number of panes a sliding window consists of: one for each slide,
// cut in two when windows end between the starts of others. Cutting at starts
// and ends ("paired windows": Krishnamurthy, Wu, Franklin, On-the-fly sharing for
// streamed aggregation, SIGMOD 2006) needs at most two panes a slide, where panes
// as long as the greatest common divisor could be thousands.
func (s Spec) panes() int64 {
	n := int64(s.Size / s.Slide)
	if s.tail() > 0 {
		return 2*n + 1
	}
	return n
}

// coarser is a slide for s that is within MaxPanes, a round one if there is one.
func (s Spec) coarser() time.Duration {
	for _, unit := range []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour} {
		for _, n := range []int{1, 2, 5, 10, 15, 20, 30, 100, 200, 500} {
			if c := (Spec{Size: s.Size, Slide: time.Duration(n) * unit}); c.Slide > s.Slide && c.panes() <= MaxPanes {
				return c.Slide
			}
		}
	}
	return s.Size / 100
}

// pane gives the pane that t lies in.
func (s Spec) pane(t time.Time) (from, to time.Time) {
	start, tail := Floor(t, s.Slide), s.tail()
	if tail == 0 {
		return start, start.Add(s.Slide)
	}
	cut := start.Add(tail)
	if t.Before(cut) {
		return start, cut
	}
	return cut, start.Add(s.Slide)
}

// earliest gives the start of the earliest sliding window that holds t.
func (s Spec) earliest(t time.Time) time.Time {
	return Floor(t.Add(-s.Size), s.Slide).Add(s.Slide)
}

func specError(fix, format string, args ...any) *yamldoc.Error {
	return yamldoc.Errorf(yamldoc.Pos{}, "", CodeSpec, fix, format, args...)
}

// quoted shows a word of the input, not more of it than a message bears.
func quoted(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return strconv.Quote(s)
}

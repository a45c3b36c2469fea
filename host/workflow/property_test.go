package workflow_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/host/workflow"
)

// world answers commands: always the same for the same attempt.
type world struct{ answers map[string]string }

func (w world) answer(c workflow.Command) workflow.Result {
	switch a := w.answers[fmt.Sprintf("%s %v %d", c.Step, c.Undo, min(c.Attempt, 9))]; a {
	case "", "ok":
		return c.Answer(json.RawMessage(fmt.Sprintf(`{"ref":"%s#%d"}`, c.Key, c.Attempt)))
	case "drop":
		res := c.Answer(nil)
		res.Dropped = true
		return res
	default:
		return c.Fail(workflow.FailureKind(a), a)
	}
}

// story is one random case: a definition, a world, and where crashes happen.
type story struct {
	def     *workflow.Definition
	src     string
	world   world
	matches int
	redrive int          // dead letters are redriven so often
	crashes map[int]bool // by number of the commit
	torn    map[int]int  // records of that commit that are not written
	every   int          // commits between two snapshots
}

func drawStory(t *rapid.T) story {
	s := story{
		world: world{make(map[string]string)}, crashes: make(map[int]bool), torn: make(map[int]int),
		matches: rapid.IntRange(1, 3).Draw(t, "matches"), redrive: rapid.IntRange(0, 2).Draw(t, "redrives"),
		every: rapid.IntRange(2, 9).Draw(t, "every"),
	}
	var b strings.Builder
	b.WriteString("do:\n")
	n := rapid.IntRange(1, 5).Draw(t, "steps")
	for i := range n {
		id := fmt.Sprintf("s%d", i)
		if rapid.IntRange(0, 3).Draw(t, "in log") == 0 {
			fmt.Fprintf(&b, "  - id: %s\n    emit: {type: t, data: '${match.n}'}\n", id)
		} else {
			fmt.Fprintf(&b, "  - id: %s\n    run: p\n    retry: %s\n", id, drawRetry(t))
			s.answers(t, id, false)
		}
		switch rapid.IntRange(0, 3).Draw(t, "undo") {
		case 0, 1:
			fmt.Fprintf(&b, "    undo: {run: un-p, with: {n: '${match.n}'}, retry: %s}\n", drawRetry(t))
			s.answers(t, id, true)
		case 2:
			fmt.Fprintf(&b, "    undo: {notify: t}\n")
		}
	}
	if rapid.Bool().Draw(t, "on_failure") {
		b.WriteString("on_failure: [{id: late, run: q}]\n")
		s.answers(t, "late", false)
	}
	s.src = b.String()
	s.def = mustParse(t, s.src)
	for range rapid.IntRange(0, 12).Draw(t, "crashes") {
		at := rapid.IntRange(0, 40).Draw(t, "commit")
		s.crashes[at] = true
		s.torn[at] = rapid.IntRange(0, 4).Draw(t, "torn")
	}
	return s
}

func drawRetry(t *rapid.T) string {
	return fmt.Sprintf("{max: %d, backoff: %s, jitter: %s}", rapid.IntRange(1, 3).Draw(t, "max"),
		rapid.SampledFrom([]string{"1s", "1s..1m", "1ms..1s"}).Draw(t, "backoff"), rapid.SampledFrom([]string{"full", "none"}).Draw(t, "jitter"))
}

func (s story) answers(t *rapid.T, step string, undo bool) {
	for attempt := 1; attempt <= 9; attempt++ {
		s.world.answers[fmt.Sprintf("%s %v %d", step, undo, attempt)] = rapid.SampledFrom(
			[]string{"ok", "ok", "ok", "timeout", "unavailable", "fail", "trap", "drop"}).Draw(t, "answer")
	}
}

// act is an action that was begun.
type act struct {
	key     string
	attempt int
}

// run is a story on its way, with or without its crashes.
type run struct {
	t       *rapid.T
	s       story
	crashes bool
	e       *workflow.Engine
	now     time.Time
	commits int
	log     []workflow.Record
	queue   []workflow.Command
	begun   map[string][]act // actions in the order they were first begun, by execution

	capture *workflow.Capture // under way, of the log as it was when it had captured records
	kept    []byte            // the latest snapshot, of the first in the log
	first   int
	taken   int // records in the log when capture began
}

// tell plays a story to its end.
func tell(t *rapid.T, s story, crashes bool) *run {
	r := &run{t: t, s: s, crashes: crashes, now: epoch, begun: make(map[string][]act)}
	r.e = workflow.NewEngine(options(s.def))
	for i := range s.matches {
		key := fmt.Sprintf("m-%d", i)
		for len(r.of("x-"+key[2:])) == 0 { // a start that was lost comes again, as its match does
			r.commit(r.e.Start(s.def, info(key, fmt.Sprintf(`{"n":%d}`, i)), r.now))
		}
	}
	redrives := make(map[string]int)
	for range 10_000 {
		if r.work() || r.wait() {
			continue
		}
		letters := slices.DeleteFunc(r.e.DeadLetters(), func(l workflow.DeadLetter) bool { return redrives[l.Execution] >= s.redrive })
		if len(letters) == 0 {
			return r
		}
		id := letters[0].Execution
		out, err := r.e.Redrive(id, r.now)
		require.NoError(t, err)
		before := len(r.log)
		r.commit(out)
		if len(r.log) > before {
			redrives[id]++
		}
	}
	t.Fatal("the executions do not come to an end")
	return nil
}

// work answers the next command.
func (r *run) work() bool {
	if len(r.queue) == 0 {
		return false
	}
	c := r.queue[0]
	r.queue = r.queue[1:]
	a := act{c.Key, c.Attempt}
	if !slices.Contains(r.begun[c.Execution], a) {
		r.begun[c.Execution] = append(r.begun[c.Execution], a)
	}
	r.commit(r.e.Complete(r.s.world.answer(c), r.now))
	return true
}

// wait lets time pass to the next timer.
func (r *run) wait() bool {
	at, ok := r.e.NextTimer()
	if !ok {
		return false
	}
	if at.After(r.now) {
		r.now = at
	}
	r.commit(r.e.Tick(r.now))
	return true
}

// commit writes an output to the log and hands out its commands, unless a crash
// comes first.
func (r *run) commit(out workflow.Output) {
	at := r.commits
	r.commits++
	if !r.crashes || !r.s.crashes[at] {
		r.log = append(r.log, recode(r.t, out.Records)...)
		r.queue = append(r.queue, out.Commands...)
		r.snapshot(at)
		return
	}
	kept := max(len(out.Records)-r.s.torn[at], 0)
	r.log = append(r.log, recode(r.t, out.Records[:kept])...)
	r.e = workflow.NewEngine(options(r.s.def))
	for _, rec := range r.log {
		require.NoError(r.t, r.e.Apply(rec))
	}
	r.capture = nil
	r.restore()
	r.queue = nil
	r.now = r.now.Add(7 * time.Millisecond) // the host was down
	r.commit(r.e.Recovered(r.now))
}

// snapshot begins a snapshot at some commits, and writes it down some commits later:
// what happens meanwhile is not in it.
func (r *run) snapshot(at int) {
	switch {
	case !r.crashes:
	case r.capture == nil && at%r.s.every == 0:
		r.capture, r.taken = r.e.Capture(), len(r.log)
	case r.capture != nil && at%r.s.every == r.s.every/2:
		r.kept, r.first = written(r.t, r.capture), r.taken
		r.capture = nil
	}
}

// written ends a capture.
func written(t require.TestingT, c *workflow.Capture) []byte {
	var b bytes.Buffer
	require.NoError(t, c.WriteTo(&b, func(string) {}))
	c.End()
	return b.Bytes()
}

// restore recovers from the latest snapshot, if there is one, and goes on with that.
// It is what recovering from the whole log gives.
func (r *run) restore() {
	if r.kept == nil {
		return
	}
	e, err := workflow.RestoreEngine(options(r.s.def), bufio.NewReader(bytes.NewReader(r.kept)))
	require.NoError(r.t, err)
	for _, rec := range r.log[r.first:] {
		require.NoError(r.t, e.Apply(rec))
	}
	require.Equal(r.t, written(r.t, r.e.Capture()), written(r.t, e.Capture()))
	r.e = e
}

// of returns the history of one execution.
func (r *run) of(id string) []workflow.Record {
	var recs []workflow.Record
	for _, rec := range r.log {
		if rec.Execution == id {
			recs = append(recs, rec)
		}
	}
	return recs
}

// TestCrashesChangeNothing: whatever is lost between two commits, and wherever
// a commit is torn, the history of each execution is that of a run without
// crashes, and so are its actions, but for those that are begun again with the
// same key and attempt.
func TestCrashesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStory(t)
		calm, rough := tell(t, s, false), tell(t, s, true)
		for i := range s.matches {
			id := fmt.Sprintf("x-%d", i)
			want, got := withoutTimes(calm.of(id)), withoutTimes(rough.of(id))
			require.Equal(t, want, got, s.src)
			require.Equal(t, calm.begun[id], rough.begun[id], s.src)
			checkHistory(t, calm.of(id), s)
		}
	})
}

// withoutTimes leaves out when things happened, which depends on how the other
// executions were delayed, and keeps how long the waits are.
func withoutTimes(recs []workflow.Record) []workflow.Record {
	out := slices.Clone(recs)
	var failedAt time.Time
	for i, r := range out {
		out[i].At = time.Time{}
		if r.Failed != nil {
			failedAt = r.At
		}
		if r.RetryAt != nil {
			wait := *r.RetryAt
			wait.At = time.Time{}.Add(wait.At.Sub(failedAt))
			out[i].RetryAt = &wait
		}
		if r.DeadLettered != nil {
			l := *r.DeadLettered
			l.Started = time.Time{}
			out[i].DeadLettered = &l
		}
	}
	return out
}

// checkHistory holds one history against what doc.go promises.
func checkHistory(t *rapid.T, recs []workflow.Record, s story) {
	type intent struct {
		step    string
		undo    bool
		attempt int
	}
	seen := make(map[intent]bool)
	var completed, undone []string
	over := false
	for i, r := range recs {
		if i == 0 {
			require.Equal(t, workflow.KindStarted, r.Kind)
		}
		undo := strings.HasPrefix(string(r.Kind), "undo_")
		switch {
		case r.Redriven != nil:
			over = false
			if r.Redriven.From == workflow.FromStart {
				completed, undone = nil, nil
			}
		case r.Finished != nil:
			require.False(t, over, "finished twice")
			over = true
		case r.DeadLettered != nil:
			require.True(t, over)
		default:
			require.True(t, r.Started != nil || !over, "%s after the end", r.Kind)
		}
		if r.Scheduled != nil {
			in := intent{r.Scheduled.Step, undo, r.Scheduled.Attempt}
			require.False(t, seen[in], "%v scheduled twice", in)
			seen[in] = true
		}
		if step := begunUndo(r); step != "" && !slices.Contains(undone, step) {
			undone = append(undone, step)
		}
		if r.Kind == workflow.KindSucceeded && r.Succeeded.Step != "late" {
			completed = append(completed, r.Succeeded.Step)
		}
		if r.Finished != nil {
			checkUndo(t, r.Finished.Status, completed, undone, s)
		}
	}
	require.True(t, over, "not finished")
}

// begunUndo returns the step whose undo r begins, in whatever way.
func begunUndo(r workflow.Record) string {
	switch r.Kind {
	case workflow.KindUndoScheduled:
		return r.Scheduled.Step
	case workflow.KindUndoSucceeded:
		return r.Succeeded.Step
	default:
		return ""
	}
}

// checkUndo: in a failed execution all that was completed and has an undo was
// undone, in reverse order of completion; in any other, nothing.
func checkUndo(t *rapid.T, status workflow.Status, completed, undone []string, s story) {
	var want []string
	if status != workflow.StatusDone && status != workflow.StatusDropped {
		for _, id := range slices.Backward(completed) {
			i := slices.IndexFunc(s.def.Steps(), func(step *workflow.Step) bool { return step.ID == id })
			if s.def.Steps()[i].Undo != nil {
				want = append(want, id)
			}
		}
	}
	assert.Equal(t, want, undone, "%s:\n%s", status, s.src)
}

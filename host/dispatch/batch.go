package dispatch

import (
	"context"
	"time"
)

// Batch says which tasks of a tenant may be done together. A worker that takes up a
// task takes those along that wait at that moment, are of equal Key, and that it has
// reason to expect done soon: nothing waits for a batch to fill.
//
// Tasks of one Key keep their order. A task of another is overtaken by those of a
// batch, which are bounded in number, bytes and expected time.
type Batch struct {
	Key  any // comparable
	Size int // bytes that the task brings along
	Item any // the task's part, for Do
	// Do does several tasks at once, in place of the Do of each: it is the one of the
	// first. items has two or more, in the order in which they were submitted. Its
	// context is as that of Task.Do.
	Do func(ctx context.Context, items []any)
}

const (
	maxBatch      = 64      // tasks of a batch
	maxBatchBytes = 1 << 20 // that they bring along
	// batchTime is how long a batch is expected to take at most, by the tenant's
	// average, so that one tenant's batches are no long wait for another.
	batchTime = 2 * time.Millisecond
	// lookahead is how many waiting tasks are looked at.
	lookahead = 256
)

// batch takes the first task of the queue, which has one, and those that go together
// with it. The idle workers, of which there is one at least, get equal shares.
func (q *queue) batch(idle int) []Task {
	first := q.tasks[q.head]
	q.tasks[q.head] = Task{}
	q.head++
	tasks := []Task{first}
	if first.Batch == nil {
		return tasks
	}
	most := maxBatch
	if q.average > 0 {
		most = min(most, int(batchTime/q.average))
	}
	share := max(idle, 1)
	most = min(most, (q.waiting()+share)/share) // of those waiting and the first, rounded up
	bytes := first.Batch.Size
	end := min(len(q.tasks), q.head+lookahead)
	last := q.head // behind the last that is taken
	left := 0      // how many before that stay
	var stay []Task
	for i := q.head; i < end && len(tasks) < most; i++ {
		t := q.tasks[i]
		if t.Batch == nil || t.Batch.Key != first.Batch.Key {
			stay = append(stay, t)
			continue
		}
		if bytes+t.Batch.Size > maxBatchBytes {
			break
		}
		tasks = append(tasks, t)
		bytes += t.Batch.Size
		last, left = i+1, len(stay)
	}
	// The others close up before what was not looked at.
	from := last - left
	copy(q.tasks[from:last], stay[:left])
	clear(q.tasks[q.head:from])
	q.head = from
	return tasks
}

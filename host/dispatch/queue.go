package dispatch

import (
	"time"

	"github.com/rhost/rhost/tenants"
)

const (
	// quantum is what a turn is worth: a tenant runs tasks of about this much
	// time, at least one, before the next tenant has its turn.
	quantum = 50 * time.Microsecond
	// maxDebt bounds what a tenant still owes when it comes back with new tasks.
	maxDebt = time.Second
)

// turn is what a worker does at once: a task, or several of a tenant that may be done
// together.
type turn struct {
	tasks []Task
	q     *queue
	paid  time.Duration
}

// queues holds the waiting tasks of all tenants and deals turns by deficit
// round-robin. It does not lock; its Dispatcher does.
//
// What a task takes is known only when it has ended. So a tenant pays the
// running average of its tasks when one starts, and the difference when it ends.
type queues struct {
	limit   int // waiting tasks per tenant
	most    int // running tasks per tenant
	tenants map[tenants.Name]*queue
	turn    *queue // who has the turn, in a ring of those that may start a task now; nil: nobody may
	size    int    // of the ring
	waiting int    // tasks, in all
	running int
	batched uint64 // tasks that ended and were done together with others
}

// queue is one tenant's share. It is kept when it is empty, for its average and
// its debt.
type queue struct {
	tenant  tenants.Name
	tasks   []Task // waiting, from head on
	head    int
	running int
	ended   uint64
	spent   time.Duration // by the tasks that ended
	balance time.Duration // what may still be used in this turn; negative: owed
	average time.Duration // of a task
	served  bool          // has got the quantum of its turn
	room    chan struct{} // closed when a full queue gets room; nil while nobody waits for that

	next, prev *queue // in the ring; nil outside
}

func newQueues(limit, most int) *queues {
	return &queues{limit: limit, most: most, tenants: make(map[tenants.Name]*queue)}
}

// of returns the queue of a tenant, which begins if there was none.
func (qs *queues) of(t tenants.Name) *queue {
	q := qs.tenants[t]
	if q == nil {
		q = &queue{tenant: t, average: quantum}
		qs.tenants[t] = q
	}
	return q
}

func (q *queue) waiting() int { return len(q.tasks) - q.head }

// push adds a task unless the tenant's queue is full.
func (qs *queues) push(q *queue, t Task) bool {
	if q.waiting() >= qs.limit {
		return false
	}
	q.tasks = append(q.tasks, t)
	qs.waiting++
	qs.enter(q)
	return true
}

// next starts the task whose turn it is, with those that go together with it. idle
// is how many workers have nothing to do, the one who asks included. ok is false when
// no task may start.
func (qs *queues) next(idle int) (t turn, ok bool) {
	for passed := 0; qs.turn != nil; passed++ {
		if passed > qs.size {
			qs.forgive() // everybody is in debt, maybe by many turns
			passed = 0
		}
		q := qs.turn
		if !q.served {
			q.served = true
			q.balance += quantum
		}
		if q.balance > 0 {
			return qs.start(q, idle), true
		}
		q.served = false
		qs.turn = q.next
	}
	return turn{}, false
}

// forgive gives every tenant in the ring as many turns as the one who owes least
// has to wait, at once.
func (qs *queues) forgive() {
	least := qs.turn.balance
	for q := qs.turn.next; q != qs.turn; q = q.next {
		least = max(least, q.balance)
	}
	least = min(least, 0)
	qs.turn.balance -= least
	for q := qs.turn.next; q != qs.turn; q = q.next {
		q.balance -= least
	}
}

func (qs *queues) start(q *queue, idle int) turn {
	// Workers that the tenant may not have are nothing to it.
	t := turn{tasks: q.batch(min(idle, qs.most-q.running)), q: q}
	t.paid = q.average * time.Duration(len(t.tasks))
	if q.head == len(q.tasks) {
		q.tasks, q.head = q.tasks[:0], 0
	} else if q.head >= 1024 && q.head*2 >= len(q.tasks) {
		n := copy(q.tasks, q.tasks[q.head:])
		clear(q.tasks[n:])
		q.tasks, q.head = q.tasks[:n], 0
	}
	qs.waiting -= len(t.tasks)
	qs.running++
	q.running++
	q.balance -= t.paid
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	if q.waiting() == 0 || q.running >= qs.most {
		qs.leave(q)
	}
	return t
}

// finish ends a turn that took so long, and settles what was paid for it.
func (qs *queues) finish(t turn, took time.Duration) {
	q, n := t.q, len(t.tasks)
	qs.running--
	q.running--
	q.ended += uint64(n)
	if n > 1 {
		qs.batched += uint64(n)
	}
	q.spent += took
	q.balance += t.paid - took
	q.average += (took/time.Duration(n) - q.average) / 8
	qs.enter(q)
}

// enter puts q at the end of the ring if it may start a task and is not there.
func (qs *queues) enter(q *queue) {
	if q.next != nil || q.waiting() == 0 || q.running >= qs.most {
		return
	}
	q.balance = max(q.balance, -maxDebt)
	qs.size++
	if qs.turn == nil {
		q.next, q.prev = q, q
		qs.turn = q
		return
	}
	q.next, q.prev = qs.turn, qs.turn.prev
	q.prev.next, q.next.prev = q, q
}

// leave takes q, which has the turn, out of the ring. What it did not use of its
// turn is lost, what it owes is not.
func (qs *queues) leave(q *queue) {
	q.served = false
	q.balance = min(q.balance, 0)
	qs.size--
	qs.turn = q.next
	if qs.size == 0 {
		qs.turn = nil
	}
	q.prev.next, q.next.prev = q.next, q.prev
	q.next, q.prev = nil, nil
}

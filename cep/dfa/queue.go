package dfa

// queue is the starts of all keys, in the order in which they came, which is the
// order in which they run out of time. A start that is no longer open stays in it
// until it comes to the front, or until there are more of such than of others.
type queue struct {
	blocks []block
	size   int
	tidyAt int // the size at which to look for starts that are no longer open
}

// block is a part of a queue. Numbers stand apart from one another because two
// arrays need no room between their entries.
type block struct {
	orders []uint64 // of the start event
	ids    []uint32 // of the entry
	from   int      // the first that has not been taken
}

const blockSize = 256

// push adds a start at the end.
func (q *queue) push(order uint64, id uint32) {
	if n := len(q.blocks); n == 0 || len(q.blocks[n-1].orders) == blockSize {
		var b block
		if n > 0 {
			b = block{orders: make([]uint64, 0, blockSize), ids: make([]uint32, 0, blockSize)}
		}
		q.blocks = append(q.blocks, b)
	}
	b := &q.blocks[len(q.blocks)-1]
	b.orders, b.ids = append(b.orders, order), append(b.ids, id)
	q.size++
}

// front gives the first start.
func (q *queue) front() (order uint64, id uint32, ok bool) {
	if q.size == 0 {
		return 0, 0, false
	}
	b := &q.blocks[0]
	return b.orders[b.from], b.ids[b.from], true
}

// pop takes the first start away.
func (q *queue) pop() {
	b := &q.blocks[0]
	b.from++
	q.size--
	if b.from < len(b.orders) {
		return
	}
	if len(q.blocks) == 1 {
		*b = block{orders: b.orders[:0], ids: b.ids[:0]}
		return
	}
	q.blocks[0] = block{}
	q.blocks = q.blocks[1:]
}

// tidy drops starts that are no longer open, when there are many enough to make
// up for the looking.
func (q *queue) tidy(open func(order uint64, id uint32) bool) {
	const few = 64
	if q.size < max(q.tidyAt, few) {
		return
	}
	old := q.blocks
	*q = queue{}
	for i := range old {
		b := &old[i]
		for j := b.from; j < len(b.orders); j++ {
			if open(b.orders[j], b.ids[j]) {
				q.push(b.orders[j], b.ids[j])
			}
		}
		*b = block{}
	}
	q.tidyAt = 2 * q.size
}

// bytes is the memory the queue takes.
func (q *queue) bytes() int {
	const perBlock, perStart = 56, 12
	n := perBlock * cap(q.blocks)
	for i := range q.blocks {
		n += perStart * cap(q.blocks[i].ids)
	}
	return n
}

package host

import (
	"iter"
	"slices"
)

// simThread is a goroutine of a process that runs beside its lane. It stops before
// each call to the servers and goes on when it is told to, so between any two calls
// others may do what they do, and the process may end.
type simThread struct {
	owner *simOwner
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	locks bool // it has stopped where the lane would wait for it
	died  bool
}

// simDeath is what a process says in the middle of a call with which it ends.
type simDeath struct{}

// spawn begins a thread, which goes on with go on.
func (o *simOwner) spawn(fn func()) *simThread {
	t := &simThread{owner: o}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			switch p := recover().(type) {
			case nil:
			case simDeath:
				t.died = true
			default:
				panic(p)
			}
		}()
		fn()
	})
	o.threads = append(o.threads, t)
	return t
}

// goOn lets the thread run to its next call to the servers. It reports whether the
// thread has ended.
func (t *simThread) goOn() (ended bool) {
	o := t.owner
	o.thread, t.locks = t, false
	_, more := t.next()
	o.thread = nil
	if !more {
		o.threads = slices.DeleteFunc(o.threads, func(other *simThread) bool { return other == t })
	}
	if t.died {
		o.end(nil)
	}
	return !more
}

// further lets the thread run on for a while.
func (t *simThread) further() {
	w := t.owner.w
	for n := []int{1, 2, 10, 1000}[w.pick(4)]; n > 0 && !t.goOn(); n-- {
	}
}

// unlock lets threads go on that have what the lane might wait for.
func (o *simOwner) unlock() {
	for _, t := range slices.Clone(o.threads) {
		for t.locks && !t.goOn() {
		}
	}
}

// called is told of each call to the servers. locks says that the lane would wait for
// the end of it.
func (o *simOwner) called(locks bool) {
	t := o.thread
	if t == nil {
		return
	}
	t.locks = locks
	if !t.yield(struct{}{}) {
		panic(simDeath{})
	}
	if o.thread != t {
		panic("a thread goes on by itself")
	}
}

// writes is told of each call that changes something, before and after it. Every now
// and then it is the last thing that a process does.
func (o *simOwner) writes() {
	if w := o.w; o.running && !w.calm && w.once(400) {
		w.did["a process ended in the middle of a step"]++
		o.say("dies")
		panic(simDeath{})
	}
}

// mortal runs something that may be the end of the process.
func (o *simOwner) mortal(fn func()) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case simDeath:
			o.thread = nil
			o.end(nil)
		default:
			panic(p)
		}
	}()
	o.unlock()
	if !o.over {
		fn()
	}
}

package host

import "github.com/rhost/rhost/host/workflow"

// A call reads state at one moment, and its effects are checked against the
// state when its result arrives. One that wrote to a key it no longer saw as it
// is runs again: its effects were not committed, so it may. Those that lost over
// the same key take turns, and until the one whose turn it is has come through,
// results of others that write to the key because of what they read wait as
// well. So everyone gets through, however many want the same key.

// lost reports whether a result must not count, and over which key.
func (l *lane) lost(id string, effects []workflow.Effect) (key string, lost bool) {
	for _, e := range effects {
		if e.Expect == nil {
			continue
		}
		if turns := l.turns[e.Name]; len(turns) > 0 && turns[0] != id || !l.state.holds(e.Name, *e.Expect) {
			return e.Name, true
		}
	}
	return "", false
}

// again has a call run once more when its turn for the key comes.
func (l *lane) again(id, key string, run *running) {
	if run.turn == key { // its turn goes on: a write that read nothing came between
		l.ready = append(l.ready, run.cmd)
		return
	}
	l.leave(run)
	run.turn = key
	l.turns[key] = append(l.turns[key], id)
	if len(l.turns[key]) == 1 {
		l.ready = append(l.ready, run.cmd)
	}
}

// leave ends a call's turn, if it has one, and begins the next. Only the first
// in turn runs, so the call is that one.
func (l *lane) leave(run *running) {
	if run.turn == "" {
		return
	}
	next := l.turns[run.turn][1:]
	if len(next) == 0 {
		delete(l.turns, run.turn)
	} else {
		l.turns[run.turn] = next
		l.ready = append(l.ready, l.running[next[0]].cmd)
	}
	run.turn = ""
}

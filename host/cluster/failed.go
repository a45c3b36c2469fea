package cluster

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxWait is how many TTLs a node waits at most before it tries again to run a group.
const maxWait = 10

// A group that a run found to be another's is tried again after a TTL, for that may be
// what had been. When it is found so again and again, something is wrong here.
const (
	maxLost    = 3  // times
	lostWithin = 10 // TTLs
)

// maxReason bounds what is shown of an error, in bytes.
const maxReason = 500

// onFailed takes down that a group's run has ended by itself.
func (m *Member) onFailed(e ending) {
	now := m.cfg.Clock.Now()
	tries := m.failed[e.group].Tries + 1
	if errors.Is(e.err, ErrLost) {
		lost := m.losses(e.group, now)
		if lost < maxLost {
			m.pause[e.group] = now.Add(m.cfg.TTL)
			return
		}
		tries = max(tries, lost)
	}
	f := Failed{Group: e.group, Tries: tries, Since: now.UTC(), Reason: "it ended by itself"}
	if e.err != nil {
		f.Reason = e.err.Error()
	}
	if len(f.Reason) > maxReason {
		f.Reason = strings.ToValidUTF8(f.Reason[:maxReason], "") + "…"
	}
	wait := min(m.cfg.TTL<<min(f.Tries-1, maxWait), maxWait*m.cfg.TTL)
	m.failed[e.group], m.pause[e.group] = f, now.Add(wait)
	m.cfg.Logger.Warn("a group has failed here; another node is to have it", "group", e.group, "tries", f.Tries, "again", wait, "error", e.err)
}

// losses counts how often a run has found lately, at now the last time, that the group is
// another's.
func (m *Member) losses(group int, now time.Time) int {
	list := slices.DeleteFunc(m.lost[group], func(at time.Time) bool { return now.Sub(at) >= lostWithin*m.cfg.TTL })
	list = append(list, now)
	list = list[max(0, len(list)-maxLost):]
	m.lost[group] = list
	return len(list)
}

// failures are the groups that this node could not run, for others to see. One that
// has run for a while is none of them any more.
func (m *Member) failures(now time.Time) (list []Failed) {
	for _, g := range slices.Sorted(maps.Keys(m.failed)) {
		if o := m.owned[g]; o != nil && now.Sub(o.since) >= m.cfg.TTL {
			delete(m.failed, g)
			continue
		}
		f := m.failed[g]
		f.Waiting = now.Before(m.pause[g])
		list = append(list, f)
	}
	return list
}

package eventlogtest

import (
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/rhost/rhost/host/eventlog"
)

// Config says how a Model misbehaves.
type Config struct {
	// Choose decides everything: it returns one of 0 to n-1, where 0 is the
	// choice that goes well. Nil: all goes well. See Seeded.
	Choose func(n int) int
	Rates  Rates
	// Capacity is the room for everything together, in bytes. Beyond it nothing
	// is stored or answered any more, until Crash. 0: there is no end of it.
	Capacity int64

	// NoFence plants a fault: messages are stored whatever they expect.
	NoFence bool
	// AckEarly plants another: half of the answers come before the sync, which
	// may be never.
	AckEarly bool
}

// Rates say how many of a thousand calls go wrong in which way.
type Rates struct {
	AckLost int // a message is stored and synced, and the answer gets lost
	Late    int // it is stored later, if its place is free then; nobody answers
	Lost    int // it never arrives, and nobody answers
	Undone  int // it is stored, but not synced before somebody reads or writes next, and not answered
	Refused int // it is refused, because no server can store it now
	Unread  int // a call that reads fails
}

// Stormy are rates at which everything happens every few calls.
//
//nolint:gochecknoglobals // a table that never changes
var Stormy = Rates{AckLost: 80, Late: 80, Lost: 50, Undone: 60, Refused: 40, Unread: 20}

// Seeded returns choices that depend on nothing but seed.
func Seeded(seed uint64) func(n int) int {
	r := rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15))
	return r.IntN
}

// Model is the servers of a log in memory. Its methods, and those of its nodes
// and their stores, may be called together; a run is the same each time only when
// they are not.
type Model struct {
	mu     sync.Mutex // guards everything of the model
	cfg    Config
	order  []*sequence // in the order of their first use
	byName map[string]*sequence
	blobs  map[blobName]blob
	stored int        // blobs so far, each time that one was stored
	under  []lateBlob // way
	stuck  bool       // the disk was full
}

// New returns a model without a message.
func New(c Config) *Model {
	if c.Choose == nil {
		c.Choose = func(int) int { return 0 }
	}
	return &Model{cfg: c, byName: make(map[string]*sequence), blobs: make(map[blobName]blob)}
}

// Set changes how the model misbehaves from now on.
func (m *Model) Set(change func(*Config)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.cfg)
}

// Crash is a power cut: of each stream and of the notes, what was not synced is
// gone, but for some of the oldest of it, and messages under way are lost. The
// servers are up again at once, with room if there is any.
func (m *Model) Crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stuck, m.under = false, nil
	for _, s := range m.order {
		s.crash(m.cfg.Choose)
	}
}

// Land lets one of the messages that are late arrive, and reports whether there
// was one.
func (m *Model) Land() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	var with []*sequence
	for _, s := range m.order {
		if len(s.late) > 0 {
			with = append(with, s)
		}
	}
	if len(with)+len(m.under) == 0 {
		return false
	}
	at := m.cfg.Choose(len(with) + len(m.under))
	if at >= len(with) {
		m.landBlob(at - len(with))
		return true
	}
	s := with[at]
	s.land(m.cfg.Choose(len(s.late)), m.cfg.NoFence)
	return true
}

// Late is how many messages are still under way.
func (m *Model) Late() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.order {
		n += len(s.late)
	}
	return n + len(m.under)
}

// Frames returns copies of what a stream holds, and the sequence of the first.
func (m *Model) Frames(group int, kind eventlog.StreamKind) (first uint64, frames [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stream(group, kind)
	for i := range s.msgs {
		frames = append(frames, slices.Clone(s.msgs[i].data))
	}
	return s.base + 1, frames
}

// Flip turns one bit of a stored frame over. There must be such a bit.
func (m *Model) Flip(group int, kind eventlog.StreamKind, seq uint64, bit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stream(group, kind).at(seq).flip(bit)
}

// FlipNote turns one bit of a stored note over.
func (m *Model) FlipNote(group int, seq uint64, bit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sequence(notesOf(group)).at(seq).flip(bit)
}

// Lose takes one stored frame away, as a server does that finds it damaged.
func (m *Model) Lose(group int, kind eventlog.StreamKind, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stream(group, kind).at(seq).gone = true
}

// Truncate takes the frames from seq on away.
func (m *Model) Truncate(group int, kind eventlog.StreamKind, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stream(group, kind).truncate(seq - 1)
}

// FlipBlob turns one bit of a blob over.
func (m *Model) FlipBlob(group int, digest string, bit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := nameOf(group, digest)
	b := slices.Clone(m.blobs[name].body)
	b[bit/8] ^= 1 << (bit % 8)
	m.putBlob(name, b)
}

// LoseBlob takes a blob away.
func (m *Model) LoseBlob(group int, digest string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, nameOf(group, digest))
}

// Blob returns a blob, which nobody may change.
func (m *Model) Blob(group int, digest string) (b []byte, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.blobs[nameOf(group, digest)]
	return found.body, ok
}

func (m *Model) stream(group int, kind eventlog.StreamKind) *sequence {
	name, _ := kind.NamesOf(group)
	return m.sequence(name)
}

// sequence returns the messages of a name. m.mu is held.
func (m *Model) sequence(name string) *sequence {
	s := m.byName[name]
	if s == nil {
		s = &sequence{name: name}
		m.byName[name] = s
		m.order = append(m.order, s)
	}
	return s
}

// used is how much everything takes together. m.mu is held.
func (m *Model) used() (n int64) {
	for _, s := range m.order {
		n += s.bytes
	}
	for _, b := range m.blobs {
		n += int64(len(b.body))
	}
	return n
}

// full reports that there is no room for size bytes more, and that there was
// none before. m.mu is held.
func (m *Model) full(size int) bool {
	if m.cfg.Capacity > 0 && m.used()+int64(size) > m.cfg.Capacity {
		m.stuck = true
	}
	return m.stuck
}

// A fault is what happens to one call.
type fault uint8

const (
	none fault = iota
	ackLost
	late
	lost
	undone
	refused
)

// fault draws what happens to a call that writes. m.mu is held.
func (m *Model) fault() fault {
	r := m.cfg.Rates
	rates := [...]int{ackLost: r.AckLost, late: r.Late, lost: r.Lost, undone: r.Undone, refused: r.Refused}
	sum := 0
	for _, n := range rates {
		sum += n
	}
	if sum == 0 {
		return none
	}
	// The choice 0 goes well, and so do the last.
	at := m.cfg.Choose(1000) - 1
	for f, n := range rates {
		if at >= 0 && at < n {
			return fault(f)
		}
		at -= n
	}
	return none
}

// unread draws whether a call that reads fails. m.mu is held.
func (m *Model) unread() bool {
	return m.cfg.Rates.Unread > 0 && m.cfg.Choose(1000) > 1000-1-m.cfg.Rates.Unread
}

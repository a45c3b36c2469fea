package eventlogtest

import "slices"

// A sequence is the messages of one stream, or of the notes of one group.
type sequence struct {
	name   string
	made   bool   // it was ensured
	base   uint64 // sequence of the message before the first
	msgs   []message
	bytes  int64
	synced uint64 // last message that a power cut leaves
	late   []lateMessage
}

type message struct {
	name string // of a note
	data []byte
	gone bool // found damaged
}

func (m *message) flip(bit int) {
	m.data = slices.Clone(m.data) // somebody may have read it
	m.data[bit/8] ^= 1 << (bit % 8)
}

// lateMessage is a message under way, and what it expects when it arrives.
type lateMessage struct {
	message
	fits func() bool
}

func (s *sequence) last() uint64 { return s.base + uint64(len(s.msgs)) }

// at returns the message with a sequence, which must be there.
func (s *sequence) at(seq uint64) *message { return &s.msgs[seq-s.base-1] }

func (s *sequence) has(seq uint64) bool {
	return seq > s.base && seq <= s.last() && !s.at(seq).gone
}

func (s *sequence) add(m message) uint64 {
	s.msgs = append(s.msgs, m)
	s.bytes += int64(len(m.data))
	return s.last()
}

func (s *sequence) sync() { s.synced = s.last() }

// land stores late message i if what it expects is so. It is not synced: nobody
// waits for it.
func (s *sequence) land(i int, noFence bool) {
	l := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	if noFence || l.fits() {
		s.add(l.message)
	}
}

// crash forgets what is not synced, but for some of the oldest.
func (s *sequence) crash(choose func(int) int) {
	s.late = nil
	if unsynced := int(s.last() - s.synced); unsynced > 0 {
		s.truncate(s.synced + uint64(choose(unsynced+1)))
	}
	s.sync()
}

// truncate forgets what follows last.
func (s *sequence) truncate(last uint64) {
	for s.last() > max(last, s.base) {
		s.bytes -= int64(len(s.msgs[len(s.msgs)-1].data))
		s.msgs = s.msgs[:len(s.msgs)-1]
	}
	s.synced = min(s.synced, s.last())
}

// purge forgets what lies below seq. It never forgets that it was there.
func (s *sequence) purge(seq uint64) {
	for s.base+1 < seq && len(s.msgs) > 0 {
		s.bytes -= int64(len(s.msgs[0].data))
		s.msgs[0] = message{}
		s.msgs = s.msgs[1:]
		s.base++
	}
	s.synced = max(s.synced, s.base)
}

package cep

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// The kinds of matches, as they enter an identity.
const (
	kindEvent   = "event"
	kindTime    = "time"
	kindTimeout = "timeout"
)

// idText collects what makes a match the match it is, as length-prefixed parts, so
// that no two rows of parts look alike. Whatever batches a log is read in, the same
// match has the same identity.
type idText []byte

// identity begins the identity of a match, in room that the next one uses again.
func (m *Matcher) identity(r *Rule, kind, key string) *idText {
	m.id = m.id[:0]
	for _, part := range [...]string{m.opt.Tenant, r.Name, r.Version, kind, key} {
		m.id.text(part)
	}
	return &m.id
}

func (b *idText) bound(bind []Binding) {
	b.number(uint64(len(bind)))
	for _, e := range bind {
		b.text(e.Element)
		b.number(uint64(len(e.Positions)))
		for _, p := range e.Positions {
			b.position(p)
		}
	}
}

func (b *idText) position(p Position) {
	b.number(uint64(p.Lane))
	b.number(p.Seq)
	b.number(uint64(p.Index))
}

// time adds a time, if there is one.
func (b *idText) time(t time.Time) {
	if !t.IsZero() {
		b.number(uint64(t.Unix()))
		b.number(uint64(t.Nanosecond()))
	}
}

func (b *idText) text(s string) {
	b.number(uint64(len(s)))
	*b = append(*b, s...)
}

func (b *idText) number(n uint64) { *b = binary.AppendUvarint(*b, n) }

// encode gives "m-" and the first 160 bits of the hash in base 32.
func (b idText) encode() string {
	const digits, chars = "abcdefghijklmnopqrstuvwxyz234567", 32
	sum := sha256.Sum256(b)
	var room [2 + chars]byte
	id := append(room[:0], "m-"...)
	var bits, have uint
	for _, c := range sum[:chars*5/8] {
		bits, have = bits<<8|uint(c), have+8
		for ; have >= 5; have -= 5 {
			id = append(id, digits[bits>>(have-5)&31])
		}
	}
	return string(id)
}

package event

import (
	"time"

	"github.com/google/uuid"
)

// NewID gives a new UUID v7 whose time is t, for events whose source gives no
// id. Ids of the same nanosecond differ by 62 random bits; ids of different
// milliseconds sort by time.
func NewID(t time.Time) string {
	u := uuid.New() // random, which settles the last 62 bits
	ms := t.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	// RFC 9562, method 3: the twelve bits behind the milliseconds go on with
	// the fraction of the millisecond.
	frac := uint16(t.Nanosecond() % 1e6 * 4096 / 1e6)
	u[6] = 0x70 | byte(frac>>8)
	u[7] = byte(frac)
	return u.String()
}

package event

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestParseTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", 60*rapid.IntRange(-23*60, 23*60).Draw(t, "zone"))
		want := time.Unix(rapid.Int64Range(-62135596800+86400, 253402300799-86400).Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
		got, ok := parseTime(want.In(zone).Format(time.RFC3339Nano))
		if !ok || !got.Equal(want) || got.Location() != time.UTC {
			t.Fatalf("parseTime = %v, %v; want %v", got, ok, want)
		}
	})
	for _, bad := range []string{
		"", "2026-01-02", "2026-01-02 15:04:05Z", "2026-01-02T15:04:05", "2026-13-02T15:04:05Z", "2026-02-29T15:04:05Z",
		"2026-01-00T15:04:05Z", "2026-01-02T24:04:05Z", "2026-01-02T15:60:05Z", "2026-01-02T15:04:60Z", "2026-01-02T15:04:05.Z",
		"2026-01-02T15:04:05,5Z", "2026-01-02T1:04:05.55Z", "2026-01-02T15:04:05+0100", "2026-01-02T15:04:05+24:00", "2026-01-02T15:04:05ZZ", "2o26-01-02T15:04:05Z",
	} {
		_, ok := parseTime(bad)
		assert.False(t, ok, bad)
	}
	got, ok := parseTime("0000-02-29t00:00:00.1234567899z")
	assert.True(t, ok)
	assert.Equal(t, time.Date(0, 2, 29, 0, 0, 0, 123456789, time.UTC), got)
}

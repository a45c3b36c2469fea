package eventlog

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestKeyTable compares the table with a map, on keys that crowd a few places.
func TestKeyTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table keyTable
		model := map[DedupKey]uint64{}
		crowd := rapid.IntRange(1, 3000).Draw(t, "keys")
		for record := range uint64(rapid.IntRange(1, 4000).Draw(t, "steps")) {
			n := record * 0x9e3779b97f4a7c15 >> 32 % uint64(crowd)
			var key DedupKey
			high := (n%7 + 1) << 40
			binary.LittleEndian.PutUint64(key[:], n/7^high) // seven keys begin at one slot
			binary.LittleEndian.PutUint64(key[8:], high)
			got, ok := table.get(&key)
			want, known := model[key]
			require.Equal(t, known, ok)
			if known {
				require.Equal(t, want, got)
				delete(model, key)
				table.remove(&key)
			} else {
				model[key] = record
				table.put(&key, record)
			}
			table.remove(&DedupKey{1, 2, 3, 4, 5, 6, 7, 8, 9})
			require.Equal(t, len(model), table.used)
		}
		for key, want := range model {
			got, ok := table.get(&key)
			require.True(t, ok)
			require.Equal(t, want, got)
		}
	})
}

package host

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

func TestSortNotes(t *testing.T) {
	note := func(frame uint64, index uint32, run uint64) storedNote {
		b, err := json.Marshal(snapshotNote{Version: noteVersion, Frame: frame, Index: index, Run: run})
		require.NoError(t, err)
		return storedNote{body: b}
	}
	damaged, other := storedNote{err: errors.New("damaged")}, storedNote{body: []byte(`{"v":99}`)}
	tail := eventlog.Position{Frame: 60, Index: 5}
	for _, tt := range []struct {
		name       string
		have, want []storedNote
	}{
		{"nothing", nil, nil},
		{"in order", []storedNote{note(50, 0, 9), note(40, 0, 8)}, []storedNote{note(50, 0, 9), note(40, 0, 8)}},
		{"one that is late", []storedNote{note(10, 0, 2), note(50, 0, 9), note(40, 0, 8)}, []storedNote{note(50, 0, 9), note(40, 0, 8), note(10, 0, 2)}},
		{"late within a frame", []storedNote{note(50, 2, 9), note(50, 3, 9)}, []storedNote{note(50, 3, 9), note(50, 2, 9)}},
		{"late in RUN", []storedNote{note(50, 0, 8), note(50, 0, 9)}, []storedNote{note(50, 0, 9), note(50, 0, 8)}},
		{"unreadable ones stay", []storedNote{damaged, note(10, 0, 2), other, note(50, 0, 9)}, []storedNote{damaged, note(50, 0, 9), other, note(10, 0, 2)}},
		{"ahead of the log", []storedNote{note(60, 6, 9), note(50, 0, 21), note(40, 0, 8)}, []storedNote{note(40, 0, 8), note(60, 6, 9), note(50, 0, 21)}},
		{"at its end", []storedNote{note(40, 0, 8), note(60, 5, 20)}, []storedNote{note(60, 5, 20), note(40, 0, 8)}},
	} {
		sortNotes(tt.have, tail, 20)
		assert.Equal(t, tt.want, tt.have, tt.name)
	}
}

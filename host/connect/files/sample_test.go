package files_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect/connecttest"
	"github.com/rhost/rhost/host/connect/files"
)

// TestRealLog reads a log that a real sshd wrote.
func TestRealLog(t *testing.T) {
	const path = "../../../../shared/data/openssh_2k.log"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skip("the sample is not here: ", err)
	}
	c := files.Config{
		Path: path, From: "start", Once: true, Format: files.FormatRegex, Type: "ssh.auth", Time: time.Stamp, Clock: "event",
		Regex: `^(?P<time>\w{3} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S+) sshd\[\d+\]: (?:message repeated \d+ times: \[ )?Failed password for (?:invalid user )?(?P<user>.*?) from (?P<ip>\S+) port \d+`,
	}
	require.NoError(t, c.Validate())
	src, err := files.New("sshd", &c, files.Options{})
	require.NoError(t, err)
	sink := connecttest.NewSink()
	require.NoError(t, connecttest.Start(t, src, nil, sink).End())
	events := sink.Events()
	assert.Len(t, events, bytes.Count(b, []byte("Failed password for")))
	assert.Empty(t, sink.Bad())
	last := events[0].Time
	for i := range events {
		assert.NoError(t, events[i].Validate())
		assert.NotEmpty(t, events[i].Get(event.PathOf("data", "ip")).Str())
		assert.False(t, events[i].Time.Before(last))
		last = events[i].Time
	}
}

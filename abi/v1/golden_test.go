package v1_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/rhost/rhost/abi/v1"
)

const (
	goldenSec  = 1779313507
	goldenNsec = 500000000
)

func goldenInput() *v1.Input {
	return &v1.Input{
		Attempt:  1,
		Key:      "k-01",
		Match:    []byte(`{"rule":"r"}`),
		With:     []byte(`{"n":5}`),
		HasEvent: true,
		Event: v1.Event{
			ID: "e1", Source: "/sshd", Type: "ssh.failed",
			HasTime: true, Sec: goldenSec, Nsec: goldenNsec,
			JSON: true, Data: []byte(`{"user":"root"}`),
			Ext: []v1.Attr{
				{Name: "host", Kind: v1.KindString, Text: "web"},
				{Name: "port", Kind: v1.KindNumber, Bits: math.Float64bits(22)},
			},
		},
	}
}

// golden are the messages of SPEC.md: how we append each, and what reading it
// gives back as bytes.
func golden() map[string]struct {
	append []byte
	read   func([]byte) ([]byte, error)
} {
	type message = struct {
		append []byte
		read   func([]byte) ([]byte, error)
	}
	return map[string]message{
		"input": {v1.AppendInput(nil, goldenInput()), func(b []byte) ([]byte, error) {
			in, err := v1.DecodeInput(b)
			return v1.AppendInput(nil, &in), err
		}},
		"emit":   {v1.AppendMessage(nil, "account.locked", []byte(`{"user":"root"}`)), rereadMessage},
		"notify": {v1.AppendMessage(nil, "ops", []byte(`"hi"`)), rereadMessage},
		"state_set": {v1.AppendStateSet(nil, "n:root", []byte(`{"n":5}`)), func(b []byte) ([]byte, error) {
			s, err := v1.ReadStateSet(b)
			return v1.AppendStateSet(nil, s.Key, s.Value), err
		}},
		"state_cas": {v1.AppendStateCAS(nil, "n:root", 7, []byte(`{"n":6}`)), func(b []byte) ([]byte, error) {
			s, err := v1.ReadStateCAS(b)
			return v1.AppendStateCAS(nil, s.Key, s.Expect, s.Value), err
		}},
		"state_get_answer": {v1.AppendState(nil, 7, []byte(`{"n":5}`)), func(b []byte) ([]byte, error) {
			version, value, err := v1.ReadState(b)
			return v1.AppendState(nil, version, value), err
		}},
		"now_answer": {v1.AppendNow(nil, goldenSec, goldenNsec), func(b []byte) ([]byte, error) {
			sec, nsec, err := v1.ReadNow(b)
			return v1.AppendNow(nil, sec, nsec), err
		}},
		"random": {v1.AppendRandom(nil, 16), func(b []byte) ([]byte, error) {
			n, err := v1.ReadRandom(b)
			return v1.AppendRandom(nil, n), err
		}},
		"kv_set": {v1.AppendKVSet(nil, "seen/10.0.0.7", 60_000, []byte{1, 255}), func(b []byte) ([]byte, error) {
			s, err := v1.ReadKVSet(b)
			return v1.AppendKVSet(nil, s.Key, s.TTL, s.Value), err
		}},
		"http": {v1.AppendHTTPRequest(nil, goldenRequest()), func(b []byte) ([]byte, error) {
			q, err := v1.ReadHTTPRequest(b)
			return v1.AppendHTTPRequest(nil, &q), err
		}},
		"http_answer": {v1.AppendHTTPResponse(nil, &v1.HTTPResponse{
			Status: 404, Header: []v1.Header{{Name: "content-type", Value: "text/plain"}}, Body: []byte("no"),
		}), func(b []byte) ([]byte, error) {
			p, err := v1.ReadHTTPResponse(b)
			return v1.AppendHTTPResponse(nil, &p), err
		}},
		"batch": {v1.AppendBatch(nil, [][]byte{{0xaa, 0xbb, 0xcc}, {0xdd}}), func(b []byte) ([]byte, error) {
			frames, err := v1.ReadBatch(b)
			return v1.AppendBatch(nil, frames), err
		}},
	}
}

func goldenRequest() *v1.HTTPRequest {
	return &v1.HTTPRequest{
		Method: "POST", URL: "https://api.example.com/v1/locks", Timeout: 250,
		Header: []v1.Header{{Name: "content-type", Value: "text/plain"}}, Body: []byte("root"),
	}
}

func rereadMessage(b []byte) ([]byte, error) {
	m, err := v1.ReadMessage("emit", b)
	return v1.AppendMessage(nil, m.Name, m.Data), err
}

func TestGoldenBytes(t *testing.T) {
	spec, err := os.ReadFile(filepath.Join("..", "SPEC.md"))
	require.NoError(t, err)
	for name, m := range golden() {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
			require.NoError(t, err)
			want := parseHex(t, text)
			assert.Equal(t, want, m.append, "the bytes of a frozen version changed")
			again, err := m.read(want)
			require.NoError(t, err)
			assert.Equal(t, want, again, "reading and appending again")
			assert.Contains(t, string(spec), string(bytes.TrimSpace(text)), "SPEC.md shows this message with other bytes")
		})
	}
}

// TestGoldenFilesAreComplete keeps a message from being dropped together with
// its test.
func TestGoldenFilesAreComplete(t *testing.T) {
	files, err := filepath.Glob("testdata/*.hex")
	require.NoError(t, err)
	names := golden()
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".hex")
		_, ok := names[name]
		assert.True(t, ok, "nothing tests %s", f)
	}
	assert.Len(t, files, len(names))
}

func TestDecodeInputReadsEveryField(t *testing.T) {
	text, err := os.ReadFile("testdata/input.hex")
	require.NoError(t, err)
	got, err := v1.DecodeInput(parseHex(t, text))
	require.NoError(t, err)
	assert.Equal(t, *goldenInput(), got)
}

// parseHex reads hex bytes up to a ";" on each line.
func parseHex(t *testing.T, text []byte) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		code, _, _ := strings.Cut(line, ";")
		digits.WriteString(strings.Join(strings.Fields(code), ""))
	}
	b, err := hex.DecodeString(digits.String())
	require.NoError(t, err)
	return b
}

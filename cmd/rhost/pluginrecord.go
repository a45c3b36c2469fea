package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/sandbox"
)

// recordLimit is how many bytes of answers a record of one call may have.
const recordLimit = 16 << 20

// callRecord is a recorded call: what it was given, what it asked of its host and
// was told, and how it ended. Secrets are not in it.
type callRecord struct {
	Version int                `json:"version"` // 1
	Plugin  string             `json:"plugin"`
	Test    string             `json:"test,omitempty"` // fixture that made the call
	Digest  string             `json:"digest"`         // of the module that ran
	Call    recordedCall       `json:"call"`
	Grant   abi.Grant          `json:"grant"`
	Limits  sandbox.Limits     `json:"limits"`
	Calls   []sandbox.HostCall `json:"host_calls"`
	End     callResult         `json:"end"`
	// Secrets are those of a fixture, which are none. Real ones are not written.
	Secrets map[string]string `json:"secrets,omitempty"`
}

// recordedCall is an abi.Call byte for byte: as JSON, an event would lose white
// space of its data, and fuel is counted by the byte.
type recordedCall struct {
	Match   abi.Match `json:"match"`
	Event   []byte    `json:"event,omitempty"` // in the binary form of package event
	With    string    `json:"with,omitempty"`
	Config  string    `json:"config,omitempty"`
	Export  string    `json:"export,omitempty"`
	Attempt int       `json:"attempt"`
	Key     string    `json:"key"`
}

func newRecordedCall(c *abi.Call) recordedCall {
	r := recordedCall{Match: c.Match, With: string(c.With), Config: string(c.Config), Attempt: c.Attempt, Key: c.Key, Export: c.Export}
	if c.Event.Type != "" {
		r.Event = c.Event.AppendBinary(nil)
	}
	return r
}

func (r recordedCall) call() (*abi.Call, error) {
	c := &abi.Call{Match: r.Match, Attempt: r.Attempt, Key: r.Key, Export: r.Export}
	if r.With != "" {
		c.With = json.RawMessage(r.With)
	}
	if r.Config != "" {
		c.Config = json.RawMessage(r.Config)
	}
	if r.Event == nil {
		return c, nil
	}
	ev, _, err := event.DecodeBinary(r.Event)
	c.Event = ev
	return c, err
}

// write puts the record into a file.
func (r *callRecord) write(name string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o600)
}

func readRecord(name string) (*callRecord, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usage(err)
	}
	return parseRecord(name, text)
}

func parseRecord(name string, text []byte) (*callRecord, error) {
	r := &callRecord{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, usage(fmt.Errorf("%s is no record of a call: %w", name, err))
	}
	if r.Version != 1 {
		return nil, usage(fmt.Errorf("%s is a record of version %d; this command reads version 1", name, r.Version))
	}
	return r, nil
}

// compare reports how a replay ended otherwise than its record, the first
// difference. The fuel of another module is its own.
func (r *callRecord) compare(end callResult, digest string) error {
	was := r.End
	for _, d := range []struct {
		what     string
		was, now any
	}{
		{"result", was.Result, end.Result},
		{"message", was.Message, end.Message},
		{"output", squeezed(was.Output), squeezed(end.Output)},
		{"effects", texts(was.Effects), texts(end.Effects)},
		{"log", was.Logs, end.Logs},
	} {
		if !reflect.DeepEqual(d.was, d.now) {
			return fmt.Errorf("replay: the %s was %v and is %v", d.what, d.was, d.now)
		}
	}
	if was.Usage.Fuel != end.Usage.Fuel && r.Digest == digest {
		return fmt.Errorf("replay: the call used %s fuel and now uses %s", thousands(was.Usage.Fuel), thousands(end.Usage.Fuel))
	}
	return nil
}

func texts(effects []abi.Effect) []string {
	var list []string
	for _, e := range effects {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, e.Name, effectText(e))))
	}
	return list
}

// effectText is what an effect carries.
func effectText(e abi.Effect) string {
	switch {
	case e.Kind != abi.EffectKVSet:
		return squeezed(e.Value)
	case e.Bytes == nil:
		return "(deleted)"
	case e.TTL > 0:
		return fmt.Sprintf("%q for %v", e.Bytes, e.TTL)
	}
	return fmt.Sprintf("%q", e.Bytes)
}

// squeezed is JSON without white space: what a record keeps of it.
func squeezed(raw json.RawMessage) string {
	text, err := json.Marshal(raw)
	if err != nil || raw == nil {
		return string(raw)
	}
	return string(text)
}

// outside is what the flags let a call reach.
type outside struct {
	hosts   []string
	secrets map[string]string // by name; the environment variable that holds it
}

// services are those that lie behind a call. done ends their connections.
func (o outside) services(c *abi.Call) (sv sandbox.Services, done func(), err error) {
	secrets := make(map[string]host.SecretConfig)
	for _, name := range slices.Sorted(maps.Keys(o.secrets)) {
		secrets[name] = host.SecretConfig{Env: o.secrets[name]}
	}
	sv, done, err = host.Outside(o.hosts, secrets, c.Key)
	return sv, done, usage(err)
}

// tape begins to record the session, or to replay it.
func (o *pluginRunOptions) tape(s *sandbox.Session, rec *callRecord) (*sandbox.Recorder, *sandbox.Replayer) {
	switch {
	case o.replay != "":
		p := sandbox.NewReplayer(rec.Calls)
		s.Replay(p)
		return nil, p
	case o.record != "":
		r := sandbox.NewRecorder(recordLimit)
		s.Record(r)
		return r, nil
	}
	return nil, nil
}

var errRecordTooLarge = errors.New("the call was told too much for a record: more than 16 MiB")

package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// StreamStatus says which servers keep a stream.
type StreamStatus struct {
	Name   string
	Leader string // the server that messages go through; empty when there is none now
	Copies []CopyStatus
	Last   uint64 // last sequence
	Bytes  uint64
}

// CopyStatus is what a stream's leader knows of another server's copy.
type CopyStatus struct {
	Node    string
	Current bool   // it has what the leader has
	Offline bool   // it is not heard of
	Lag     uint64 // operations it is behind
	Heard   time.Duration
}

// Streams returns the status of a group's streams, as far as they exist.
func (e *Engine) Streams(ctx context.Context, group int) ([]StreamStatus, error) {
	nc, err := e.connect("status")
	if err != nil {
		return nil, err
	}
	defer e.disconnect(nc)
	var list []StreamStatus
	for _, name := range streamsOf(group) {
		var info *jetstream.StreamInfo
		err := whileUnavailable(ctx, e.shared(), func(ctx context.Context) error {
			info, err = askInfo(ctx, nc, name)
			return err
		})
		var api *jetstream.APIError
		if errors.As(err, &api) && api.ErrorCode == streamNotFound {
			continue
		}
		if err != nil {
			return list, fmt.Errorf("read state of stream %s: %w", name, err)
		}
		list = append(list, statusOf(name, info))
	}
	return list, nil
}

func streamsOf(group int) []string {
	events, _ := EventStream.NamesOf(group)
	runs, _ := RunStream.NamesOf(group)
	return []string{events, runs, groupName(noteStream, group)}
}

func statusOf(name string, info *jetstream.StreamInfo) StreamStatus {
	s := StreamStatus{Name: name, Leader: serverName, Last: info.State.LastSeq, Bytes: info.State.Bytes}
	if c := info.Cluster; c != nil {
		s.Leader = c.Leader
		for _, r := range c.Replicas {
			s.Copies = append(s.Copies, CopyStatus{Node: r.Name, Current: r.Current, Offline: r.Offline, Lag: r.Lag, Heard: r.Active})
		}
	}
	return s
}

// MoveLeaders asks the servers to let node lead the streams of a group, so that
// who owns the group writes them without a detour. It does not wait until they
// have. A stream that node leads already, and one without a copy there, stay as
// they are.
func (e *Engine) MoveLeaders(ctx context.Context, group int, node string) error {
	list, err := e.Streams(ctx, group)
	if err != nil {
		return err
	}
	nc, err := e.connect("move leaders")
	if err != nil {
		return err
	}
	defer e.disconnect(nc)
	body, err := json.Marshal(map[string]any{"placement": map[string]string{"preferred": node}})
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Leader == node {
			continue
		}
		err = errors.Join(err, whileUnavailable(ctx, e.shared(), func(ctx context.Context) error {
			m, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+s.Name, body)
			if err != nil {
				return err
			}
			var answer struct {
				Error *jetstream.APIError `json:"error"`
			}
			if err := json.Unmarshal(m.Data, &answer); err != nil || answer.Error == nil {
				return err
			}
			return fmt.Errorf("move the leader of stream %s to %s: %w", s.Name, node, answer.Error)
		}))
	}
	return err
}

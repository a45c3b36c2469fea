package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
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

// Size is how many servers a cluster of embedded servers counts, whether they are up or
// not: those that have ever joined. Most of them have to be up. It is 0 when it is not
// known, and for servers elsewhere.
func (e *Engine) Size() int {
	if e.srv == nil {
		return 0
	}
	info, err := e.srv.Jsz(nil)
	if err != nil || info.Meta == nil {
		return 0
	}
	return info.Meta.Size
}

// Streams returns the status of a group's streams, as far as they exist.
func (e *Engine) Streams(ctx context.Context, group int) ([]StreamStatus, error) {
	nc, err := e.connect("status")
	if err != nil {
		return nil, err
	}
	defer e.disconnect(nc)
	return e.statuses(ctx, nc, streamsOf(group))
}

func (e *Engine) statuses(ctx context.Context, nc *nats.Conn, names []string) (list []StreamStatus, err error) {
	for _, name := range names {
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

// MoveLeaders asks the servers to let node lead the streams of a group, and that of
// the leases, so that who owns the group writes them without a detour and depends on
// no other server than it must. It does not wait until they have, and returns how many
// of the streams were led elsewhere. One that node leads already, and one without a
// current copy there, stay as they are: a leader that moves costs writers a moment.
func (e *Engine) MoveLeaders(ctx context.Context, group int, node string) (elsewhere int, err error) {
	nc, err := e.connect("move leaders")
	if err != nil {
		return 0, err
	}
	defer e.disconnect(nc)
	list, err := e.statuses(ctx, nc, append(streamsOf(group), leaseStream))
	if err != nil {
		return 0, err
	}
	for i := range list {
		if list[i].Leader == node {
			continue
		}
		elsewhere++
		if list[i].couldLead(node) {
			err = errors.Join(err, e.moveLeader(ctx, nc, list[i].Name, node))
		}
	}
	return elsewhere, err
}

// couldLead reports whether a node other than the leader has a current copy.
func (s *StreamStatus) couldLead(node string) bool {
	return slices.ContainsFunc(s.Copies, func(c CopyStatus) bool {
		return c.Node == node && c.Current && !c.Offline
	})
}

func (e *Engine) moveLeader(ctx context.Context, nc *nats.Conn, stream, node string) error {
	body, err := json.Marshal(map[string]any{"placement": map[string]string{"preferred": node}})
	if err != nil {
		return err
	}
	return whileUnavailable(ctx, e.shared(), func(ctx context.Context) error {
		m, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+stream, body)
		if err != nil {
			return err
		}
		var answer struct {
			Error *jetstream.APIError `json:"error"`
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil || answer.Error == nil {
			return err
		}
		return fmt.Errorf("move the leader of stream %s to %s: %w", stream, node, answer.Error)
	})
}

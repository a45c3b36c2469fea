package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Leases is a table of entries that expire. All nodes see the same one; its methods
// may be called together.
type Leases interface {
	// Put writes an entry that goes by itself after ttl, if the one that is there
	// has the revision rev, or if rev is 0 and there is none. It returns the
	// entry's new revision, which is higher than any other in the table. ErrTaken
	// means that somebody else has written it. After any other error nobody knows
	// whether it is written.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration, rev uint64) (uint64, error)
	// Delete removes an entry if it has the revision rev; ErrTaken as with Put.
	Delete(ctx context.Context, key string, rev uint64) error
	// List returns all entries.
	List(ctx context.Context) (map[string]Entry, error)
}

// Entry is one entry of the table.
type Entry struct {
	Value []byte
	Rev   uint64
}

// ErrTaken is the error of writing an entry that somebody else has written.
var ErrTaken = errors.New("the lease is somebody else's")

// The keys of the table.
const (
	nodePrefix  = "node."
	groupPrefix = "group."
)

var nodeName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// CheckNode reports why a name cannot be that of a node.
func CheckNode(name string) error {
	if !nodeName.MatchString(name) {
		return fmt.Errorf("%q is no name of a node; use up to 40 letters a to z, digits and -, such as node-1", name)
	}
	return nil
}

// State is what a node is ready for.
type State string

// The states.
const (
	Joining  State = "joining"  // it is given groups soon
	Up       State = "up"       // it owns its share
	Draining State = "draining" // it hands over what it owns, and is given nothing
)

// Node is what a node says of itself.
type Node struct {
	Name    string    `json:"name"`
	State   State     `json:"state"`
	Since   time.Time `json:"since"`             // when it joined, by its own clock
	Version string    `json:"version,omitempty"` // of the program
	API     string    `json:"api,omitempty"`     // where its API listens
	Failed  []Failed  `json:"failed,omitempty"`  // groups that it could not run, by number
	// Differs says in which files its app folder is not what is in force, see
	// Member.Tell.
	Differs []string `json:"differs,omitempty"`
}

// Failed is a group that a node could not run, and has not run since. Others come
// before it.
type Failed struct {
	Group   int       `json:"group"`
	Tries   int       `json:"tries"` // that failed, one after the other
	Since   time.Time `json:"since"` // the last of them, by the node's own clock
	Reason  string    `json:"reason"`
	Waiting bool      `json:"waiting,omitempty"` // the node does not try now, and is not to be given the group
}

// failed gives what the node says of a group, nil being nothing.
func (n *Node) failed(group int) *Failed {
	for i := range n.Failed {
		if n.Failed[i].Group == group {
			return &n.Failed[i]
		}
	}
	return nil
}

// Owned says who owns a group.
type Owned struct {
	Node  string    `json:"node"`
	Since time.Time `json:"since"`           // by the node's own clock
	Epoch uint64    `json:"epoch,omitempty"` // the lease's revision when it was taken

	rev uint64 // of the lease now
}

// Table is what the leases say at one moment.
type Table struct {
	Nodes  map[string]Node // that live, by name
	Groups map[int]Owned   // that are owned
}

// ReadTable reads the leases. Entries that are of no release it knows are left
// out.
func ReadTable(ctx context.Context, l Leases) (Table, error) {
	entries, err := l.List(ctx)
	if err != nil {
		return Table{}, fmt.Errorf("read the leases of the cluster: %w", err)
	}
	return tableOf(entries), nil
}

func tableOf(entries map[string]Entry) Table {
	t := Table{Nodes: make(map[string]Node), Groups: make(map[int]Owned)}
	for key, e := range entries {
		if name, ok := strings.CutPrefix(key, nodePrefix); ok {
			var n Node
			if json.Unmarshal(e.Value, &n) == nil && n.Name == name && CheckNode(name) == nil {
				t.Nodes[name] = n
			}
		}
		if number, ok := strings.CutPrefix(key, groupPrefix); ok {
			g, err := strconv.Atoi(number)
			var o Owned
			if err == nil && g >= 0 && json.Unmarshal(e.Value, &o) == nil && CheckNode(o.Node) == nil {
				o.rev = e.Rev
				if o.Epoch == 0 {
					o.Epoch = e.Rev // it has not been renewed yet
				}
				t.Groups[g] = o
			}
		}
	}
	return t
}

func groupKey(group int) string { return groupPrefix + strconv.Itoa(group) }

package eventlog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
)

// Why a server is not forgotten.
var (
	// ErrNotJoined means that no server of the name counts.
	ErrNotJoined = errors.New("no such server has joined the cluster")
	// ErrAnswers means that the server is there.
	ErrAnswers = errors.New("the server is there and answers")
	// ErrTooFew means that those that are left would not do.
	ErrTooFew = errors.New("too few servers would be left")
)

const (
	// pingTimeout is how long servers have to say that they are there.
	pingTimeout = 2 * time.Second
	// placedTimeout is how long the servers have to place what a server kept on others.
	// They go on with it afterwards.
	placedTimeout = 3 * time.Second
	placedPause   = 50 * time.Millisecond

	unknownServer = "Server name unknown" // begins the name of a server that nobody has heard of since its start
	maxListed     = 20                    // names in an error
)

// Joined is a server that a cluster of embedded servers counts.
type Joined struct {
	Name string // ID as long as nobody of those that are up has heard of it
	ID   string // what the servers call it among themselves; it follows from the name
}

// Joined lists the servers that the cluster counts, whether they are up or not, by
// name; nil when that is not known, and for servers elsewhere.
func (e *Engine) Joined() []Joined {
	if e.srv == nil {
		return nil
	}
	info, err := e.srv.Jsz(nil)
	if err != nil || info.Meta == nil {
		return nil
	}
	list := []Joined{{e.srv.Name(), e.srv.Node()}}
	if m := info.Meta; m.Leader != "" { // it is none of its replicas
		list = append(list, Joined{m.Leader, m.Peer})
	}
	for _, p := range info.Meta.Replicas {
		j := Joined{p.Name, p.Peer}
		if strings.HasPrefix(p.Name, unknownServer) {
			j.Name = p.Peer
		}
		list = append(list, j)
	}
	slices.SortFunc(list, func(a, b Joined) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return slices.CompactFunc(list, func(a, b Joined) bool { return a.ID == b.ID })
}

// Forget has the cluster not count a server any more, nor keep copies there: what was
// there is placed on others, as far as there are any that do not have it. name is that
// of the server, or its ID. least is how many must be left. It returns when that is
// decided, and the copies are under way.
//
// A server that answers is not forgotten, nor one without which too few are left, or too
// few of them up; ErrUnavailable says that most servers are not up, so that nothing can
// be decided. One that comes back, which it cannot be kept from, is without its part in
// the log, and counts again some minutes later.
func (e *Engine) Forget(ctx context.Context, name string, least int) error {
	if e.srv == nil {
		return errors.New("the servers are elsewhere")
	}
	nc, err := e.connectAs("forget", nats.Nkey(e.operator.public, e.operator.sign))
	if err != nil {
		return err
	}
	defer e.disconnect(nc)
	list := e.Joined()
	gone, err := named(list, name)
	if err != nil {
		return err
	}
	if left := len(list) - 1; left < least {
		return fmt.Errorf("%s: %w: %d, and the cluster needs %d; add another first, or give a new one the name %s", gone.Name, ErrTooFew, left, least, gone.Name)
	}
	up, err := e.pinged(ctx, nc, list, gone)
	if err != nil {
		return err
	}
	if err := mayForget(list, up, gone); err != nil {
		return err
	}
	if err := e.remove(ctx, nc, gone); err != nil {
		return err
	}
	return e.placedAnew(ctx, gone)
}

// named finds a server.
func named(list []Joined, name string) (Joined, error) {
	names := make([]string, 0, len(list))
	for _, j := range list {
		if j.Name == name || j.ID == name || j.ID == serverID(name) {
			return j, nil
		}
		names = append(names, j.Name)
	}
	if len(names) > maxListed {
		names = append(names[:maxListed], "…")
	}
	return Joined{}, fmt.Errorf("%s: %w; those that have are %s", name, ErrNotJoined, strings.Join(names, ", "))
}

// serverID is how servers call one among themselves; see getHash in nats-server, to
// which TestForget holds it.
func serverID(name string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(name))
	id := sum[:8]
	for i := range id {
		id[i] = digits[int(id[i])%len(digits)]
	}
	return string(id)
}

// mayForget refuses what is there, and what would take the cluster's majority away.
func mayForget(list []Joined, up map[string]bool, gone Joined) error {
	if up[gone.ID] {
		return fmt.Errorf("%s: %w; stop it first, for good", gone.Name, ErrAnswers)
	}
	left, there := len(list)-1, 0
	for _, j := range list {
		if up[j.ID] {
			there++
		}
	}
	if there <= left/2 {
		return fmt.Errorf("%s: %w: %d of %d would be up; start the others first", gone.Name, ErrTooFew, there, left)
	}
	return nil
}

// pinged gives the IDs of the servers that answer. It waits until gone or all of list
// have, or until the time is up.
func (e *Engine) pinged(ctx context.Context, nc *nats.Conn, list []Joined, gone Joined) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	sub, err := nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		return nil, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is about to go
	if err := nc.PublishRequest("$SYS.REQ.SERVER.PING.IDZ", sub.Subject, nil); err != nil {
		return nil, err
	}
	up := make(map[string]bool)
	for len(up) < len(list) && !up[gone.ID] {
		m, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, err
		}
		var id server.ServerID
		if err := json.Unmarshal(m.Data, &id); err != nil {
			return nil, fmt.Errorf("read the answer of a server: %w", err)
		}
		up[serverID(id.Name)] = true
	}
	return up, nil
}

// remove asks the leader of the servers to take one out, until it is.
func (e *Engine) remove(ctx context.Context, nc *nats.Conn, gone Joined) error {
	body, err := json.Marshal(server.JSApiMetaServerRemoveRequest{Peer: gone.ID})
	if err != nil {
		return err
	}
	err = whileUnavailable(ctx, true, func(ctx context.Context) error {
		if !e.counts(gone) {
			return nil // by an answer that was lost
		}
		m, err := nc.RequestWithContext(ctx, server.JSApiRemoveServer, body)
		if err != nil {
			return err
		}
		var answer struct {
			Error *jetstream.APIError `json:"error"`
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil || answer.Error == nil {
			return err
		}
		return answer.Error
	})
	if err != nil && passing(err) {
		return fmt.Errorf("%w: most of the servers that count have to be up, %s among them: %w", ErrUnavailable, gone.Name, err)
	}
	if err != nil {
		return fmt.Errorf("take server %s out of the cluster: %w", gone.Name, err)
	}
	return nil
}

func (e *Engine) counts(j Joined) bool {
	return slices.ContainsFunc(e.Joined(), func(o Joined) bool { return o.ID == j.ID })
}

// placedAnew waits until this server knows that one has gone, and all streams have copies
// on others in its place as far as there are any, for as long as that may take.
func (e *Engine) placedAnew(ctx context.Context, gone Joined) error {
	nc, err := e.connect("forget")
	if err != nil {
		return err
	}
	defer e.disconnect(nc)
	wait, cancel := context.WithTimeout(ctx, placedTimeout)
	defer cancel()
	for {
		left := e.Joined()
		known := !slices.ContainsFunc(left, func(j Joined) bool { return j.ID == gone.ID })
		if placed, err := placedWithout(wait, nc, gone, min(e.cfg.Replicas, len(left))); err == nil && placed && known {
			return nil
		}
		if !pause(wait, placedPause) {
			return ctx.Err()
		}
	}
}

// placedWithout reports whether all streams, of whichever group, have so many copies, and
// none on a server that has gone.
func placedWithout(ctx context.Context, nc *nats.Conn, gone Joined, copies int) (bool, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return false, err
	}
	list := js.ListStreams(ctx)
	placed := true
	for info := range list.Info() {
		c := info.Cluster
		placed = placed && c != nil && c.Leader != gone.Name && 1+len(c.Replicas) >= copies &&
			!slices.ContainsFunc(c.Replicas, func(p *jetstream.PeerInfo) bool { return p.Name == gone.Name || strings.Contains(p.Name, gone.ID) })
	}
	return placed, list.Err()
}

// operator is who may ask a server in this process what servers are asked, not streams.
type operator struct {
	public string
	sign   nats.SignatureHandler
}

// letOperator makes opts those of a server that knows its operator, by a key that is
// drawn anew for each.
func letOperator(opts *server.Options) (operator, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return operator{}, err
	}
	public, err := pair.PublicKey()
	if err != nil {
		return operator{}, err
	}
	system := server.NewAccount(server.DEFAULT_SYSTEM_ACCOUNT)
	opts.Accounts = []*server.Account{system}
	opts.Nkeys = []*server.NkeyUser{{Nkey: public, Account: system}}
	return operator{public, pair.Sign}, nil
}

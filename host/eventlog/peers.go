package eventlog

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/nats-io/nats.go"
)

// nodeSubject is where a node is called, by its name.
const nodeSubject = "rhost.node."

// maxWaiting is how many calls of others wait to be accepted.
const maxWaiting = 64

// Peers connects the nodes that share servers: each has a name, under which the
// others dial it. The connections are streams of bytes over the servers, so nodes
// need to reach no other port, and what protects the servers' connections protects
// these. Peers is a net.Listener; its methods may be called together.
type Peers struct {
	engine *Engine
	nc     *nats.Conn
	name   string
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Peers takes the name of this node. Anybody who may use the servers may dial it.
// Close it before the engine.
func (e *Engine) Peers(name string) (*Peers, error) {
	nc, err := e.connect("peers")
	if err != nil {
		return nil, err
	}
	p := &Peers{engine: e, nc: nc, name: name, calls: make(chan net.Conn, maxWaiting), closed: make(chan struct{})}
	_, err = nc.Subscribe(nodeSubject+name, p.called)
	if err == nil {
		err = nc.FlushTimeout(readTimeout) // from here on it can be dialed
	}
	if err != nil {
		e.disconnect(nc)
		return nil, fmt.Errorf("listen for other nodes: %w", err)
	}
	return p, nil
}

// called answers a call with the subject of this side. What it carries is that of
// the other.
func (p *Peers) called(m *nats.Msg) {
	inbox := nats.NewInbox()
	if len(p.calls) == cap(p.calls) {
		return // the caller gives up; this goroutine alone fills the queue
	}
	c, err := p.newConn(inbox, string(m.Data), peerAddr("caller"))
	if err != nil {
		return // there is no connection to answer on
	}
	if err := m.Respond([]byte(inbox)); err != nil {
		c.fail()
		return
	}
	p.calls <- c.user
}

// Dial connects to another node. It fails at once when no node has the name.
func (p *Peers) Dial(ctx context.Context, node string) (net.Conn, error) {
	inbox := nats.NewInbox()
	c, err := p.newConn(inbox, "", peerAddr(node))
	if err != nil {
		return nil, fmt.Errorf("dial node %s: %w", node, err)
	}
	m, err := p.nc.RequestWithContext(ctx, nodeSubject+node, []byte(inbox))
	if err != nil {
		c.fail()
		return nil, fmt.Errorf("dial node %s: %w", node, err)
	}
	c.begin(string(m.Data))
	return c.user, nil
}

// Accept waits for another node to dial this one.
func (p *Peers) Accept() (net.Conn, error) {
	select {
	case c := <-p.calls:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the node's name.
func (p *Peers) Addr() net.Addr { return peerAddr(p.name) }

// Close ends all connections. A second Close returns net.ErrClosed.
func (p *Peers) Close() error {
	err := net.ErrClosed
	p.once.Do(func() {
		err = nil
		close(p.closed)
		p.engine.disconnect(p.nc)
	})
	return err
}

// peerAddr is a node's name as an address.
type peerAddr string

func (peerAddr) Network() string  { return "rhost" }
func (a peerAddr) String() string { return string(a) }

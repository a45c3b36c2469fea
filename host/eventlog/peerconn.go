package eventlog

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// A connection between nodes is two subjects, one for each side. A message is its
// kind, four bytes of a number, and for data the bytes. Data is numbered from 1, so
// that what the servers drop is noticed: they deliver in order, and at most once. A
// last message that was dropped is noticed by the credit that follows it.
const (
	peerData   = 'd' // number of the message, bytes
	peerEnd    = 'e' // number of the message: the side has closed
	peerCredit = 'c' // how many data messages were taken, how many were sent (four bytes); in any case once in a while

	peerHeader = 5
	peerChunk  = 32 << 10
	peerWindow = 32 // data messages under way that the other side has not taken

	peerBeat = 2 * time.Second
	peerLost = 4 * peerBeat // without a message the other side is gone
)

// peerConn carries the bytes of one connection. Its user has the other end of a
// pipe, which knows about deadlines.
type peerConn struct {
	nc   *nats.Conn
	user net.Conn
	pipe net.Conn
	sub  *nats.Subscription

	in    chan []byte // received and not yet read; closed at the other side's end
	taken atomic.Uint32
	heard atomic.Int64 // when, Unix nanoseconds
	done  chan struct{}
	once  sync.Once

	closed <-chan struct{} // once the Peers are

	mu    sync.Mutex
	to    string        // subject of the other side; guarded by mu until begun
	room  uint32        // number up to which data may be sent; guarded by mu
	more  chan struct{} // one token when room has grown
	begun chan struct{} // closed once to is known

	order sync.Mutex // a credit tells of exactly the data before it
	sent  uint32     // number of the last data sent; guarded by order

	got   uint32 // number of the last data received; of the subscription's goroutine
	ended bool   // in is closed; of the subscription's goroutine
}

// newConn listens on a subject for the side that has another; to is "" while
// that is not known, see begin.
func (p *Peers) newConn(inbox, to string, remote peerAddr) (*peerConn, error) {
	user, pipe := net.Pipe()
	c := &peerConn{
		nc: p.nc, closed: p.closed, pipe: pipe, in: make(chan []byte, peerWindow), done: make(chan struct{}),
		room: peerWindow, more: make(chan struct{}, 1), begun: make(chan struct{}),
	}
	c.user = peerUser{user, remote, c}
	c.heard.Store(time.Now().UnixNano())
	var err error
	if c.sub, err = p.nc.Subscribe(inbox, c.receive); err != nil {
		return nil, err
	}
	go c.send()
	go c.deliver()
	go c.beat()
	if to != "" {
		c.begin(to)
	}
	return c, nil
}

// begin names the other side.
func (c *peerConn) begin(to string) {
	c.mu.Lock()
	c.to = to
	c.mu.Unlock()
	close(c.begun)
}

// receive takes what the other side sends. It never waits: there is room for what
// the window allows, and more is not sent by one who keeps to it.
func (c *peerConn) receive(m *nats.Msg) {
	if len(m.Data) < peerHeader || c.ended {
		return
	}
	c.heard.Store(time.Now().UnixNano())
	number := binary.LittleEndian.Uint32(m.Data[1:])
	switch m.Data[0] {
	case peerCredit:
		c.allow(number)
		if rest := m.Data[peerHeader:]; len(rest) >= 4 && binary.LittleEndian.Uint32(rest) != c.got {
			c.fail() // as below
		}
	case peerData, peerEnd:
		c.got++
		if number != c.got {
			c.fail() // something was dropped
			return
		}
		if m.Data[0] == peerEnd {
			c.ended = true
			close(c.in)
			return
		}
		select {
		case c.in <- m.Data[peerHeader:]:
		default:
			c.fail()
		}
	}
}

// allow makes room for what the other side has taken.
func (c *peerConn) allow(taken uint32) {
	c.mu.Lock()
	if next := taken + peerWindow; int32(next-c.room) > 0 { // numbers may wrap
		c.room = next
	}
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// deliver hands what was received to the user.
func (c *peerConn) deliver() {
	defer c.fail()
	for {
		select {
		case b, ok := <-c.in:
			if !ok {
				return
			}
			if _, err := c.pipe.Write(b); err != nil {
				return
			}
			if c.taken.Add(1)%(peerWindow/4) == 0 && c.credit() != nil {
				return
			}
		case <-c.done:
			return
		}
	}
}

// send sends what the user writes, as far as the window allows.
func (c *peerConn) send() {
	defer c.fail()
	select {
	case <-c.begun:
	case <-c.done:
		return
	}
	buf := make([]byte, peerChunk)
	for number := uint32(1); ; number++ {
		n, err := c.pipe.Read(buf)
		if err != nil {
			c.publish(peerEnd, number, nil) //nolint:errcheck // it is over either way
			return
		}
		if !c.wait(number) || c.data(number, buf[:n]) != nil {
			return
		}
	}
}

// wait waits until a data message may be sent.
func (c *peerConn) wait(number uint32) bool {
	for {
		c.mu.Lock()
		ok := int32(c.room-number) >= 0
		c.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-c.more:
		case <-c.done:
			return false
		}
	}
}

// beat lets the other side know that this one is there, and ends the connection when
// that one is not.
func (c *peerConn) beat() {
	tick := time.NewTicker(peerBeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.closed:
			c.fail()
			return
		case <-c.done:
			return
		}
		if time.Since(time.Unix(0, c.heard.Load())) > peerLost || c.credit() != nil {
			c.fail()
			return
		}
	}
}

// credit tells the other side what was taken, and what should have come.
func (c *peerConn) credit() error {
	c.order.Lock()
	defer c.order.Unlock()
	return c.publish(peerCredit, c.taken.Load(), binary.LittleEndian.AppendUint32(nil, c.sent))
}

// data sends a data message.
func (c *peerConn) data(number uint32, b []byte) error {
	c.order.Lock()
	defer c.order.Unlock()
	c.sent = number
	return c.publish(peerData, number, b)
}

func (c *peerConn) publish(kind byte, number uint32, data []byte) error {
	c.mu.Lock()
	to := c.to
	c.mu.Unlock()
	if to == "" {
		return nil // the other side has not answered yet
	}
	b := make([]byte, peerHeader, peerHeader+len(data))
	b[0] = kind
	binary.LittleEndian.PutUint32(b[1:], number)
	return c.nc.Publish(to, append(b, data...))
}

// fail ends the connection. The user reads io.EOF from then on.
func (c *peerConn) fail() {
	c.once.Do(func() {
		close(c.done)
		c.pipe.Close()      //nolint:errcheck // a pipe has nothing to fail at
		c.sub.Unsubscribe() //nolint:errcheck // the servers' connection may have gone
	})
}

// peerUser is the user's end.
type peerUser struct {
	net.Conn
	remote peerAddr
	conn   *peerConn
}

// Close leaves what was written a while to be taken.
func (u peerUser) Close() error {
	time.AfterFunc(peerLost, u.conn.fail)
	return u.Conn.Close()
}

func (u peerUser) RemoteAddr() net.Addr { return u.remote }

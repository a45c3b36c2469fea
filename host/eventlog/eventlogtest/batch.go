package eventlogtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Batches is the other way to store many records with one answer: JetStream's atomic
// batches, a message for each record. Benchmarks compare the log's frames with it.
// It belongs to one goroutine.
type Batches struct {
	srv *server.Server
	nc  *nats.Conn
	n   int
}

// StartBatches starts a server in this process that stores in dir and syncs every
// write before it answers, as the log's does.
func StartBatches(ctx context.Context, dir string) (*Batches, error) {
	srv, err := server.NewServer(&server.Options{
		DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir, SyncAlways: true, NoSystemAccount: true,
	})
	if err != nil {
		return nil, err
	}
	srv.Start()
	b := &Batches{srv: srv}
	if !srv.ReadyForConnections(10 * time.Second) {
		return nil, errors.Join(errors.New("the server did not become ready"), b.Close())
	}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Batches) open(ctx context.Context) (err error) {
	if b.nc, err = nats.Connect("", nats.InProcessServer(b.srv)); err != nil {
		return err
	}
	js, err := jetstream.New(b.nc)
	if err != nil {
		return err
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "BATCH", Subjects: []string{"batch"}, Storage: jetstream.FileStorage, AllowAtomicPublish: true,
	})
	return err
}

// Commit stores records as one batch, of at most 1,000, and returns once it is on
// disk.
func (b *Batches) Commit(ctx context.Context, records [][]byte) error {
	b.n++
	id := strconv.Itoa(b.n)
	for i, r := range records {
		m := &nats.Msg{Subject: "batch", Data: r, Header: nats.Header{"Nats-Batch-Id": {id}, "Nats-Batch-Sequence": {strconv.Itoa(i + 1)}}}
		if i < len(records)-1 {
			if err := b.nc.PublishMsg(m); err != nil {
				return err
			}
			continue
		}
		m.Header.Set("Nats-Batch-Commit", "1")
		answer, err := b.nc.RequestMsgWithContext(ctx, m)
		if err != nil {
			return err
		}
		var ack struct {
			Count int `json:"count"`
			Error *struct {
				Description string `json:"description"`
			} `json:"error"`
		}
		if err := json.Unmarshal(answer.Data, &ack); err != nil {
			return fmt.Errorf("answer to a batch: %w", err)
		}
		if ack.Error != nil || ack.Count != len(records) {
			return fmt.Errorf("a batch of %d was not stored: %s", len(records), answer.Data)
		}
	}
	return nil
}

// Close stops the server.
func (b *Batches) Close() error {
	if b.nc != nil {
		b.nc.Close()
	}
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
	return nil
}

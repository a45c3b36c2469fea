package host

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/notify"
)

// Topic opens a topic whose messages are kept.
func (b backend) Topic(_ context.Context, topic, after string) (api.TopicReader, error) {
	if !b.topics.Kept(topic) {
		return nil, fmt.Errorf("topic %s: nothing is kept of it (%w); add it under topics in rhost.yaml, with durable: true, or follow it with /v1/tail", topic, api.ErrNotFound)
	}
	r := &topicReader{topic: topic, backend: b}
	if after != "" {
		var err error
		if r.at, err = notify.ParsePlace(after); err != nil {
			return nil, fmt.Errorf("%w (%w)", err, api.ErrInvalid)
		}
	}
	// Whatever comes from here on wakes the reader.
	sub, err := b.hub.Subscribe(1, topic)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", err, api.ErrUnavailable)
	}
	r.sub = sub
	if after == "" {
		r.at = b.topics.End(topic)
	}
	return r, nil
}

// topicReader reads what is kept of a topic, and what comes. The hub only tells it that
// there is more.
type topicReader struct {
	topic string
	backend
	sub  *notify.Subscription
	at   notify.Place
	next []api.TopicEvent
}

// Close implements api.TopicReader.
func (r *topicReader) Close() { r.sub.Close() }

// Next implements api.TopicReader.
func (r *topicReader) Next(ctx context.Context) (e api.TopicEvent, err error) {
	for len(r.next) == 0 {
		list, gap, next, _ := r.topics.Since(r.topic, r.at, r.clock.now())
		r.at = next
		if err := r.take(list, gap); err != nil {
			return e, err
		}
		if len(r.next) > 0 {
			break
		}
		if _, _, err := r.sub.Next(ctx); err != nil {
			return e, err
		}
	}
	e = r.next[0]
	r.next = r.next[1:]
	return e, nil
}

// take turns what is to be told into events.
func (r *topicReader) take(list []notify.Entry, gap *notify.Gap) error {
	if gap != nil {
		data, err := json.Marshal(struct {
			Topic string      `json:"topic"`
			Gap   *notify.Gap `json:"gap"`
		}{r.topic, gap})
		if err != nil {
			return err
		}
		r.next = append(r.next, api.TopicEvent{ID: notify.Place{Epoch: gap.Epoch, Offset: gap.To}.String(), Gap: true, Data: data})
	}
	for i := range list {
		data, err := json.Marshal(list[i].Message)
		if err != nil {
			return err
		}
		r.next = append(r.next, api.TopicEvent{ID: list[i].Place.String(), Data: data})
	}
	return nil
}

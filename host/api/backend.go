package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/rhost/rhost/event"
)

// The kinds of error a Backend returns; they decide the HTTP status.
var (
	ErrNotFound    = errors.New("not found")
	ErrFull        = errors.New("the log is full")
	ErrTooLarge    = errors.New("too large")
	ErrInvalid     = errors.New("invalid")
	ErrUnavailable = errors.New("not available")
)

// Kind makes err one of a kind above, without a change to what it says.
func Kind(kind, err error) error { return &kinded{kind, err} }

type kinded struct{ kind, err error }

func (k *kinded) Error() string   { return k.err.Error() }
func (k *kinded) Unwrap() []error { return []error{k.kind, k.err} }

// Upload is a version of a plugin that an operator sends.
type Upload struct {
	Kind      string // wasm, lua or js
	Source    []byte
	Signature []byte // what its .sig file holds; nil: none
	Allow     bool   // it may follow a version that it could not follow by itself
}

// Backend is what the API serves. Its methods are safe for concurrent use, and
// its JSON is not changed afterwards.
type Backend interface {
	// Submit accepts all events or none, and returns when they are on disk.
	Submit(ctx context.Context, events []event.Event) error
	// Matches and Actions return a page of what was recorded, oldest first.
	Matches(ctx context.Context, q Query) (Page, error)
	Actions(ctx context.Context, q Query) (Page, error)
	// Match returns one recorded match with the reasons for it.
	Match(ctx context.Context, id string) (json.RawMessage, error)
	DeadLetters(ctx context.Context) ([]json.RawMessage, error)
	Redrive(ctx context.Context, id string) error
	Drop(ctx context.Context, id string) error
	Plan(ctx context.Context, rule string) (json.RawMessage, error)
	WhyNot(ctx context.Context, rule string) (json.RawMessage, error)
	Status(ctx context.Context) (json.RawMessage, error)
	// Plugins and Plugin describe plugins; the others change which version is in
	// force, and say what they changed.
	Plugins(ctx context.Context) ([]json.RawMessage, error)
	Plugin(ctx context.Context, name string) (json.RawMessage, error)
	PutPlugin(ctx context.Context, name string, u Upload) (json.RawMessage, error)
	ActivatePlugin(ctx context.Context, name, digest string) (json.RawMessage, error)
	RollbackPlugin(ctx context.Context, name string) (json.RawMessage, error)
	// Apply puts a bundle into force, all of it or nothing, and says what changed.
	Apply(ctx context.Context, bundle []byte) (json.RawMessage, error)
	// Tail calls fn with each message of the topics as it happens, until ctx
	// ends or fn fails.
	Tail(ctx context.Context, topics []string, fn func(json.RawMessage) error) error
	// Topic opens a topic whose messages are kept, at the place behind the message
	// with the id after: "" for what comes from now on, "0" for all that is kept. It
	// is ErrNotFound for a topic of which nothing is kept.
	Topic(ctx context.Context, topic, after string) (TopicReader, error)
	// Ready returns nil when events can be accepted and written.
	Ready(ctx context.Context) error
	// Hook returns the webhook of that name.
	Hook(name string) (http.Handler, bool)
}

// Query chooses records. Zero fields choose all.
type Query struct {
	Rule   string
	Status string    // actions only
	Since  time.Time // by the time of the record
	Cursor uint64    // where the page before ended
	Limit  int       // records on the page
}

// Page is a run of records and where the next one starts; 0 when there was
// nothing more.
type Page struct {
	Items  []json.RawMessage `json:"items"`
	Cursor uint64            `json:"cursor,omitempty"`
	// Since is when the log begins, where its beginning was removed.
	Since time.Time `json:"since,omitzero"`
}

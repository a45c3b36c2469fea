package api

import (
	"context"
	"encoding/json"
	"time"
)

// listInput chooses a page of records.
type listInput struct {
	Rule   string    `query:"rule" doc:"Only of this rule"`
	Status string    `query:"status" doc:"Only with this status (actions)"`
	Since  time.Time `query:"since" doc:"Only from this time on, RFC 3339"`
	Cursor uint64    `query:"cursor" doc:"Where the page before ended"`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (in *listInput) query() Query {
	limit := in.Limit
	if limit < 1 {
		limit = defaultLimit
	}
	return Query{Rule: in.Rule, Status: in.Status, Since: in.Since, Cursor: in.Cursor, Limit: min(limit, maxLimit)}
}

type page struct{ Body Page }

// raw is a reply whose JSON the backend made.
type raw struct{ Body json.RawMessage }

type byID struct {
	ID string `path:"id"`
}

type byRule struct {
	Rule string `path:"rule"`
}

func (s *server) matches(ctx context.Context, in *listInput) (*page, error) {
	p, err := s.backend.Matches(ctx, in.query())
	return &page{p}, problem(err)
}

func (s *server) actions(ctx context.Context, in *listInput) (*page, error) {
	p, err := s.backend.Actions(ctx, in.query())
	return &page{p}, problem(err)
}

func (s *server) match(ctx context.Context, in *byID) (*raw, error) {
	return reply(s.backend.Match(ctx, in.ID))
}

func (s *server) plan(ctx context.Context, in *byRule) (*raw, error) {
	return reply(s.backend.Plan(ctx, in.Rule))
}

func (s *server) whyNot(ctx context.Context, in *byRule) (*raw, error) {
	return reply(s.backend.WhyNot(ctx, in.Rule))
}

func (s *server) status(ctx context.Context, _ *struct{}) (*raw, error) {
	return reply(s.backend.Status(ctx))
}

func (s *server) deadLetters(ctx context.Context, _ *struct{}) (*page, error) {
	list, err := s.backend.DeadLetters(ctx)
	if list == nil {
		list = []json.RawMessage{} // a list, never null
	}
	return &page{Page{Items: list}}, problem(err)
}

// redrive and drop answer 204: there is nothing to say beside that it is done.
func (s *server) redrive(ctx context.Context, in *byID) (*struct{}, error) {
	return nil, problem(s.backend.Redrive(ctx, in.ID))
}

func (s *server) drop(ctx context.Context, in *byID) (*struct{}, error) {
	return nil, problem(s.backend.Drop(ctx, in.ID))
}

func reply(b json.RawMessage, err error) (*raw, error) {
	if err != nil {
		return nil, problem(err)
	}
	return &raw{b}, nil
}

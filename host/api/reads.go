package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
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
	return &page{Page{Items: list}}, problem(err)
}

func (s *server) redrive(ctx context.Context, in *byID) (*huma.StreamResponse, error) {
	return done(s.backend.Redrive(ctx, in.ID))
}

func (s *server) drop(ctx context.Context, in *byID) (*huma.StreamResponse, error) {
	return done(s.backend.Drop(ctx, in.ID))
}

func reply(b json.RawMessage, err error) (*raw, error) {
	if err != nil {
		return nil, problem(err)
	}
	return &raw{b}, nil
}

// done answers 204.
func done(err error) (*huma.StreamResponse, error) {
	if err != nil {
		return nil, problem(err)
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) { ctx.SetStatus(http.StatusNoContent) }}, nil
}

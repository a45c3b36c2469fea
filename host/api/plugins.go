package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const (
	maxPlugin = 32 << 20
	maxBundle = 96 << 20 // 64 MiB in base64
)

type byName struct {
	Name string `path:"name" maxLength:"128"`
}

type putPlugin struct {
	Name    string `path:"name" maxLength:"128"`
	Kind    string `query:"kind" required:"true" doc:"wasm, lua or js"`
	RawBody []byte `contentType:"application/octet-stream"`
}

type activatePlugin struct {
	Name string `path:"name" maxLength:"128"`
	Body struct {
		Digest string `json:"digest" doc:"sha256:… or the beginning of one, four digits at least" minLength:"4" maxLength:"71"`
	}
}

// registerLocal adds what only the owner of the host may do: who can open the
// local socket. Others will, once there is a way to know them.
func (s *server) registerLocal(api huma.API) {
	const local = "Only on the host's local socket."
	huma.Register(api, huma.Operation{
		OperationID: "put-plugin", Method: http.MethodPut, Path: "/v1/plugins/{name}", MaxBodyBytes: maxPlugin,
		Summary:     "Bring a new version of a plugin into force",
		Description: local + " It stays in force until the file of the app folder changes or another version is activated.",
		Errors:      []int{400, 413, 503},
	}, s.putPlugin)
	huma.Register(api, huma.Operation{
		OperationID: "activate-plugin", Method: http.MethodPost, Path: "/v1/plugins/{name}/activate",
		Summary: "Bring an earlier version of a plugin back into force", Description: local, Errors: []int{404, 503},
	}, s.activatePlugin)
	huma.Register(api, huma.Operation{
		OperationID: "rollback-plugin", Method: http.MethodPost, Path: "/v1/plugins/{name}/rollback",
		Summary: "Bring the version before the present one back into force", Description: local, Errors: []int{404, 503},
	}, s.rollbackPlugin)
	huma.Register(api, huma.Operation{
		OperationID: "apply", Method: http.MethodPost, Path: "/v1/apply", MaxBodyBytes: maxBundle, SkipValidateBody: true,
		Summary: "Bring rules and plugins into force together, or say what that would change",
		Description: local + " The body is a JSON object: files (name relative to the app folder, to bytes in base64), " +
			"prune (remove files that the bundle does not have) and dry_run.",
		Errors: []int{400, 413, 503},
	}, s.apply)
}

type bundleInput struct {
	RawBody []byte `contentType:"application/json"`
}

func (s *server) apply(ctx context.Context, in *bundleInput) (*raw, error) {
	return reply(s.backend.Apply(ctx, in.RawBody))
}

func (s *server) plugins(ctx context.Context, _ *struct{}) (*page, error) {
	list, err := s.backend.Plugins(ctx)
	if list == nil {
		list = []json.RawMessage{} // a list, never null
	}
	return &page{Page{Items: list}}, problem(err)
}

func (s *server) plugin(ctx context.Context, in *byName) (*raw, error) {
	return reply(s.backend.Plugin(ctx, in.Name))
}

func (s *server) putPlugin(ctx context.Context, in *putPlugin) (*raw, error) {
	return reply(s.backend.PutPlugin(ctx, in.Name, in.Kind, in.RawBody))
}

func (s *server) activatePlugin(ctx context.Context, in *activatePlugin) (*raw, error) {
	return reply(s.backend.ActivatePlugin(ctx, in.Name, in.Body.Digest))
}

func (s *server) rollbackPlugin(ctx context.Context, in *byName) (*raw, error) {
	return reply(s.backend.RollbackPlugin(ctx, in.Name))
}

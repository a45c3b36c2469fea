package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/signature"
	"github.com/rhost/rhost/sandbox"
)

// Plugins describes the plugins in force.
func (b backend) Plugins(context.Context) ([]json.RawMessage, error) {
	list := []json.RawMessage{}
	for _, s := range b.plugins.Status() {
		raw, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		list = append(list, raw)
	}
	return list, nil
}

// Plugin describes one with the versions it has had.
func (b backend) Plugin(_ context.Context, name string) (json.RawMessage, error) {
	s, err := b.plugins.Describe(name)
	if err != nil {
		return nil, pluginError(err)
	}
	return json.Marshal(s)
}

// PutPlugin brings bytes into force as a version of a plugin.
func (b backend) PutPlugin(ctx context.Context, name string, u api.Upload) (json.RawMessage, error) {
	k := deploy.Kind(u.Kind)
	if _, ok := b.engines[k]; !ok {
		kinds := make([]string, 0, len(b.engines))
		for have := range b.engines {
			kinds = append(kinds, "."+string(have))
		}
		slices.Sort(kinds)
		return nil, api.Kind(api.ErrInvalid, fmt.Errorf("no engine runs %q plugins; a plugin is a file whose name ends in %s", u.Kind, strings.Join(kinds, ", ")))
	}
	return b.changed(b.plugins.Put(ctx, name, deploy.Upload{Kind: k, Source: u.Source, Signature: u.Signature, Allow: u.Allow}))
}

// ActivatePlugin brings a version back that the plugin has had.
func (b backend) ActivatePlugin(ctx context.Context, name, digest string) (json.RawMessage, error) {
	return b.changed(b.plugins.Activate(ctx, name, digest))
}

// RollbackPlugin brings the version before the present one back.
func (b backend) RollbackPlugin(ctx context.Context, name string) (json.RawMessage, error) {
	return b.changed(b.plugins.Rollback(ctx, name))
}

// changed reports a change that an operator made.
func (b backend) changed(c deploy.Change, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, pluginError(err)
	}
	if c.Old != c.New {
		b.reloadedPlugin(c)
	}
	return json.Marshal(c)
}

// pluginError says what a caller of the API can do about an error.
func pluginError(err error) error {
	var refused *sandbox.Refusal
	var fault *sandbox.Fault
	var unsigned *signature.Error
	var short *shortage
	switch {
	case errors.Is(err, deploy.ErrUnknown):
		return api.Kind(api.ErrNotFound, err)
	case errors.As(err, &refused), errors.As(err, &fault), errors.As(err, &unsigned), errors.As(err, &short), errors.Is(err, sandbox.ErrSelfTest):
		return api.Kind(api.ErrInvalid, err)
	}
	return apiError(err)
}

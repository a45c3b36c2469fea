package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/sdk/client"
	"github.com/spf13/cobra"
)

// reach is how a command finds the host it asks.
type reach struct {
	app, data, url string
}

func (r *reach) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.app, "app", ".", "app folder")
	f.StringVar(&r.data, "data", "", "data folder (default: data_dir of the app's rhost.yaml)")
	f.StringVar(&r.url, "url", "", "address of a host's API instead, such as http://127.0.0.1:4000")
}

// folder is the data folder that the flags name.
func (r *reach) folder() (string, error) {
	if r.data != "" {
		return r.data, nil
	}
	config, err := host.ReadConfig(r.app, nil)
	if err != nil {
		return "", usage(err)
	}
	if filepath.IsAbs(config.DataDir) {
		return config.DataDir, nil
	}
	return filepath.Join(r.app, config.DataDir), nil
}

// host returns a client of the running host.
func (r *reach) host() (*client.Client, error) {
	if r.url != "" {
		return client.New(r.url), nil
	}
	data, err := r.folder()
	if err != nil {
		return nil, err
	}
	c, err := client.Dial(filepath.Join(data, host.SocketName))
	if err != nil {
		return nil, &codedError{exitNoHost, fmt.Errorf("no host is running on %s; start one with `rhost run %s`, or name another with --app, --data or --url", data, r.app)}
	}
	return c, nil
}

// reader is what can be read from a running host and from a folder alike.
type reader interface {
	Matches(ctx context.Context, q client.Query) (client.Page, error)
	Actions(ctx context.Context, q client.Query) (client.Page, error)
	Match(ctx context.Context, id string) (json.RawMessage, error)
	DeadLetters(ctx context.Context) ([]json.RawMessage, error)
	Close()
}

// reader returns the running host, or, with none running, opens its folder
// under the lock.
func (r *reach) reader(ctx context.Context) (reader, error) {
	c, err := r.host()
	if err == nil {
		return c, nil
	}
	var coded *codedError
	if !errors.As(err, &coded) || coded.code != exitNoHost {
		return nil, err
	}
	data, err := r.folder()
	if err != nil {
		return nil, err
	}
	a, err := host.OpenArchive(ctx, data)
	if err != nil {
		return nil, err
	}
	return archive{a}, nil
}

// archive reads a folder that no host has open.
type archive struct{ a *host.Archive }

func (r archive) Matches(ctx context.Context, q client.Query) (client.Page, error) {
	items, cursor, err := r.a.Matches(ctx, query(q))
	return client.Page{Items: items, Cursor: cursor}, err
}

func (r archive) Actions(ctx context.Context, q client.Query) (client.Page, error) {
	items, cursor, err := r.a.Actions(ctx, query(q))
	return client.Page{Items: items, Cursor: cursor}, err
}

func (r archive) Match(ctx context.Context, id string) (json.RawMessage, error) {
	return r.a.Match(ctx, id)
}

func (r archive) DeadLetters(ctx context.Context) ([]json.RawMessage, error) {
	return r.a.DeadLetters(ctx)
}

// Close releases the folder's lock. What was read is in memory by then, so a
// failure to close loses nothing.
func (r archive) Close() { r.a.Close() } //nolint:errcheck // see above

func query(q client.Query) host.Query {
	return host.Query{Rule: q.Rule, Status: q.Status, Since: q.Since, Cursor: q.Cursor, Limit: q.Limit}
}

// pages calls fn with every record, page by page.
func pages(ctx context.Context, q client.Query, fetch func(context.Context, client.Query) (client.Page, error), fn func(json.RawMessage) error) (client.Query, error) {
	for first := true; ; first = false {
		page, err := fetch(ctx, q)
		if err != nil {
			return q, err
		}
		if first && !page.Since.IsZero() && page.Since.After(q.Since) {
			fmt.Fprintf(os.Stderr, "note: the log begins at %s; what came before was removed (retention in rhost.yaml)\n", stamp(page.Since))
		}
		for _, item := range page.Items {
			if err := fn(item); err != nil {
				return q, err
			}
		}
		if page.Cursor == 0 {
			return q, nil
		}
		q.Cursor = page.Cursor
	}
}

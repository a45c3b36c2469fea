package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Ref names a plugin in a registry or in a layout folder.
type Ref struct {
	Folder string             // "" for a registry
	Remote registry.Reference // of a registry
	Tag    string             // tag or digest; "latest" where none was given
}

// ParseRef reads a reference: registry.example.com/team/decide:1.2, oci:FOLDER:TAG,
// or a path that begins with . or /, with or without :TAG.
func ParseRef(text string) (Ref, error) {
	path, isLayout := strings.CutPrefix(text, "oci:")
	if isLayout || strings.HasPrefix(text, "/") || strings.HasPrefix(text, ".") {
		folder, tag := path, "latest"
		if at := strings.Index(path, "@sha256:"); at >= 0 {
			folder, tag = path[:at], path[at+1:]
		} else if at := strings.LastIndexByte(path, ':'); at > strings.LastIndexByte(path, filepath.Separator) {
			folder, tag = path[:at], path[at+1:]
		}
		if folder == "" || tag == "" {
			return Ref{}, fmt.Errorf("%q names no folder or no tag; write oci:FOLDER:TAG", text)
		}
		return Ref{Folder: folder, Tag: tag}, nil
	}
	r, err := registry.ParseReference(text)
	if err != nil {
		return Ref{}, fmt.Errorf("%q: %w; write REGISTRY/NAME:TAG such as registry.example.com/team/decide:1.2, or oci:FOLDER:TAG", text, err)
	}
	if r.Reference == "" {
		r.Reference = "latest"
	}
	return Ref{Remote: r, Tag: r.Reference}, nil
}

func (r Ref) String() string {
	if r.Folder != "" {
		return "oci:" + r.Folder + ":" + r.Tag
	}
	return r.Remote.String()
}

// Name is what the reference calls the plugin, or "".
func (r Ref) Name() string {
	if r.Folder != "" {
		return ""
	}
	return r.Remote.Repository[strings.LastIndexByte(r.Remote.Repository, '/')+1:]
}

// Options say how a registry is reached.
type Options struct {
	// PlainHTTP reaches a registry without TLS; on this machine only.
	PlainHTTP bool
	// Username and Password are shown to the registry. Without, those of the docker
	// configuration are, whose helpers may be run for them.
	Username, Password string
	UserAgent          string
}

// Store is a place that plugins are pushed to and pulled from.
type Store struct {
	ref    Ref
	target oras.GraphTarget
}

// Timeout bounds what one request may take; bodies of 32 MiB are among them.
const Timeout = 5 * time.Minute

// Open reaches the place of a reference. A layout folder is made when it is to be
// written.
func Open(ctx context.Context, ref Ref, o Options, write bool) (*Store, error) {
	if ref.Folder != "" {
		if _, err := os.Stat(filepath.Join(ref.Folder, "oci-layout")); errors.Is(err, fs.ErrNotExist) && !write {
			return nil, fmt.Errorf("%s is no OCI layout folder: it holds no file oci-layout", ref.Folder)
		}
		layout, err := oci.NewWithContext(ctx, ref.Folder)
		if err != nil {
			return nil, fmt.Errorf("open OCI layout folder %s: %w", ref.Folder, err)
		}
		return &Store{ref, layout}, nil
	}
	if o.PlainHTTP && !loopback(ref.Remote.Host()) {
		return nil, fmt.Errorf("plain HTTP is for a registry on this machine, and %s is none: passwords and plugins could be read and changed on the way; use TLS", ref.Remote.Host())
	}
	repo, err := remote.NewRepository(ref.Remote.Registry + "/" + ref.Remote.Repository)
	if err != nil {
		return nil, err
	}
	repo.PlainHTTP, repo.MaxMetadataBytes, repo.ReferrerListPageSize = o.PlainHTTP, maxManifest, maxSignatures
	client := &auth.Client{Client: &http.Client{Transport: retry.NewTransport(nil), Timeout: Timeout}, Cache: auth.NewCache()}
	if o.UserAgent != "" {
		client.SetUserAgent(o.UserAgent)
	}
	switch {
	case o.Username != "":
		client.Credential = auth.StaticCredential(ref.Remote.Registry, auth.Credential{Username: o.Username, Password: o.Password})
	default:
		docker, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
		if err != nil {
			return nil, fmt.Errorf("read the docker configuration: %w; give --username and --password-stdin instead", err)
		}
		client.Credential = credentials.Credential(docker)
	}
	repo.Client = client
	return &Store{ref, repo}, nil
}

// loopback reports whether a host, with or without port, is this machine.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

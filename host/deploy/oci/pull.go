package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"

	"github.com/rhost/rhost/host/deploy/signature"
)

// What is larger is refused before it is fetched.
const (
	maxPlugin     = 32 << 20
	maxManifest   = 1 << 20 // of an OCI manifest, a list of referrers, a plugin's manifest
	maxSignatures = 64
)

// Pull gets a plugin and the signatures that refer to it, and the digest of its OCI
// manifest. All bytes have the digests that were promised for them, beginning with
// the one in the reference, if there is one.
func (s *Store) Pull(ctx context.Context) (p Plugin, digest string, err error) {
	fail := func(err error) (Plugin, string, error) { return Plugin{}, "", fmt.Errorf("pull %s: %w", s.ref, err) }
	desc, err := s.target.Resolve(ctx, s.ref.Tag)
	if err != nil {
		return fail(err)
	}
	m, err := s.manifest(ctx, desc)
	if err != nil {
		return fail(err)
	}
	if p, err = s.layers(ctx, m); err != nil {
		return fail(err)
	}
	if p.Name == "" {
		p.Name = s.ref.Name()
	}
	if p.Signatures, err = s.signatures(ctx, desc); err != nil {
		return fail(fmt.Errorf("its signatures: %w", err))
	}
	return p, desc.Digest.String(), nil
}

// manifest fetches an OCI manifest.
func (s *Store) manifest(ctx context.Context, desc ocispec.Descriptor) (m ocispec.Manifest, err error) {
	if desc.MediaType != ocispec.MediaTypeImageManifest {
		return m, fmt.Errorf("it is %s, and no manifest of a plugin", desc.MediaType)
	}
	text, err := s.fetch(ctx, desc, maxManifest)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

// fetch gets a blob. Its size and its digest are those of the descriptor.
func (s *Store) fetch(ctx context.Context, desc ocispec.Descriptor, most int64) ([]byte, error) {
	if desc.Size < 0 || desc.Size > most {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are taken", desc.MediaType, desc.Size, most)
	}
	return content.FetchAll(ctx, s.target, desc)
}

// layers fetches what a plugin consists of.
func (s *Store) layers(ctx context.Context, m ocispec.Manifest) (p Plugin, err error) {
	for _, layer := range m.Layers {
		kind := ""
		for k, media := range layerTypes() {
			if layer.MediaType == media {
				kind = k
			}
		}
		switch {
		case kind != "" && p.Kind == "":
			p.Kind = kind
			p.Name = title(layer.Annotations[ocispec.AnnotationTitle], kind)
			p.Bytes, err = s.fetch(ctx, layer, maxPlugin)
		case layer.MediaType == typeManifest && p.Manifest == nil:
			p.Manifest, err = s.fetch(ctx, layer, maxManifest)
		default:
			return p, fmt.Errorf("it has a layer %q that does not belong to a plugin", layer.MediaType)
		}
		if err != nil {
			return p, err
		}
	}
	switch {
	case p.Kind == "":
		return p, fmt.Errorf("it is no plugin: no layer is of type %s or that of a script (its config is %s)", typeWasm, m.Config.MediaType)
	case p.Kind == "wasm" && p.Manifest != nil:
		return p, fmt.Errorf("it is a module with a manifest beside it; a module carries its own")
	}
	return p, nil
}

// title is the name in a title, which anybody may have written.
func title(text, kind string) string {
	name, ok := strings.CutSuffix(text, "."+kind)
	if !ok || name == "" || strings.HasPrefix(name, ".") || path.Base(name) != name || strings.ContainsAny(name, `\:`) || len(name) > 128 {
		return ""
	}
	return name
}

// signatures fetches the signatures of a plugin.
func (s *Store) signatures(ctx context.Context, plugin ocispec.Descriptor) (list [][]byte, err error) {
	var found []ocispec.Descriptor
	take := func(page []ocispec.Descriptor) error {
		for _, d := range page {
			if d.ArtifactType == TypeSignature {
				found = append(found, d)
			}
		}
		if len(found) > maxSignatures {
			return fmt.Errorf("there are more than %d", maxSignatures)
		}
		return nil
	}
	if lister, ok := s.target.(registry.ReferrerLister); ok {
		err = lister.Referrers(ctx, plugin, TypeSignature, take)
	} else {
		var all []ocispec.Descriptor
		if all, err = registry.Referrers(ctx, s.target, plugin, TypeSignature); err == nil {
			err = take(all)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		m, err := s.manifest(ctx, d)
		if err != nil {
			return nil, err
		}
		if len(m.Layers) != 1 || m.Layers[0].MediaType != TypeSignature {
			continue // it calls itself a signature and holds none
		}
		sig, err := s.fetch(ctx, m.Layers[0], signature.MaxFile)
		if err != nil {
			return nil, err
		}
		list = append(list, sig)
	}
	return list, nil
}

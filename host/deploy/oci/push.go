package oci

import (
	"context"
	"encoding/json"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
)

// The media types of what plugins consist of.
const (
	typeWasm         = "application/wasm"
	typeWasmConfig   = "application/vnd.wasm.config.v0+json"
	typeLua          = "application/vnd.rhost.plugin.lua.v1"
	typeJS           = "application/vnd.rhost.plugin.js.v1"
	typeManifest     = "application/vnd.rhost.plugin.manifest.v1+yaml"
	typeScriptConfig = "application/vnd.rhost.plugin.config.v1+json"

	// TypeSignature is the artifact type and the media type of a signature.
	TypeSignature = "application/vnd.rhost.plugin.signature.v1"
)

// created stands where a time would; with it the same plugin has the same digest.
const created = "1970-01-01T00:00:00Z"

// Plugin is what is pushed and pulled.
type Plugin struct {
	Name     string // of its file, without the extension
	Kind     string // wasm, lua or js
	Bytes    []byte
	Manifest []byte // YAML beside a script; nil: none
	// Signatures are .sig files; of a plugin that is pushed, one at most.
	Signatures [][]byte
}

func layerTypes() map[string]string {
	return map[string]string{"wasm": typeWasm, "lua": typeLua, "js": typeJS}
}

// Push puts a plugin and its signatures there and returns the digest of its OCI
// manifest. The tag is set last, when all of it is there.
func (s *Store) Push(ctx context.Context, p Plugin) (digest string, err error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("push %s: %w", s.ref, err) }
	media, ok := layerTypes()[p.Kind]
	if !ok {
		return fail(fmt.Errorf("a plugin is wasm, lua or js, not %q", p.Kind))
	}
	layer, err := s.blob(ctx, media, p.Bytes)
	if err != nil {
		return fail(err)
	}
	layer.Annotations = map[string]string{ocispec.AnnotationTitle: p.Name + "." + p.Kind}
	layers := []ocispec.Descriptor{layer}
	if p.Manifest != nil {
		about, err := s.blob(ctx, typeManifest, p.Manifest)
		if err != nil {
			return fail(err)
		}
		layers = append(layers, about)
	}
	config, err := s.config(ctx, p.Kind, layer)
	if err != nil {
		return fail(err)
	}
	desc, err := oras.PackManifest(ctx, s.target, oras.PackManifestVersion1_1, "", oras.PackManifestOptions{
		Layers: layers, ConfigDescriptor: &config, ManifestAnnotations: fixed(),
	})
	if err != nil {
		return fail(err)
	}
	for _, sig := range p.Signatures {
		if err := s.sign(ctx, desc, sig); err != nil {
			return fail(fmt.Errorf("its signature: %w", err))
		}
	}
	if err := s.target.Tag(ctx, desc, s.ref.Tag); err != nil {
		return fail(err)
	}
	return desc.Digest.String(), nil
}

func fixed() map[string]string { return map[string]string{ocispec.AnnotationCreated: created} }

func (s *Store) blob(ctx context.Context, media string, data []byte) (ocispec.Descriptor, error) {
	return oras.PushBytes(ctx, s.target, media, data)
}

// config pushes the config blob. A module's is what other tools for Wasm in OCI
// registries write and read.
func (s *Store) config(ctx context.Context, kind string, layer ocispec.Descriptor) (ocispec.Descriptor, error) {
	media, value := typeScriptConfig, map[string]any{"kind": kind}
	if kind == "wasm" {
		media = typeWasmConfig
		value = map[string]any{"created": created, "architecture": "wasm", "os": "wasip1", "layerDigests": []string{layer.Digest.String()}}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return s.blob(ctx, media, text)
}

// sign attaches a signature to a plugin.
func (s *Store) sign(ctx context.Context, plugin ocispec.Descriptor, sig []byte) error {
	layer, err := s.blob(ctx, TypeSignature, sig)
	if err != nil {
		return err
	}
	subject := ocispec.Descriptor{MediaType: plugin.MediaType, Digest: plugin.Digest, Size: plugin.Size}
	_, err = oras.PackManifest(ctx, s.target, oras.PackManifestVersion1_1, TypeSignature, oras.PackManifestOptions{
		Subject: &subject, Layers: []ocispec.Descriptor{layer}, ManifestAnnotations: fixed(),
	})
	return err
}

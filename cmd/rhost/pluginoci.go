package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/oci"
	"github.com/rhost/rhost/host/deploy/signature"
)

const refHelp = `REF is REGISTRY/NAME:TAG, or oci:FOLDER:TAG for a folder of OCI layout. The user name
and password are those of the docker configuration (docker login, oras login), whose
credential helpers are run, or --username and --password-stdin.`

// ociFlags say how a registry is reached.
type ociFlags struct {
	plain    bool
	username string
	stdin    bool
}

func (o *ociFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.plain, "plain-http", false, "without TLS; for a registry on this machine only")
	f.StringVar(&o.username, "username", "", "user name at the registry")
	f.BoolVar(&o.stdin, "password-stdin", false, "read the password from stdin")
}

// open reaches the place that a reference names.
func (o *ociFlags) open(cmd *cobra.Command, text string, write bool) (*oci.Store, error) {
	if o.stdin != (o.username != "") {
		return nil, usage(errors.New("--username and --password-stdin go together"))
	}
	ref, err := oci.ParseRef(text)
	if err != nil {
		return nil, usage(err)
	}
	opts := oci.Options{PlainHTTP: o.plain, Username: o.username, UserAgent: "rhost/" + version}
	if o.stdin {
		const most = 64 << 10
		password, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), most))
		if err != nil {
			return nil, fmt.Errorf("read the password: %w", err)
		}
		opts.Password = strings.TrimRight(string(password), "\r\n")
	}
	s, err := oci.Open(cmd.Context(), ref, opts, write)
	return s, usage(err)
}

func pluginPush() *cobra.Command {
	var o ociFlags
	cmd := &cobra.Command{
		Use:   "push PLUGIN REF",
		Short: "Put a plugin into a registry or an OCI layout folder",
		Long: `Put a plugin, and the signature in FILE.sig if there is one, into a registry of
container images or a folder of the same layout. The same plugin has the same digest
wherever it is pushed. A signature that is not of this plugin is refused.

` + refHelp,
		Example: `  rhost plugin push decide registry.example.com/team/decide:1.2
  rhost plugin push decide oci:release:1.2`,
		Args: exactArgs(2, "PLUGIN and REF", "a plugin, and where it goes"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, p, err := packed(cmd, args[0])
			if err != nil {
				return err
			}
			s, err := o.open(cmd, args[1], true)
			if err != nil {
				return err
			}
			digest, err := s.Push(cmd.Context(), p)
			if err != nil {
				return err
			}
			out := newStyle(cmd.OutOrStdout())
			signed := out.yellow("unsigned")
			if len(p.Signatures) > 0 {
				signed = "signed"
			}
			return out.line("%s %s  %s  %s  %s", out.green("pushed"), relative(f.File), clean(args[1]), digest, signed)
		},
	}
	o.flags(cmd)
	return cmd
}

// packed reads what there is of a plugin to push.
func packed(cmd *cobra.Command, arg string) (deploy.Found, oci.Plugin, error) {
	f, whole, err := readPlugin(cmd, arg)
	p := oci.Plugin{Name: strings.TrimSuffix(filepath.Base(f.File), filepath.Ext(f.File)), Kind: string(f.Kind), Bytes: whole}
	if err != nil {
		return f, p, err
	}
	if f.Kind != deploy.Wasm && f.Manifest != "" {
		if p.Bytes, err = os.ReadFile(f.File); err == nil {
			p.Manifest, err = os.ReadFile(f.Manifest)
		}
		if err != nil {
			return f, p, usage(err)
		}
	}
	sig, err := f.ReadSignature()
	if err != nil || sig == nil {
		return f, p, usage(err)
	}
	s, err := signature.Parse(sig)
	if err == nil {
		err = s.Of(whole)
	}
	if err != nil {
		return f, p, usage(fmt.Errorf("%s: %w", relative(f.SignatureFile()), err))
	}
	p.Signatures = [][]byte{sig}
	return f, p, nil
}

func pluginPull() *cobra.Command {
	var o ociFlags
	var keys []string
	var file string
	cmd := &cobra.Command{
		Use:   "pull REF [-o FILE]",
		Short: "Get a plugin from a registry or an OCI layout folder",
		Long: `Get a plugin and its signature from a registry of container images or a folder of
the same layout. Every byte is checked against its digest. With --key, nothing is
written unless one of the keys signed the plugin. FILE is replaced, and FILE.sig and
the manifest beside a script with it.

` + refHelp,
		Example: `  rhost plugin pull registry.example.com/team/decide:1.2 --key team.pub
  rhost plugin pull oci:release:1.2 -o plugins/decide.wasm`,
		Args: exactArgs(1, "REF", "where the plugin is"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.open(cmd, args[0], false)
			if err != nil {
				return err
			}
			p, digest, err := s.Pull(cmd.Context())
			if err != nil {
				return err
			}
			f, err := target(p, file)
			if err != nil {
				return err
			}
			sig, signed, err := chosenSignature(f, p, keys)
			if err != nil {
				return fmt.Errorf("%s: %w; nothing was written", args[0], err)
			}
			if err := unpack(f, p, sig); err != nil {
				return err
			}
			out := newStyle(cmd.OutOrStdout())
			return out.line("%s %s  %s bytes  %s  %s", out.green("pulled"), relative(f.File), thousands(len(p.Bytes)), digest, signed)
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write (default: the plugin's name, here)")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "file with a public key that must have signed it; may be repeated, one is enough")
	completeFiles(cmd, "key", "pub", "pem")
	return cmd
}

// target is the file that a plugin goes to.
func target(p oci.Plugin, file string) (deploy.Found, error) {
	if file == "" {
		name := p.Name
		if name == "" {
			name = "plugin"
		}
		file = name + "." + p.Kind
	}
	if ext := strings.TrimPrefix(filepath.Ext(file), "."); ext != p.Kind {
		return deploy.Found{}, usage(fmt.Errorf("-o %s: the plugin is a .%s file", file, p.Kind))
	}
	f := deploy.Found{Name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), Kind: deploy.Kind(p.Kind), File: file}
	if p.Manifest != nil {
		f.Manifest = f.Beside()
	}
	return f, nil
}

// chosenSignature picks the signature to keep, and says in words whose it is: with
// keys, the one that is good.
func chosenSignature(f deploy.Found, p oci.Plugin, keys []string) (sig []byte, words string, err error) {
	if len(keys) == 0 {
		switch len(p.Signatures) {
		case 0:
			return nil, "unsigned", nil
		case 1:
			return p.Signatures[0], "signature not checked: give --key", nil
		}
		return nil, fmt.Sprintf("%d signatures, none kept: give --key", len(p.Signatures)), nil
	}
	policy, err := policyOf(keys)
	if err != nil {
		return nil, "", err
	}
	whole := p.Bytes
	if p.Manifest != nil {
		if whole, err = f.Join(p.Bytes, p.Manifest); err != nil {
			return nil, "", err
		}
	}
	_, why := policy.Check(whole, f.Kind.Comment(), nil)
	for _, sig := range p.Signatures {
		signer, err := policy.Check(whole, f.Kind.Comment(), sig)
		if err == nil {
			return sig, "signed by " + signer, nil
		}
		why = err
	}
	return nil, "", why
}

// unpack writes a plugin and what lies beside it; the plugin last, so that whoever
// watches finds the rest there. What lies beside it from before goes.
func unpack(f deploy.Found, p oci.Plugin, sig []byte) error {
	files := []struct {
		name string
		text []byte
	}{{f.SignatureFile(), sig}, {f.File, p.Bytes}}
	if f.Kind != deploy.Wasm {
		files = slices.Insert(files, 0, files[0])
		files[0].name, files[0].text = f.Beside(), p.Manifest
	}
	for _, w := range files {
		var err error
		if w.text == nil {
			if err = os.Remove(w.name); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		} else {
			err = replaceFile(w.name, w.text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

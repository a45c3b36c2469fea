package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/signature"
)

func pluginKeygen() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen [NAME]",
		Short: "Make a key to sign plugins with",
		Long: `Make an ed25519 key: NAME.key, which signs and is a secret, and NAME.pub, which is
listed under signatures.keys of rhost.yaml where the plugins are to be trusted. Both
are PEM (PKCS #8 and PKIX), as openssl writes and reads them. Files that exist are
left alone.`,
		Example: "  rhost plugin keygen team",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "rhost"
			if len(args) == 1 {
				name = args[0]
			}
			key, err := signature.NewKey()
			if err != nil {
				return err
			}
			if err := writeKeys(name, key); err != nil {
				return err
			}
			out := newStyle(cmd.OutOrStdout())
			return out.line("%s %s.key (keep it secret) and %s.pub\nfingerprint %s", out.green("made"), clean(name), clean(name), key.Public().Fingerprint())
		},
	}
}

// writeKeys writes both halves, and neither over a file that is there.
func writeKeys(name string, key signature.PrivateKey) error {
	public, err := key.Public().PEM()
	if err != nil {
		return err
	}
	private, err := key.PEM()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		mode fs.FileMode
		text []byte
	}{{name + ".key", 0o600, private}, {name + ".pub", 0o644, public}} {
		w, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
		if errors.Is(err, fs.ErrExist) {
			return usage(fmt.Errorf("%s exists; choose another name, or move it away: plugins signed with it need its public half", f.name))
		}
		if err != nil {
			return err
		}
		_, err = w.Write(f.text)
		if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
			return err
		}
	}
	return nil
}

func pluginSign() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "sign PLUGIN... --key KEY",
		Short: "Sign plugins",
		Long: `Sign plugins with ed25519: the signature of FILE goes into FILE.sig. Of a module
every byte is signed, its manifest among them; of a script its source and what its
NAME.manifest.yaml says. Sign again after every change.`,
		Example: "  rhost plugin sign decide --key team.key",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := privateKey(cmd, keyFile)
			if err != nil {
				return err
			}
			out := newStyle(cmd.OutOrStdout())
			for _, arg := range args {
				f, src, err := readPlugin(cmd, arg)
				if err != nil {
					return err
				}
				s := signature.Sign(src, f.Kind.Comment(), key)
				if err := replaceFile(f.SignatureFile(), s.Format()); err != nil {
					return err
				}
				if err := out.line("%s %s  %s  by %s", out.green("signed"), relative(f.SignatureFile()), clip(s.Plugin, 19), clip(s.Key, 19)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "file with the private key, as `rhost plugin keygen` makes it")
	completeFiles(cmd, "key", "key", "pem")
	return cmd
}

func pluginVerify() *cobra.Command {
	var keys []string
	cmd := &cobra.Command{
		Use:   "verify PLUGIN... --key PUB",
		Short: "Check the signatures of plugins",
		Long: `Check that plugins bear a signature, in FILE.sig beside them, that one of the keys
made of exactly these bytes. Nothing in a module is parsed. Exit code 1 when one does
not.`,
		Example: "  rhost plugin verify decide.wasm --key team.pub",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			policy, err := policyOf(keys)
			if err != nil {
				return err
			}
			out := newStyle(cmd.OutOrStdout())
			var errs []error
			for _, arg := range args {
				f, err := findPlugin(arg)
				if err != nil {
					return err
				}
				signer, err := verify(f, policy)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", relative(f.File), err))
					continue
				}
				if err := out.line("%s %s  signed by %s", out.green("good"), relative(f.File), signer); err != nil {
					return err
				}
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "file with a public key that is trusted; may be repeated")
	completeFiles(cmd, "key", "pub", "pem")
	return cmd
}

// readPlugin finds a plugin and reads it as it is loaded.
func readPlugin(cmd *cobra.Command, arg string) (deploy.Found, []byte, error) {
	f, err := findPlugin(arg)
	if err != nil {
		return f, nil, err
	}
	if err := sayStale(cmd, f); err != nil {
		return f, nil, err
	}
	src, err := f.Read()
	return f, src, usage(err)
}

// verify checks a plugin's signature before anything in it is parsed.
func verify(f deploy.Found, policy signature.Policy) (signer string, err error) {
	sig, err := f.ReadSignature()
	if err != nil {
		return "", err
	}
	_, err = f.ReadChecked(func(src []byte) error {
		signer, err = policy.Check(src, f.Kind.Comment(), sig)
		return err
	})
	return signer, err
}

func privateKey(cmd *cobra.Command, name string) (signature.PrivateKey, error) {
	if name == "" {
		return signature.PrivateKey{}, usage(errors.New("name the key: --key FILE; `rhost plugin keygen` makes one"))
	}
	text, err := readKeyFile(name)
	if err != nil {
		return signature.PrivateKey{}, usage(err)
	}
	key, err := signature.ParsePrivate(text)
	if err != nil {
		return key, usage(fmt.Errorf("%s: %w", name, err))
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		s := newStyle(cmd.ErrOrStderr())
		return key, s.line("%s others may read %s, which is a secret: chmod 600 %s", s.yellow("warning"), clean(name), clean(name))
	}
	return key, nil
}

// policyOf trusts the keys in files, and asks for a signature.
func policyOf(names []string) (signature.Policy, error) {
	if len(names) == 0 {
		return signature.Policy{}, usage(errors.New("name the public key that is trusted: --key FILE"))
	}
	var keys []signature.PublicKey
	for _, name := range names {
		text, err := readKeyFile(name)
		if err != nil {
			return signature.Policy{}, usage(err)
		}
		key, err := signature.ParsePublic(text)
		if err != nil {
			return signature.Policy{}, usage(fmt.Errorf("%s: %w", name, err))
		}
		keys = append(keys, key)
	}
	return signature.NewPolicy(keys, true), nil
}

func readKeyFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, signature.MaxKeyFile+1))
	return text, errors.Join(err, f.Close())
}

// replaceFile writes a file in one step, so that a host that watches never sees half
// of it.
func replaceFile(name string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".rhost-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// completeFiles completes a flag with files of some extensions.
func completeFiles(cmd *cobra.Command, flag string, extensions ...string) {
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return extensions, cobra.ShellCompDirectiveFilterFileExt
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag does not exist
	}
}

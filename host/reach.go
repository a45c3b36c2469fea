package host

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/egress"
	"github.com/rhost/rhost/sandbox"
)

// maxSecret is how large a secret may be.
const maxSecret = 64 << 10

// SecretConfig says where a secret of a plugin is kept, by exactly one of its
// keys. rhost.yaml never holds the secret itself.
type SecretConfig struct {
	Env  string `yaml:"env"`  // name of an environment variable
	File string `yaml:"file"` // relative to the app; a line end at its end does not count
}

// HTTPConfig narrows where a plugin's requests may go.
type HTTPConfig struct {
	Hosts []string `yaml:"hosts"` // of those that egress allows; absent: all of them
}

// read gives the secret. Its errors never hold it.
func (s SecretConfig) read(app string) ([]byte, error) {
	if s.Env != "" {
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return nil, fmt.Errorf("the environment variable %s is not set", s.Env)
		}
		return []byte(value), nil
	}
	f, err := os.Open(within(app, s.File))
	if err != nil {
		return nil, err
	}
	value, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	err = errors.Join(err, f.Close())
	if err == nil && len(value) > maxSecret {
		err = fmt.Errorf("%s has more than %d bytes", s.File, maxSecret)
	}
	if err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(strings.TrimSuffix(string(value), "\n"), "\r")), nil
}

func (s SecretConfig) validate() error {
	if (s.Env == "") == (s.File == "") {
		return errors.New("say where it is kept: exactly one of env and file")
	}
	return nil
}

// checkSecrets reports the secrets that cannot be read, at the start rather than
// at the first call that wants them.
func (c Config) checkSecrets(app string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Plugins)) {
		p := c.Plugins[name]
		for _, secret := range slices.Sorted(maps.Keys(p.Secrets)) {
			if _, err := p.Secrets[secret].read(app); err != nil {
				errs = append(errs, fmt.Errorf("%s: plugins.%s.secrets.%s: %w", p.Pos, name, secret, err))
			}
		}
	}
	return errors.Join(errs...)
}

// secretOf answers a plugin's request for a secret.
func (r *runner) secretOf(plugin string, set pluginSetup) func(name string) ([]byte, abi.Status) {
	return func(name string) ([]byte, abi.Status) {
		if !set.mayRead(name) {
			return nil, abi.StatusDenied
		}
		where, ok := set.conf.Secrets[name]
		if !ok {
			return nil, abi.StatusNotFound
		}
		value, err := where.read(r.app)
		if err != nil {
			r.logger.Warn("a secret cannot be read", "plugin", plugin, "secret", name, "error", err)
			return nil, abi.StatusUnavailable
		}
		return value, abi.StatusOK
	}
}

// httpOf makes the requests of a plugin's call. key is that of its step.
func (r *runner) httpOf(plugin string, set pluginSetup, key string) func(context.Context, *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
	return func(ctx context.Context, req *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
		client := r.egress
		for _, hosts := range set.hosts() {
			var err error
			if client, err = client.Within(hosts); err != nil {
				r.logger.Warn("a request is refused", "plugin", plugin, "error", err)
				return abi.HTTPResponse{}, abi.StatusDenied
			}
		}
		out := egress.Request{Method: req.Method, URL: req.URL, Body: req.Body, Key: requestKey(key, req.Ordinal)}
		for _, h := range req.Header {
			if out.Header == nil {
				out.Header = make(map[string]string, len(req.Header))
			}
			if old, ok := out.Header[h.Name]; ok {
				h.Value = old + ", " + h.Value
			}
			out.Header[h.Name] = h.Value
		}
		res, err := client.Exchange(ctx, out)
		if err != nil {
			r.logger.Info("a request failed", "plugin", plugin, "error", err)
			return abi.HTTPResponse{}, statusOf(err)
		}
		return abi.HTTPResponse{Status: res.Status, Header: headersOf(res.Header), Body: res.Body}, abi.StatusOK
	}
}

// requestKey is the Idempotency-Key of a request: the same for the n-th request
// of every attempt at a step, and of no other.
func requestKey(step string, n int) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(step), uint64(n)))
	return hex.EncodeToString(sum[:16])
}

// statusOf says in the words of the ABI why a request failed.
func statusOf(err error) abi.Status {
	var e *egress.Error
	if !errors.As(err, &e) {
		return abi.StatusInternal
	}
	switch e.Kind {
	case egress.KindInvalid:
		return abi.StatusInvalid
	case egress.KindDenied:
		return abi.StatusDenied
	case egress.KindTimeout:
		return abi.StatusTimeout
	case egress.KindLimit:
		return abi.StatusLimit
	case egress.KindUnavailable, egress.KindFail, egress.KindStopped:
	}
	return abi.StatusUnavailable
}

func headersOf(header http.Header) []abi.HTTPHeader {
	var list []abi.HTTPHeader
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			list = append(list, abi.HTTPHeader{Name: strings.ToLower(name), Value: strings.ToValidUTF8(value, "\uFFFD")})
		}
	}
	return list
}

// Outside is what a command lets a call reach without a host: requests to hosts,
// with the Idempotency-Keys of the step key, and secrets. Without hosts or without
// secrets that service is unsupported. done ends the connections.
func Outside(hosts []string, secrets map[string]SecretConfig, key string) (sv sandbox.Services, done func(), err error) {
	r := &runner{logger: slog.New(slog.DiscardHandler), app: "."}
	set := pluginSetup{conf: PluginConfig{Secrets: secrets}}
	done = func() {}
	if len(secrets) > 0 {
		sv.Secret = r.secretOf("", set)
	}
	if len(hosts) > 0 {
		if r.egress, err = egress.New(egress.Config{Hosts: hosts}); err != nil {
			return sandbox.Services{}, nil, err
		}
		sv.HTTP, done = r.httpOf("", set, key), r.egress.Close
	}
	return sv, done, nil
}

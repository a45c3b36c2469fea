package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/connect/files"
	"github.com/rhost/rhost/host/connect/fswatch"
	"github.com/rhost/rhost/host/connect/schedule"
	"github.com/rhost/rhost/host/connect/stdin"
	"github.com/rhost/rhost/host/connect/webhook"
	"github.com/rhost/rhost/host/egress"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
	"github.com/rhost/rhost/yamldoc"
)

// Config is rhost.yaml. Everything is optional.
type Config struct {
	DataDir string                  `yaml:"data_dir"` // relative to the app; .rhost
	Listen  string                  `yaml:"listen"`   // API and webhooks; 127.0.0.1:4000, "off" for none
	Tenant  string                  `yaml:"tenant"`   // default
	Sources map[string]SourceConfig `yaml:"sources"`
	Plugins map[string]PluginConfig `yaml:"plugins"`
	Notify  map[string]NotifyConfig `yaml:"notify"`
	Topics  map[string]TopicConfig  `yaml:"topics"`
	Egress  EgressConfig            `yaml:"egress"`
	Folders map[string]string       `yaml:"folders"` // folders that file steps may touch, by name; relative to the app
	// Lanes is on how many processors events are matched, spread by the value at
	// PartitionBy; 1 needs none.
	Lanes       int    `yaml:"lanes"`
	PartitionBy string `yaml:"partition_by"`
	// Signatures says what signatures plugins need.
	Signatures SignatureConfig `yaml:"signatures"`
	// Retention says how much of the log is kept.
	Retention RetentionConfig `yaml:"retention"`
	// Quotas says what the tenant may bring and hold.
	Quotas QuotaConfig `yaml:"quotas"`
	// Wasm says what modules may use beyond the core of the language.
	Wasm WasmConfig `yaml:"wasm"`
	// Limits bound what all plugins have together.
	Limits GuestLimits `yaml:"limits"`
	// Cluster makes the host one of several that share the work. Nil: it is alone.
	Cluster *ClusterConfig `yaml:"cluster"`
}

// SourceConfig declares one source, by exactly one of its keys.
type SourceConfig struct {
	Pos      yamldoc.Pos      `yaml:",pos"`
	Files    *files.Config    `yaml:"files"`
	FSWatch  *fswatch.Config  `yaml:"fswatch"`
	Webhook  *webhook.Config  `yaml:"webhook"`
	Schedule *schedule.Config `yaml:"schedule"`
	Stdin    *stdin.Config    `yaml:"stdin"`
}

// PluginConfig is what an operator says of a plugin.
type PluginConfig struct {
	Pos    yamldoc.Pos  `yaml:",pos"`
	Grant  []string     `yaml:"grant"` // capabilities; absent: what the plugin asks for, but http and secret
	Limits LimitsConfig `yaml:"limits"`
	// Instances is how many there may be at once; absent: as many as calls run.
	Instances int `yaml:"instances"`
	// CanonicalNaN has its Wasm make the same NaNs on every machine.
	CanonicalNaN bool           `yaml:"canonical_nan"`
	Config       map[string]any `yaml:"config"` // handed to the plugin
	// Export names the function to call of an Extism plugin that has several.
	Export string      `yaml:"export"`
	HTTP   *HTTPConfig `yaml:"http"` // where its requests may go
	// Secrets are those it may read, by the names it asks for.
	Secrets map[string]SecretConfig `yaml:"secrets"`
	// Record is "calls" to keep with each result what the plugin asked of the host
	// and was told.
	Record string `yaml:"record"`
	// Rollout says how a new version comes into force.
	Rollout RolloutConfig `yaml:"rollout"`

	json json.RawMessage // Config, encoded once
}

// LimitsConfig bounds each call of a plugin. Zero fields have their defaults.
type LimitsConfig struct {
	Fuel        int64         `yaml:"fuel"`
	Memory      yamldoc.Bytes `yaml:"memory"`
	Deadline    time.Duration `yaml:"deadline"`
	Stack       int           `yaml:"stack"`
	HostCalls   int           `yaml:"host_calls"`
	Output      yamldoc.Bytes `yaml:"output"`
	Effects     int           `yaml:"effects"`
	EffectBytes yamldoc.Bytes `yaml:"effect_bytes"`
}

// WasmConfig admits modules that use proposals of the language, which are young in
// compilers and in the engine.
type WasmConfig struct {
	TailCalls     bool `yaml:"tail_calls"`
	ExtendedConst bool `yaml:"extended_const"`
}

// NotifyConfig says where a topic goes beside those who subscribe to it.
type NotifyConfig struct {
	Log bool `yaml:"log"` // to the output of `rhost run`
}

// EgressConfig says where http steps may go. Without it they go nowhere.
type EgressConfig struct {
	Hosts       []string      `yaml:"hosts"`   // names, *.names, * or addresses, with a port if it is not 80 or 443
	Private     []string      `yaml:"private"` // networks with private addresses that may be reached: 10.1.0.0/16
	Timeout     time.Duration `yaml:"timeout"`
	MaxRequest  yamldoc.Bytes `yaml:"max_request"`
	MaxResponse yamldoc.Bytes `yaml:"max_response"`
}

func (e EgressConfig) config() egress.Config {
	return egress.Config{
		Hosts: e.Hosts, Private: e.Private, Timeout: e.Timeout,
		MaxRequest: int64(e.MaxRequest), MaxResponse: int64(e.MaxResponse),
	}
}

// encodeConfigs turns each plugin's settings into the JSON it is handed.
func (c *Config) encodeConfigs() error {
	for name, p := range c.Plugins {
		if p.Config == nil {
			continue
		}
		b, err := json.Marshal(p.Config)
		if err != nil {
			return fmt.Errorf("%s: plugins.%s.config: %w", p.Pos, name, err)
		}
		p.json = b
		c.Plugins[name] = p
	}
	return nil
}

// eventClock reports whether a source's events alone move the clock.
func (c *Config) eventClock() bool {
	for _, s := range c.Sources {
		if s.Files != nil && s.Files.Clock == "event" {
			return true
		}
	}
	return false
}

func (l LimitsConfig) limits() sandbox.Limits {
	return sandbox.Limits{
		Fuel: l.Fuel, Memory: int64(l.Memory), Deadline: l.Deadline, Stack: l.Stack,
		HostCalls: l.HostCalls, Output: int(l.Output), Effects: l.Effects, EffectBytes: int(l.EffectBytes),
	}
}

// ReadConfig reads rhost.yaml of an app folder. A folder without one has the
// defaults. set holds overrides, each a dotted path and a value:
// "sources.sshd.files.path=auth.log".
func ReadConfig(app string, set []string) (Config, error) { return readConfig(app, nil, set) }

// readConfig is ReadConfig with the shared keys of inForce, the text of an rhost.yaml,
// in place of the folder's. Nil: the folder's own.
func readConfig(app string, inForce []byte, set []string) (Config, error) {
	src, err := readSettings(app)
	if err != nil {
		return Config{}, fmt.Errorf("read config: %w", err)
	}
	root, err := parseSettings(settingsFile, src)
	if err != nil {
		return Config{}, err
	}
	if inForce != nil {
		others, err := parseSettings(settingsFile+" in force", inForce)
		if err != nil {
			return Config{}, err
		}
		root = withShared(root, others)
	}
	var errs []error
	for _, s := range set {
		errs = append(errs, override(root, app, s))
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, err
	}
	var c Config
	if err := yamldoc.Decode(root, &c); err != nil {
		return Config{}, err
	}
	c = c.withDefaults()
	return c, errors.Join(c.encodeConfigs(), c.validate())
}

// override sets one value in the tree, making the maps on its way.
func override(root *yamldoc.Node, app, set string) error {
	path, value, ok := strings.Cut(set, "=")
	if !ok || path == "" {
		return fmt.Errorf("--set %s: write it as KEY.KEY=VALUE", set)
	}
	docs, err := yamldoc.Parse("--set "+path, []byte("v: "+value))
	if err != nil {
		return err
	}
	leaf := docs[0].Get("v")
	leaf.Pos = yamldoc.Pos{File: "--set " + path}
	node := root
	keys := strings.Split(path, ".")
	if isPath(keys) {
		leaf.Text = fromHere(app, leaf.Text)
	}
	for i, key := range keys {
		if node.Kind != yamldoc.Map {
			return fmt.Errorf("--set %s: %s is not a map", set, strings.Join(keys[:i], "."))
		}
		at := slices.IndexFunc(node.Keys, func(e yamldoc.Entry) bool { return e.Key == key })
		if at < 0 {
			next := &yamldoc.Node{Kind: yamldoc.Map, Pos: leaf.Pos}
			node.Keys = append(node.Keys, yamldoc.Entry{Key: key, Pos: leaf.Pos, Value: next})
			at = len(node.Keys) - 1
		}
		if i == len(keys)-1 {
			node.Keys[at].Value = leaf
		}
		node = node.Keys[at].Value
	}
	return nil
}

// isPath reports whether a key of rhost.yaml names a file or folder.
func isPath(keys []string) bool {
	last := keys[len(keys)-1]
	switch keys[0] {
	case "data_dir", "folders":
		return true
	case "sources":
		return last == "path" || last == "secret_file"
	case "cluster":
		return slices.Contains([]string{"secret_file", "credentials", "nkey_file", "token_file", "ca", "cert", "key"}, last)
	}
	return false
}

// fromHere resolves a path of the command line, which is relative to the
// current folder, as in any command, unless only the app folder has it.
func fromHere(app, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if _, err := os.Stat(path); err != nil {
		if _, err := os.Stat(filepath.Join(app, path)); err == nil {
			return path
		}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path // no current folder: the app's is as good
	}
	return abs
}

func (c Config) withDefaults() Config {
	if c.DataDir == "" {
		c.DataDir = ".rhost"
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:4000"
	}
	if c.Tenant == "" {
		c.Tenant = "default"
	}
	if c.Lanes == 0 {
		c.Lanes = 1
	}
	return c
}

// validate reports everything wrong with c, not only the first thing.
func (c Config) validate() error {
	var errs []error
	if _, err := tenants.ParseName(c.Tenant); err != nil {
		errs = append(errs, fmt.Errorf("rhost.yaml: tenant: %w", err))
	}
	if c.Listen != "off" {
		errs = append(errs, checkListen(c.Listen))
	}
	if err := c.Egress.config().Validate(); err != nil {
		errs = append(errs, fmt.Errorf("rhost.yaml: egress: %w", err))
	}
	errs = append(errs, c.Signatures.validate(), c.Limits.validate(), c.Quotas.validate(), c.checkLanes())
	if c.Cluster != nil {
		errs = append(errs, c.Cluster.validate())
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		src := c.Sources[name]
		if err := src.validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s: sources.%s: %w", src.Pos, name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Topics)) {
		errs = append(errs, c.Topics[name].validate(name))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Plugins)) {
		errs = append(errs, c.Plugins[name].validate(name)...)
	}
	return errors.Join(errs...)
}

func checkListen(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("rhost.yaml: listen: %q: write HOST:PORT, such as 127.0.0.1:4000, or off", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("rhost.yaml: listen: %s is not a loopback address; until authentication exists only 127.0.0.1, ::1 and localhost are possible", host)
	}
	return nil
}

func isCapability(name string) bool {
	return slices.Contains(abi.Capabilities(), abi.Capability(name))
}

func capabilityNames() string {
	var names []string
	for _, c := range abi.Capabilities() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

// validate checks that exactly one kind is declared, and that one.
func (s SourceConfig) validate() error {
	var kinds []string
	var err error
	check := func(kind string, declared bool, validate func() error) {
		if declared {
			kinds = append(kinds, kind)
			err = errors.Join(err, validate())
		}
	}
	check("files", s.Files != nil, func() error { return s.Files.Validate() })
	check("fswatch", s.FSWatch != nil, func() error { return s.FSWatch.Validate() })
	check("webhook", s.Webhook != nil, func() error { return s.Webhook.Validate() })
	check("schedule", s.Schedule != nil, func() error { return s.Schedule.Validate() })
	check("stdin", s.Stdin != nil, func() error { return s.Stdin.Validate() })
	if len(kinds) != 1 {
		return fmt.Errorf("declares %d kinds (%s); declare exactly one of files, fswatch, webhook, schedule, stdin", len(kinds), strings.Join(kinds, ", "))
	}
	return err
}

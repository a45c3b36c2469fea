package files

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The formats of lines.
const (
	FormatNDJSON = "ndjson" // CloudEvents; the default
	FormatJSON   = "json"   // payloads
	FormatRegex  = "regex"  // text with named groups
)

// timeName is the group, or the field of a JSON line, that holds the time.
const timeName = "time"

// Config is the `files:` of a source.
type Config struct {
	Path     string `yaml:"path"`     // the file, which may not exist yet
	From     string `yaml:"from"`     // where to begin the first time: end (the default) or start
	Format   string `yaml:"format"`   // ndjson, json or regex
	Regex    string `yaml:"regex"`    // lines it does not match are skipped; each named group becomes a field
	Type     string `yaml:"type"`     // type of the events, for json and regex
	Time     string `yaml:"time"`     // Go's layout of the group or field "time"; RFC 3339
	Timezone string `yaml:"timezone"` // of times that do not say; UTC
	Clock    string `yaml:"clock"`    // event: the lines' times, and no other source's, move the clock of rules
	Once     bool   `yaml:"once"`     // read the file to its end and stop
}

// Validate reports everything wrong with c.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Path == "" {
		bad("path: must name a file")
	}
	if c.From != "" && c.From != "start" && c.From != "end" {
		bad("from: %q is neither start nor end", c.From)
	}
	if c.Clock != "" && c.Clock != "event" {
		bad("clock: %q is not known; write event, or leave it out", c.Clock)
	}
	if strings.HasPrefix(c.Type, "rhost.") {
		bad("type: %q starts with rhost., which is reserved for the host; choose another prefix", c.Type)
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		bad("timezone: %w; write a name such as Europe/Berlin", err)
	}
	if c.Time != "" && !tellsTime(c.Time) {
		bad("time: %q is not a layout; write how Mon Jan 2 15:04:05 2006 would look", c.Time)
	}
	return errors.Join(append(errs, c.validateFormat())...)
}

func (c *Config) validateFormat() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch c.Format {
	case "", FormatNDJSON:
		if c.Type != "" {
			bad("type: lines of format ndjson have their own; write format: json for lines that are payloads")
		}
		if c.Time != "" {
			bad("time: lines of format ndjson have theirs in RFC 3339; leave it out")
		}
	case FormatJSON, FormatRegex:
		if c.Type == "" {
			bad("type: must name the type of the events, such as ssh.auth")
		}
	default:
		bad("format: %q is none of ndjson, json, regex", c.Format)
	}
	if c.Format == FormatRegex {
		errs = append(errs, c.validateRegex())
	} else if c.Regex != "" {
		bad("regex: only format: regex has one")
	}
	return errors.Join(errs...)
}

func (c *Config) validateRegex() error {
	if c.Regex == "" {
		return errors.New("regex: must be set for format: regex")
	}
	re, err := regexp.Compile(c.Regex)
	if err != nil {
		return fmt.Errorf("regex: %w", err)
	}
	seen := make(map[string]bool)
	for _, name := range re.SubexpNames() {
		if name != "" && seen[name] {
			return fmt.Errorf("regex: the group %s is there twice; name them apart", name)
		}
		seen[name] = true
	}
	if len(seen) < 2 { // the whole match has no name
		return errors.New("regex: has no named group; write (?P<user>\\S+) around what becomes the field user")
	}
	return nil
}

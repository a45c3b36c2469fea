package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/sandbox"
)

// manifestRows is what a plugin says of itself, for people.
func manifestRows(m *manifest.Manifest) [][]string {
	if m == nil {
		return [][]string{{"manifest", "none"}}
	}
	rows := [][]string{{"manifest", m.Name + " " + m.Version}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("description", m.Description)
	add("hosts", strings.Join(m.Hosts, ", "))
	add("secrets", strings.Join(m.Secrets, ", "))
	add("optional", strings.Join(m.Optional, ", "))
	add("limits", limitsText(m))
	if m.Config != nil {
		add("config", string(m.Config.JSON()))
	}
	if m.Encoding != manifest.Frame {
		add("encoding", string(m.Encoding))
	}
	if m.Batch {
		add("batch", "yes")
	}
	if m.Sample != nil {
		add("sample", "a call for self-tests")
	}
	return rows
}

// limitsText gives the limits as their author wrote them.
func limitsText(m *manifest.Manifest) string {
	var about struct {
		Limits map[string]any `json:"limits"`
	}
	if err := json.Unmarshal(m.JSON, &about); err != nil {
		return "" // it was read before
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(about.Limits)) {
		value := fmt.Sprint(about.Limits[key])
		if n, ok := about.Limits[key].(float64); ok {
			value = thousands(int64(n))
		}
		parts = append(parts, key+" "+value)
	}
	return strings.Join(parts, ", ")
}

// discord names what only some hosts admit, what a manifest asks for that the module
// does not import, and what it imports that the manifest leaves out: the latter two are
// probably mistakes.
func discord(info sandbox.Info) []string {
	var lines []string
	for _, p := range info.Proposals {
		lines = append(lines, fmt.Sprintf("the module uses %s: only hosts load it whose rhost.yaml says wasm.%s: true", strings.ReplaceAll(p, "_", " "), p))
	}
	m := info.Manifest
	if m == nil || info.Functions == nil {
		return lines
	}
	for _, c := range m.Capabilities {
		if !slices.Contains(info.Needs, c) {
			lines = append(lines, fmt.Sprintf("the manifest asks for %s, and the module imports nothing that needs it", c))
		}
	}
	for _, f := range info.Functions {
		if c := sandbox.CapabilityOf(f); c != "" && !m.Asks(c) {
			lines = append(lines, fmt.Sprintf("the module imports %s, and its manifest does not ask for %s: it will be denied", f, c))
		}
	}
	return lines
}

package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/yamldoc"
)

// unreachable reports steps to places that rhost.yaml does not open: addresses
// and paths that are written out, without ${…} where it matters.
func unreachable(p *cep.Program, config *host.Config) (list []analysis.Warning) {
	p.All(func(r *cep.Rule) bool {
		if text := r.Source().Text; !strings.Contains(text, "http") && !strings.Contains(text, "file") {
			return true
		}
		do, onFailure := r.Steps()
		for _, steps := range []*yamldoc.Node{do, onFailure} {
			if steps == nil {
				continue
			}
			for _, s := range steps.Items {
				list = append(list, stepReach(r, s, config)...)
				list = append(list, stepReach(r, s.Get("undo"), config)...)
			}
		}
		return true
	})
	return list
}

func stepReach(r *cep.Rule, step *yamldoc.Node, config *host.Config) (list []analysis.Warning) {
	warn := func(n *yamldoc.Node, code, fix, format string, args ...any) {
		list = append(list, analysis.Warning{Pos: n.Pos, Rule: r.Name, Code: code, What: fmt.Sprintf(format, args...), Fix: fix})
	}
	if address := step.Get("http").Get("url"); address != nil {
		if name, ok := literalHost(address.Text); ok && !allowed(name, config.Egress.Hosts) {
			warn(address, codeHost, "add it to egress.hosts", "%s is not among the hosts that egress allows", name)
		}
	}
	file := step.Get("file")
	if file == nil || len(file.Keys) != 1 {
		return list
	}
	for _, key := range []string{"path", "from", "to"} {
		n := file.Keys[0].Value.Get(key)
		if n == nil || filepath.IsAbs(n.Text) {
			continue
		}
		folder, _, ok := strings.Cut(filepath.ToSlash(n.Text), "/")
		if _, known := config.Folders[folder]; ok && !known && !strings.Contains(folder, "${") {
			warn(n, codeFolder, "add it to folders, or begin with the name of one", "no folder is called %s", folder)
		}
	}
	return list
}

// literalHost gives the host of an address, and its port unless that is the
// ordinary one, if both are written out.
func literalHost(address string) (string, bool) {
	scheme, rest, ok := strings.Cut(address, "://")
	at, _, _ := strings.Cut(rest, "/")
	if !ok || strings.Contains(at, "$") {
		return "", false
	}
	u, err := url.Parse(scheme + "://" + at)
	if err != nil || u.Hostname() == "" {
		return "", false
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		return strings.ToLower(u.Host), true
	}
	return strings.ToLower(u.Hostname()), true
}

// allowed reports whether a host is among those of egress.hosts, as far as names
// tell it.
func allowed(name string, hosts []string) bool {
	for _, h := range hosts {
		h = strings.ToLower(h)
		if suffix, ok := strings.CutPrefix(h, "*"); h == name || ok && strings.HasSuffix(name, suffix) {
			return true
		}
		if bare, port, ok := strings.Cut(h, ":"); ok && bare == name && (port == "80" || port == "443") {
			return true
		}
	}
	return false
}

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/signature"
	"github.com/rhost/rhost/yamldoc"
)

// The codes of what only this command looks at.
const (
	codeHost   = "check-host"   // an http step to a host that egress does not allow
	codeFolder = "check-folder" // a file step outside the folders
)

// allCodes explains every code that a problem of a file can have.
func allCodes() map[string]string {
	all := map[string]string{
		yamldoc.CodeSyntax:    "The file is not YAML at this place. The message says what was expected; indentation by spaces and a missing quote are the usual causes.",
		yamldoc.CodeQuote:     "YAML would take away or change a part of the text, such as what follows ` #`, or a text that begins with ! & * [ { or holds `: `. Put it in single quotes.",
		yamldoc.CodeRefused:   "Tags, anchors, aliases, merge keys and directives are not taken here: a file says what it says in place. Nor is a second document after --- where a file holds one, as rhost.yaml does.",
		yamldoc.CodeLimit:     "The document is too large or too deep. Split it.",
		yamldoc.CodeEncoding:  "The file is not UTF-8, or holds control characters.",
		yamldoc.CodeDuplicate: "A key stands twice in one map. YAML readers differ in which one they take, so neither is taken.",
		yamldoc.CodeKey:       "Nobody knows this key. It may be misspelled, or stand at the wrong depth.",
		yamldoc.CodeType:      "A value is of the wrong type, such as a list where a text is expected.",

		"workflow-type":      "A part of a step is of the wrong type. The message shows the form.",
		"workflow-missing":   "A step lacks a key that it needs.",
		"workflow-key":       "A step has a key that nobody knows, or that does not go with what it does.",
		"workflow-later":     "This belongs to a later release; it is refused rather than ignored.",
		"workflow-value":     "A value of a step is out of what is allowed.",
		"workflow-duplicate": "Two steps have the same id, or something is said twice.",
		"workflow-template":  "A ${…} cannot be compiled. It is an expression over the elements of the rule, event, and steps.ID.out of earlier steps.",
		"workflow-reference": "A ${…} reads the result of a step that has not run by then. Move the step up, or read another.",

		codeHost:   "An http step goes to a host that egress.hosts of rhost.yaml does not allow; it would fail every time. Add the host there, or correct the address.",
		codeFolder: "A file step names a folder that is not under folders: of rhost.yaml; it would fail every time. Paths begin with the name of a folder, as in inbox/a.txt, or are absolute and below one.",
	}
	maps.Copy(all, map[string]string{
		deploy.CodeManifest: "A key of a plugin's manifest (NAME.manifest.yaml beside a script, manifest.yaml in the folder of a module's source) is unknown or has a value that it cannot have. abi/SPEC.md lists the keys, and abi/manifest/schema.json lets an editor check them.",
		host.CodeMemory:     "There is no room for a version of a plugin. All that its instances may ever hold is reserved when it is loaded, so that no call fails because of others: instances × (limits.memory + stack) + image + code. Lower plugins.NAME.limits.memory, limits.stack or instances, or raise limits.guest_memory of rhost.yaml, which is half of the machine's memory unless set. `rhost plugin list` shows what is reserved. docs/limits.md says more.",
		host.CodeSettings:   "plugins.NAME.config of rhost.yaml does not fit the JSON Schema in the manifest of the plugin, so the plugin is not loaded; or plugins.NAME.export names a function that the plugin does not have. `rhost plugin inspect NAME` shows both.",
	})
	maps.Copy(all, signature.Codes())
	maps.Copy(all, faultCodes())
	maps.Copy(all, cep.Codes())
	maps.Copy(all, analysis.Codes())
	return all
}

// problemsIn gives the problems with a place and a code that an error is made of.
func problemsIn(err error) (list []*yamldoc.Error) {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case nil:
		return nil
	case *yamldoc.Error:
		return []*yamldoc.Error{e}
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			list = append(list, problemsIn(one)...)
		}
		return list
	default:
		return problemsIn(errors.Unwrap(err))
	}
}

// printError writes an error, every problem on a line of its own, with the code
// that `rhost help CODE` explains behind it.
func printError(w io.Writer, err error) {
	s := newStyle(w)
	codes := make(map[string]string)
	for _, p := range problemsIn(err) {
		codes[p.Error()] = p.Code
	}
	explained := allCodes()
	for i, text := range strings.Split(strings.TrimSpace(err.Error()), "\n") {
		prefix := s.red("error:") + " "
		if i > 0 {
			prefix = "       "
		}
		code := codes[text]
		if _, ok := explained[code]; ok {
			code = s.dim(" [" + code + "]")
		} else {
			code = ""
		}
		fmt.Fprintln(w, prefix+clean(text)+code) //nolint:errcheck // there is nowhere left to say so
	}
}

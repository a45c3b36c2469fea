package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sdk"
	"github.com/rhost/rhost/sdk/guest"
)

//go:embed templates
var templates embed.FS

const maxInput = 1 << 20

func pluginNew() *cobra.Command {
	var lang string
	cmd := &cobra.Command{
		Use:   "new NAME --lang " + strings.Join(languages(), "|"),
		Short: "Make a plugin that builds, tests and runs at once",
		Long: `Make a plugin: in the app's plugins/ folder when the current folder is an app,
else in the current folder. It is a folder with the source, tests of its own,
tests/ for ` + "`rhost plugin test`" + `, an event to try it with, and the SDK in rhost-sdk/,
so that it builds with nothing published. What else it needs is the compiler:

  go    Go
  rust  cargo and rustc with the target wasm32-unknown-unknown
  c     clang and lld
  as    AssemblyScript: npm install in the folder, once
  js    nothing (node runs the plugin's own tests)
  lua   nothing`,
		Example: `  rhost plugin new --lang go decide && rhost plugin test decide
  rhost plugin new --lang lua render && rhost plugin run render -e render/event.json`,
		Args: exactArgs(1, "NAME", "what rules call the plugin"),
		RunE: func(cmd *cobra.Command, args []string) error {
			made, next, err := newPlugin(args[0], lang)
			if err != nil {
				return err
			}
			out := newStyle(cmd.OutOrStdout())
			for _, name := range made {
				if err := out.line("%s %s", out.green("made"), name); err != nil {
					return err
				}
			}
			return out.line("next: %s", next)
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "go", strings.Join(languages(), ", "))
	cmd.RegisterFlagCompletionFunc("lang", cobra.FixedCompletions(languages(), cobra.ShellCompDirectiveNoFileComp)) //nolint:errcheck // the flag exists
	return cmd
}

// languages are those that a plugin can be made in.
func languages() []string { return []string{"go", "rust", "c", "as", "js", "lua"} }

// newPlugin writes the files of a plugin and says what to do next.
func newPlugin(name, lang string) (made []string, next string, err error) {
	if !regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`).MatchString(name) {
		return nil, "", usage(fmt.Errorf("name %q: use a-z, 0-9 and -, starting with a letter, at most 40 characters", name))
	}
	dir := "."
	if isApp(".") {
		dir = "plugins"
	}
	files, err := pluginFiles(name, lang)
	if err != nil {
		return nil, "", err
	}
	target := filepath.Join(dir, name)
	for _, taken := range []string{target, target + ".js", target + ".lua", target + ".wasm"} {
		if _, err := os.Stat(taken); err == nil {
			return nil, "", usage(fmt.Errorf("%s exists already; choose another name", taken))
		}
	}
	for _, rel := range sortedKeys(files) {
		full := filepath.Join(target, filepath.FromSlash(rel))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return nil, "", err
		}
		if err := os.WriteFile(full, files[rel], 0o644); err != nil {
			return nil, "", err
		}
		if !strings.HasPrefix(rel, sdkFolder) {
			made = append(made, full)
		}
	}
	made = append(made, filepath.Join(target, sdkFolder)+string(filepath.Separator))
	next = fmt.Sprintf("rhost plugin test %s && rhost plugin run %s -e %s", target, target, filepath.Join(target, "event.json"))
	switch lang {
	case "go", "rust", "c":
		next = fmt.Sprintf("rhost plugin build %s && %s", target, next)
	case "as":
		next = fmt.Sprintf("(cd %s && npm install) && rhost plugin build %s && %s", target, target, next)
	}
	return made, next, nil
}

// sdkFolder is the part of a plugin's folder that holds the SDK.
const sdkFolder = "rhost-sdk/"

// pluginFiles are the files of a new plugin, by path with slashes inside its folder.
func pluginFiles(name, lang string) (map[string][]byte, error) {
	if lang == "ts" {
		return nil, usage(errors.New("--lang ts: TypeScript is not supported yet; js has types for editors, and as is AssemblyScript"))
	}
	if !slices.Contains(languages(), lang) {
		return nil, usage(fmt.Errorf("--lang %s: there are %s", lang, strings.Join(languages(), ", ")))
	}
	files := make(map[string][]byte)
	err := errors.Join(addTemplates(files, "common", name), addTemplates(files, lang, name))
	if lang == "go" {
		files[sdkFolder+"go.mod"] = []byte("module github.com/rhost/rhost\n\ngo 1.26.0\n")
		return files, errors.Join(err, addSource(files, v1.Source, sdkFolder+"abi/v1"), addSource(files, guest.Source, sdkFolder+"sdk/guest"))
	}
	folder := map[string]string{"as": "assemblyscript"}[lang]
	source, subErr := fs.Sub(sdk.Sources, orElse(folder, lang))
	if subErr != nil {
		return nil, subErr
	}
	return files, errors.Join(err, addSource(files, source, strings.TrimSuffix(sdkFolder, "/")))
}

// addTemplates renders the templates of a folder. In their paths, NAME is the
// plugin's name and dot- a dot.
func addTemplates(files map[string][]byte, folder, name string) error {
	root := "templates/" + folder
	return fs.WalkDir(templates, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := render(p, name)
		rel := strings.TrimSuffix(strings.TrimPrefix(p, root+"/"), ".txt")
		rel = strings.ReplaceAll(strings.ReplaceAll(rel, "NAME", name), "dot-", ".")
		files[rel] = text
		return err
	})
}

// addSource copies an SDK, the tests of Go and the embedding of itself aside.
func addSource(files map[string][]byte, source fs.FS, to string) error {
	return fs.WalkDir(source, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, "_test.go") || path.Base(p) == "source.go" {
			return err
		}
		text, err := fs.ReadFile(source, p)
		files[path.Join(to, p)] = text
		return err
	})
}

func render(file, name string) ([]byte, error) {
	t, err := template.ParseFS(templates, file)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct{ Name string }{name})
	return b.Bytes(), err
}

// readInput reads a small file, or stdin for "-".
func readInput(cmd *cobra.Command, name string) ([]byte, error) {
	in, done, err := openInput(cmd, name)
	if err != nil {
		return nil, err
	}
	defer done()
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxInput {
		return nil, usage(fmt.Errorf("%s has more than %d bytes", name, maxInput))
	}
	return text, nil
}

// relative shortens a path below the current folder.
func relative(name string) string {
	wd, err := os.Getwd()
	if err != nil {
		return name
	}
	if rel, err := filepath.Rel(wd, name); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return name
}

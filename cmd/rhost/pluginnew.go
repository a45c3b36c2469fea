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
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sdk/guest"
)

//go:embed templates
var templates embed.FS //nolint:gochecknoglobals // embedded files have to be

const maxInput = 1 << 20

func pluginNew() *cobra.Command {
	var lang string
	cmd := &cobra.Command{
		Use:   "new NAME --lang go|js|lua",
		Short: "Make a plugin that builds and runs at once",
		Long: `Make a plugin: in the app's plugins/ folder when the current folder is an app,
else in the current folder. A Go plugin gets a folder with a test and the SDK
beside it, so that it builds with nothing published; a script is one file.`,
		Example: `  rhost plugin new --lang go decide && rhost plugin build decide && rhost plugin run decide -e decide/event.json
  rhost plugin new --lang lua render`,
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
	cmd.Flags().StringVar(&lang, "lang", "go", "go, js or lua")
	cmd.RegisterFlagCompletionFunc("lang", cobra.FixedCompletions([]string{"go", "js", "lua"}, cobra.ShellCompDirectiveNoFileComp)) //nolint:errcheck // the flag exists
	return cmd
}

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
		full := filepath.Join(dir, filepath.FromSlash(rel))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return nil, "", err
		}
		if err := os.WriteFile(full, files[rel], 0o644); err != nil {
			return nil, "", err
		}
		if !strings.Contains(rel, "rhost-sdk/") {
			made = append(made, full)
		}
	}
	if lang == "go" {
		made = append(made, filepath.Join(target, "rhost-sdk")+string(filepath.Separator))
		return made, fmt.Sprintf("rhost plugin build %s && rhost plugin run %s -e %s", target, target, filepath.Join(target, "event.json")), nil
	}
	return made, fmt.Sprintf("rhost plugin run %s.%s -e EVENT.json", target, lang), nil
}

// pluginFiles are the files of a new plugin, by path with slashes.
func pluginFiles(name, lang string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	switch lang {
	case "js", "lua":
		text, err := render("templates/"+lang+"/plugin."+lang+".txt", name)
		files[name+"."+lang] = text
		return files, err
	case "go":
	default:
		return nil, usage(fmt.Errorf("--lang %s: there are go, js and lua; others are not supported yet", lang))
	}
	for from, to := range map[string]string{"main.go.txt": "main.go", "main_test.go.txt": "main_test.go"} {
		text, err := render("templates/go/"+from, name)
		if err != nil {
			return nil, err
		}
		files[name+"/"+to] = text
	}
	ev, err := templates.ReadFile("templates/event.json")
	if err != nil {
		return nil, err
	}
	files[name+"/event.json"] = ev
	files[name+"/go.mod"] = fmt.Appendf(nil, "module %s\n\ngo 1.26.0\n\nrequire github.com/rhost/rhost v0.0.0\n\nreplace github.com/rhost/rhost => ./rhost-sdk\n", name)
	files[name+"/rhost-sdk/go.mod"] = []byte("module github.com/rhost/rhost\n\ngo 1.26.0\n")
	err = errors.Join(addSource(files, v1.Source, name+"/rhost-sdk/abi/v1"), addSource(files, guest.Source, name+"/rhost-sdk/sdk/guest"))
	return files, err
}

// addSource copies Go files, their tests and the embedding of themselves aside.
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

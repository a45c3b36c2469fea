package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host"
)

// declared is where the lookup tables and the schemas of events are.
type declared struct {
	tables, schemas string
}

func (d *declared) flags(cmd *cobra.Command, schemas bool) {
	cmd.Flags().StringVar(&d.tables, "tables", "", "folder of lookup tables, .json, .csv or .txt (default: tables/ beside rules/, or beside the rule file)")
	if schemas {
		cmd.Flags().StringVar(&d.schemas, "schemas", "", "folder of JSON Schemas, one for each type of event (default: schemas/ beside rules/, or beside the rule file)")
	}
}

// beside finds the folder of that name that belongs to rules: in an app, beside
// a folder called rules, or beside a file.
func beside(rules, name string) string {
	if isApp(rules) {
		return filepath.Join(rules, name)
	}
	abs, err := filepath.Abs(rules)
	if err != nil {
		return filepath.Join(rules, name)
	}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		abs = filepath.Dir(abs)
	}
	if filepath.Base(abs) == "rules" {
		abs = filepath.Dir(abs)
	}
	dir := filepath.Join(abs, name)
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, dir); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return dir
}

// folders gives the folders to look into: the one that was named, or those beside
// the rules that exist.
func folders(named string, rules []string, name string) []string {
	if named != "" {
		return []string{named}
	}
	var all []string
	for _, r := range rules {
		dir := beside(r, name)
		if info, err := os.Stat(dir); err == nil && info.IsDir() && !slices.Contains(all, dir) {
			all = append(all, dir)
		}
	}
	return all
}

// readTables reads the lookup tables, each under the name of its file without
// ending.
func (d *declared) readTables(rules []string) (*cep.Tables, error) {
	all := make(map[string]*cep.Table)
	where := make(map[string]string)
	err := eachFile(folders(d.tables, rules, "tables"), tableEndings, func(path string, text []byte) error {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		if first, ok := where[name]; ok {
			return fmt.Errorf("%s: table %s: %s has that name too; rename one of them", path, name, first)
		}
		t, err := cep.ParseTable(name, path, text)
		all[name], where[name] = t, path
		return err
	})
	return cep.NewTables(all), err
}

// beside reads the tables and schemas as host.CompileRules takes them, after making
// sure that each can be read: these know the files by other names.
func (d *declared) beside(rules []string) (files []host.RuleFile, err error) {
	if _, err := d.readTables(rules); err != nil {
		return nil, err
	}
	if err := d.readSchemas(rules); err != nil {
		return nil, err
	}
	keep := func(folder string) func(string, []byte) error {
		return func(path string, text []byte) error {
			files = append(files, host.RuleFile{Name: folder + "/" + filepath.Base(path), Text: string(text)})
			return nil
		}
	}
	err = errors.Join(
		eachFile(folders(d.tables, rules, "tables"), tableEndings, keep("tables")),
		eachFile(folders(d.schemas, rules, "schemas"), schemaEndings, keep("schemas")))
	return files, err
}

// The endings of tables and schemas.
var (
	tableEndings  = []string{".json", ".csv", ".txt"} //nolint:gochecknoglobals // never changed
	schemaEndings = []string{".json"}                 //nolint:gochecknoglobals // never changed
)

// readSchemas makes sure that the schemas of events can be read.
func (d *declared) readSchemas(rules []string) error {
	var list []*cep.Schema
	err := eachFile(folders(d.schemas, rules, "schemas"), schemaEndings, func(path string, text []byte) error {
		s, err := cep.ParseSchema(path, text)
		list = append(list, s)
		return err
	})
	if err != nil {
		return err
	}
	_, err = cep.NewSchemas(list...)
	return err
}

// maxDeclared bounds one table or schema, in bytes; their readers have closer
// bounds of their own.
const maxDeclared = 64 << 20

// eachFile reads the files of folders with one of the endings, by name, and
// reports what is wrong with any of them.
func eachFile(dirs, endings []string, read func(path string, text []byte) error) error {
	var errs []error
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if e.IsDir() || strings.HasPrefix(e.Name(), ".") || !slices.Contains(endings, filepath.Ext(e.Name())) {
				continue
			}
			path := filepath.ToSlash(filepath.Join(dir, e.Name()))
			info, err := os.Stat(path)
			switch {
			case err != nil:
				errs = append(errs, err)
			case !info.Mode().IsRegular() || info.Size() > maxDeclared:
				errs = append(errs, fmt.Errorf("%s is not a file of at most %d MiB", path, maxDeclared>>20))
			default:
				text, err := os.ReadFile(path)
				if err == nil {
					err = read(path, text)
				}
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

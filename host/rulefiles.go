package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhost/rhost/cep"
)

// ReadRules reads the files of an app folder that rules are made of, in the order
// of their names: rules/*.yaml and *.yml, then the lookup tables that conditions
// name (tables/*.json, *.csv, *.txt) and the declared types of events
// (schemas/*.json).
func ReadRules(app string) ([]RuleFile, error) {
	var files []RuleFile
	for _, folder := range ruleFolders() {
		some, err := readFolder(app, folder)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", folder.name, err)
		}
		files = append(files, some...)
	}
	return files, nil
}

// ruleFolder is a folder of an app with files that belong to its rules.
type ruleFolder struct {
	name    string
	endings []string
}

func ruleFolders() []ruleFolder {
	return []ruleFolder{
		{"rules", []string{".yaml", ".yml"}},
		{"tables", []string{".json", ".csv", ".txt"}},
		{"schemas", []string{".json"}},
	}
}

// has reports whether a file is one that belongs to rules.
func (f ruleFolder) has(e fs.DirEntry) bool {
	return !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(f.endings, filepath.Ext(e.Name()))
}

func readFolder(app string, folder ruleFolder) ([]RuleFile, error) {
	dir := filepath.Join(app, folder.name)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []RuleFile
	for _, e := range entries {
		if !folder.has(e) {
			continue
		}
		text, err := ReadRuleFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, RuleFile{Name: folder.name + "/" + e.Name(), Text: string(text)})
	}
	return files, nil
}

// maxRuleFile bounds one file of rules, which may hold many documents.
const maxRuleFile = 256 << 20

// ReadRuleFile reads one file of rules. It refuses what is no file, such as a
// named pipe, from which a read may never return.
func ReadRuleFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file; move it away, or start its name with a dot", name)
	case info.Size() > maxRuleFile:
		return nil, fmt.Errorf("%s has %d bytes; a file of rules may have %d; split it", name, info.Size(), maxRuleFile)
	}
	return os.ReadFile(name)
}

// materials is what stands beside rules: tables and declared types.
type materials struct {
	tables  map[string]*cep.Table
	schemas []*cep.Schema
}

// add takes what a part has of them.
func (m *materials) add(p *part) error {
	if p.schema != nil {
		m.schemas = append(m.schemas, p.schema)
	}
	if p.table == nil {
		return nil
	}
	base := filepath.Base(p.Name)
	name := strings.TrimSuffix(base, filepath.Ext(base))
	if m.tables[name] != nil {
		return fmt.Errorf("%s: there is another table called %s; rename one of them", p.Name, name)
	}
	m.tables[name] = p.table
	return nil
}

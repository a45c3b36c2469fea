package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
)

// TestEveryCodeIsExplained reads the source of the whole tree: what `rhost help` can
// be asked for is what errors, faults and failures can say, no more and no less.
func TestEveryCodeIsExplained(t *testing.T) {
	printed := codesOfTree(t)
	for s := abi.StatusOK + 1; s <= abi.StatusUnsupported; s++ {
		printed[strings.ReplaceAll(s.String(), " ", "_")] = "abi/status.go"
	}
	printed["drop"] = "abi/call.go" // of a result; the others are kinds of failures
	require.Greater(t, len(printed), 80, "the tree was not read")
	explained := allCodes()
	for code, place := range printed {
		assert.NotEmpty(t, explained[code], "%s in %s is not explained", code, place)
	}
	for code, text := range explained {
		assert.NotEmpty(t, printed[code], "%s is explained, and nothing says it", code)
		assert.Regexp(t, `^.{25,}\.$`, text, "the text of %s is no sentence", code)
	}
}

// TestManualListsCodes has every code of a rule in the table of docs/rules.md.
func TestManualListsCodes(t *testing.T) {
	rules, err := os.ReadFile("../../docs/rules.md")
	require.NoError(t, err)
	for code, place := range codesOfTree(t) {
		if strings.HasPrefix(place, "cep/") {
			assert.Contains(t, string(rules), "`"+code+"`", "docs/rules.md")
		}
	}
}

// codesOfTree gives the codes that the source can print, with the file of each: string
// constants that are called Code…, or whose type is a kind of faults or failures.
func codesOfTree(t *testing.T) map[string]string {
	t.Helper()
	codes, root := make(map[string]string), "../.."
	require.NoError(t, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "node_modules", "target", "bench", "plugins"}, d.Name())) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		for _, code := range codesOfFile(t, rel, file) {
			codes[code] = filepath.ToSlash(rel)
		}
		return err
	}))
	return codes
}

func codesOfFile(t *testing.T, name string, file *ast.File) (codes []string) {
	code := regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			typed, _ := n.Type.(*ast.Ident)
			kind := typed != nil && (typed.Name == "FaultKind" || typed.Name == "FailureKind")
			for i, ident := range n.Names {
				if i >= len(n.Values) {
					continue
				}
				text, ok := literal(n.Values[i])
				if ok && (kind || n.Type == nil && strings.HasPrefix(strings.ToLower(ident.Name), "code") && code.MatchString(text)) {
					codes = append(codes, text)
				}
			}
		case *ast.CallExpr: // yamldoc.Errorf(pos, key, code, …)
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Errorf" && len(n.Args) > 4 {
				if pkg, ok := f.X.(*ast.Ident); ok && pkg.Name == "yamldoc" {
					if text, ok := literal(n.Args[2]); ok {
						assert.Contains(t, allCodes(), text, name)
					}
				}
			}
		}
		return true
	})
	return codes
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

package sigma_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/sigma"
	"github.com/rhost/rhost/yamldoc"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const corpusMapping = `
placeholders: {admins: [svc-*, root]}
`

// corpusMap is the default mapping with placeholders.
func corpusMap(t testing.TB) *sigma.Mapping {
	t.Helper()
	m, err := sigma.ParseMapping("corpus.yaml", append(sigma.DefaultText(), corpusMapping...))
	require.NoError(t, err)
	return m
}

// corpusSource says what the corpus's log sources are.
func corpusSource(rule *yamldoc.Node, event map[string]any) bool {
	data, _ := event["data"].(map[string]any)
	id, _ := textOf(data["EventID"])
	channel, _ := data["Channel"].(string)
	source := make(map[string]string)
	for _, e := range rule.Get("logsource").Keys {
		source[e.Key] = e.Value.Text
	}
	if source["product"] != "windows" {
		return event["type"] == source["product"]+".event" || event["type"] == source["category"]+".event"
	}
	sysmon := channel == "Microsoft-Windows-Sysmon/Operational"
	switch source["category"] + source["service"] {
	case "process_creation":
		return sysmon && id == "1" || channel == "Security" && id == "4688"
	case "network_connection":
		return sysmon && id == "3"
	case "file_event":
		return sysmon && id == "11"
	case "registry_set":
		return sysmon && id == "13"
	case "ps_script":
		return id == "4104"
	case "windefend":
		return strings.Contains(channel, "Windows Defender")
	case "security":
		return strings.EqualFold(channel, "security")
	}
	panic("log source of the corpus")
}

func corpusPaths(rule *yamldoc.Node, field string) [][]string {
	category := rule.Get("logsource").Get("category")
	if category != nil && category.Text == "process_creation" && rule.Get("logsource").Get("product").Text == "windows" {
		switch field {
		case "Image":
			return [][]string{{field}, {"NewProcessName"}}
		case "ParentImage":
			return [][]string{{field}, {"ParentProcessName"}}
		case "User":
			return [][]string{{field}, {"SubjectUserName"}}
		case "IntegrityLevel":
			return [][]string{{field}, {"MandatoryLabel"}}
		}
	}
	switch field {
	case "ThreatName", "ProcessName", "SeverityID":
		return [][]string{{field}, {regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(field, "$1 $2")}}
	}
	if strings.Contains(field, ".") {
		return [][]string{{field}, strings.Split(field, ".")}
	}
	return [][]string{{field}}
}

// Each rule of the corpus fires on the events it names, and the reference
// agrees. With -update the names are written anew, to be reviewed.
func TestCorpus(t *testing.T) {
	file := filepath.Join("testdata", "corpus", "rules.yml")
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	p, out := compile(t, corpusMap(t), map[string][]byte{"rules.yml": src})
	events := lines(t, filepath.Join("testdata", "corpus", "events.ndjson"))
	fired := fires(t, p, events)
	docs, err := yamldoc.Parse("rules.yml", src)
	require.NoError(t, err)
	require.Len(t, out, len(docs))
	require.GreaterOrEqual(t, len(docs), 60)
	named := map[string][]string{"admins": {"svc-*", "root"}}
	parts := strings.Split(string(src), "\n---\n")
	for n, doc := range docs {
		var got []string
		for _, line := range events {
			var e map[string]any
			require.NoError(t, json.Unmarshal(line, &e))
			id, _ := e["id"].(string)
			if fired[id][out[n].Name] {
				got = append(got, id)
			}
			want := reference{doc: doc, event: e, source: corpusSource, paths: corpusPaths, named: named}.decide()
			assert.Equal(t, want, fired[id][out[n].Name], "%s on %s", out[n].Title, line)
		}
		var want []string
		for _, item := range doc.Get("fires").Items {
			want = append(want, item.Text)
		}
		if *update {
			parts[n] = regexp.MustCompile(`(?m)^fires: .*$`).ReplaceAllLiteralString(parts[n], "fires: ["+strings.Join(got, ", ")+"]")
			continue
		}
		slices.Sort(got)
		slices.Sort(want)
		assert.Equal(t, want, got, out[n].Title)
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(parts, "\n---\n")), 0o644))
	}
}

// The documents themselves, for eyes: what a change of the importer changes in
// them shows in the diff.
func TestGolden(t *testing.T) {
	for _, name := range []string{"corpus/rules", "correlations/rules"} {
		src, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)+".yml"))
		require.NoError(t, err)
		i := sigma.New(corpusMap(t))
		require.NoError(t, i.Add("rules.yml", src))
		out, problems := i.Convert()
		require.Empty(t, problems)
		var all []string
		for _, c := range out {
			all = append(all, string(c.YAML))
			rules, err := cep.ParseRules(c.Name, c.YAML)
			if err != nil && strings.Contains(err.Error(), "not supported yet") {
				t.Logf("%s: %v", c.Name, err)
				continue
			}
			require.NoError(t, err, "%s", c.YAML)
			_, err = cep.Compile(rules)
			require.NoError(t, err, "%s", c.YAML)
		}
		golden(t, name+".golden", strings.Join(all, "---\n"))
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "%s; -update rewrites it", name)
}

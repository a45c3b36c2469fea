package sigma_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/sigma"
)

func TestMapping(t *testing.T) {
	m, err := sigma.ParseMapping("m.yaml", []byte(`
mode: shadow
owner: soc
keywords: [data.message, subject]
fields:
  src_ip: data.net.src.ip
  host: source
logsources:
  - match: {product: Linux}
    type: log
    fields: {User: [data.user, ext.user]}
  - match: {product: linux, service: sshd}
    when: {app: sshd}
do: # steps of every rule
  - notify: soc
    with: {text: "seen"}
`))
	require.NoError(t, err)
	out, problems := convert(t, m, strings.Replace(rule("  s: {src_ip|cidr: 10.0.0.0/8, User: root, host|startswith: web, other: 1}\n  k: [failed]\n  condition: s and not k"), "linux", "linux, service: sshd", 1))
	require.Empty(t, problems)
	assert.Equal(t, `# Sigma: f.yml
rule: t
description: 'T'
mode: shadow
owner: soc
labels:
  sigma_title: T
  logsource: 'product linux, service sshd'
when: |-
  type == "log"
  && lower(data.app) == "sshd"
  && cidr(data.net.src.ip, "10.0.0.0/8")
  && (lower(data.user) == "root" || lower(ext.user) == "root")
  && lower(source).startsWith("web")
  && data.other in [1, "1"]
  && (
    !(lower(data.message).contains("failed"))
    || !has(data.message)
    || data.message == null
    || data.message != string(data.message)
    || "" in data.message
    || !("" in data.message)
  )
  && (!(lower(subject).contains("failed")) || !has(subject))
do: # steps of every rule
  - notify: soc
    with: {text: "seen"}
`, string(out[0].YAML))
	rules, err := cep.ParseRules("t", out[0].YAML)
	require.NoError(t, err)
	p, err := cep.Compile(rules)
	require.NoError(t, err)
	fired := fires(t, p, [][]byte{
		[]byte(`{"id":"a","type":"log","source":"WEB1","data":{"app":"sshd","net":{"src":{"ip":"10.1.1.1"}},"user":"Root","other":"1"}}`),
		[]byte(`{"id":"b","type":"log","source":"web1","user":"root","data":{"app":"sshd","net":{"src":{"ip":"10.1.1.1"}},"other":1,"message":7}}`),
		[]byte(`{"id":"c","type":"log","source":"web1","subject":"it FAILED","data":{"app":"sshd","net":{"src":{"ip":"10.1.1.1"}},"user":"root","other":1}}`),
		[]byte(`{"id":"d","type":"log","source":"db1","data":{"app":"sshd","net":{"src":{"ip":"10.1.1.1"}},"user":"root","other":1}}`),
	})
	assert.Equal(t, map[string]map[string]bool{"a": {"t": true}, "b": {"t": true}, "c": {}, "d": {}}, fired)
}

func TestMappingErrors(t *testing.T) {
	for src, want := range map[string]string{
		"a":                                "m.yaml:1:1: a mapping is one map of keys; write logsources: and fields: below one another",
		"field: {a: data.b}":               "m.yaml:1:1: field: unknown key; did you mean fields?",
		"fields: {a: b.c}":                 `m.yaml:1:13: fields.a: path "b.c": starts with none of`,
		"fields: {a: 'data.b[0]'}":         "m.yaml:1:13: fields.a: a path through a list cannot be mapped; name a field",
		"fields: {a: data}":                "m.yaml:1:13: fields.a: the payload as a whole is no field; name a field of it",
		"dots: none":                       `m.yaml:1:7: dots: "none" is not one of its values; write both or keys or path`,
		"logsources: [{type: a}]":          "m.yaml:1:14: logsources[0].match: must say which log sources are meant; write match: {product: windows}",
		"logsources: [{match: {prod: x}}]": "m.yaml:1:23: logsources[0].match.prod: unknown key; known keys are category, product, service",
		"logsources: [{match: {product: x}, when: {a|b: c}}]": "m.yaml:1:42: logsources[0].when: there is no modifier b; write a Sigma selection, such as {EventID: 1}",
		"do: {notify: x}": "m.yaml:1:5: do: must be a list of steps; write `- notify: CHANNEL` on a line of its own below it",
	} {
		_, err := sigma.ParseMapping("m.yaml", []byte(src))
		require.Error(t, err, src)
		assert.True(t, strings.HasPrefix(err.Error(), want), "want %s\ngot  %s", want, err)
	}
}

func TestUnmapped(t *testing.T) {
	src := strings.Replace(rule("  s: {a: b}\n  condition: s"), "linux", "abacus", 1)
	out, problems := convert(t, nil, src)
	require.Empty(t, problems)
	assert.Equal(t, []string{"the mapping has no entry for the log source product abacus: the rule looks at every event"}, out[0].Notes)
	m, err := sigma.ParseMapping("m.yaml", []byte("unmapped: refuse"))
	require.NoError(t, err)
	_, problems = convert(t, m, src)
	require.Len(t, problems, 1)
	assert.Equal(t, "f.yml:2:12: T: logsource: the mapping does not know the log source product abacus; add an entry for it under logsources: of the mapping", problems[0].String())
}

// Names are slugs of titles, unique, and never what YAML takes for something
// else.
func TestNames(t *testing.T) {
	doc := func(title, id string) string {
		return "title: '" + title + "'\nid: " + id + "\nlogsource: {product: linux}\ndetection: {s: {a: b}, condition: s}\n---\n"
	}
	out, problems := convert(t, nil, doc("A. B: (C)!", "11111111-0000")+doc("a b c", "22222222-0000")+doc("A-B-C", "22222222-0000")+doc("true", "x")+doc("…", "123e4567-x")+doc("", "''")+doc("Ünïcode 7", "y"))
	require.Empty(t, problems)
	var names []string
	for _, c := range out {
		names = append(names, c.Name)
		rules, err := cep.ParseRules("f", c.YAML)
		require.NoError(t, err, "%s", c.YAML)
		assert.Equal(t, c.Name, rules[0].Name)
	}
	assert.Equal(t, []string{"a-b-c", "a-b-c-22222222", "a-b-c-2", "true", "123e4567-x", "sigma-rule", "ünïcode-7"}, names)
}

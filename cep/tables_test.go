package cep

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
)

func TestTables(t *testing.T) {
	const rules = `
rule: listed
when: type == "conn" && data.ip in table.bad
---
rule: owned
when:
  pattern: a then b
  define:
    a: type == "conn" && table.assets[data.host].owner == "ops"
    b: type == "conn" && data.ip in table.bad && data.host == a.data.host
`
	p := mustCompile(t, rules)
	bad, err := ParseTable("bad", "bad.txt", []byte("10.0.0.1\n10.0.0.2\n"))
	require.NoError(t, err)
	assets, err := ParseTable("assets", "assets.csv", []byte("host,owner\nweb,ops\ndb,data\n"))
	require.NoError(t, err)
	m := NewMatcher(p, Options{})
	seq := uint64(0)
	feed := func(data string) (names []string) {
		seq++
		for _, match := range m.Feed(&event.Event{ID: "e", Type: "conn", Data: []byte(data)}, Position{Seq: seq}, time.Time{}, nil) {
			names = append(names, match.Rule.Name)
		}
		return names
	}
	assert.Empty(t, feed(`{"ip":"10.0.0.1","host":"web"}`), "without tables every lookup is unknown")
	m.SetTables(NewTables(map[string]*Table{"bad": bad, "assets": assets}))
	assert.Equal(t, []string{"listed"}, feed(`{"ip":"10.0.0.1","host":"web"}`))
	assert.Equal(t, []string{"listed", "owned"}, feed(`{"ip":"10.0.0.2","host":"web"}`))
	assert.Empty(t, feed(`{"ip":"10.0.0.3","host":"db"}`))

	problems := Check(p.Rules(), []string{"assets"}, nil)
	require.Len(t, problems, 2)
	assert.ErrorContains(t, problems[0], "there is no table called bad")
	assert.Empty(t, Check(p.Rules(), []string{"assets", "bad"}, nil))

	schema, err := ParseSchema("schemas/conn.json", []byte(`{"type":"object","properties":{"ip":{"type":"string"},"host":{"type":"string"},"n":{"type":"number"}}}`))
	require.NoError(t, err)
	schemas, err := NewSchemas(schema)
	require.NoError(t, err)
	wrong := parsed(t, "rule: r\nwhen:\n  pattern: a then b\n  define: {a: type == \"conn\", b: type == \"conn\" && a.data.hots == data.host && data.n == \"1\"}\n")
	problems = Check(wrong, nil, schemas)
	require.NotEmpty(t, problems)
	assert.ErrorContains(t, problems, "host")
}

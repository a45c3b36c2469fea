package yamldoc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/yamldoc"
)

type color struct{ name string }

func (c *color) UnmarshalText(b []byte) error {
	if string(b) != "red" {
		return errors.New("only red is left")
	}
	c.name = string(b)
	return nil
}

type steps []string

func (s *steps) DecodeYAML(n *yamldoc.Node) error {
	text, err := n.PlainText()
	*s = strings.Split(text, ">")
	return err
}

type limits struct {
	Fuel   uint64        `yaml:"fuel"`
	Memory yamldoc.Bytes `yaml:"memory"`
}

type common struct {
	Name string `yaml:"name"`
}

type config struct {
	common
	At      yamldoc.Pos         `yaml:",pos"`
	On      bool                `yaml:"on"`
	Ratio   float64             `yaml:"ratio"`
	Wait    time.Duration       `yaml:"wait"`
	Small   int8                `yaml:"small"`
	List    []limits            `yaml:"list"`
	Plugins map[string]*limits  `yaml:"plugins"`
	Kept    *yamldoc.Node       `yaml:"kept"`
	Any     any                 `yaml:"any"`
	Color   color               `yaml:"color"`
	Steps   steps               `yaml:"steps"`
	Nested  map[string][]string `yaml:"nested"`
	Hidden  string              `yaml:"-"`
	Bare    string
}

func TestDecode(t *testing.T) {
	c := config{Bare: "default", Ratio: 2}
	err := yamldoc.Decode(parseOne(t, `
name: 007
on: true
wait: 1d2h30m
small: -0x10
list: [{fuel: 20_000_000, memory: 32MiB}, {fuel: 1e6}]
plugins: {a: {memory: 1.5kB}, b: }
kept: {x: [1]}
any: {y: [true, 2]}
color: red
steps: a>b
nested: {k: [l, 1]}
`[1:]), &c)
	require.NoError(t, err)
	assert.Equal(t, "007", c.Name)
	assert.Equal(t, yamldoc.Pos{File: "a.yaml", Line: 1, Col: 1}, c.At)
	assert.True(t, c.On)
	assert.Equal(t, 2.0, c.Ratio)
	assert.Equal(t, 26*time.Hour+30*time.Minute, c.Wait)
	assert.Equal(t, int8(-16), c.Small)
	assert.Equal(t, []limits{{20_000_000, 32 << 20}, {1_000_000, 0}}, c.List)
	assert.Equal(t, map[string]*limits{"a": {Memory: 1500}, "b": nil}, c.Plugins)
	assert.Equal(t, "1", c.Kept.Get("x").Items[0].Text)
	assert.Equal(t, map[string]any{"y": []any{true, 2.0}}, c.Any)
	assert.Equal(t, "red", c.Color.name)
	assert.Equal(t, steps{"a", "b"}, c.Steps)
	assert.Equal(t, map[string][]string{"k": {"l", "1"}}, c.Nested)
	assert.Equal(t, "default", c.Bare)
}

func TestDecodeReportsEverything(t *testing.T) {
	var c config
	err := yamldoc.Decode(parseOne(t, `
nmae: x
on: yes
ratio: fast
wait: 5
small: 200
list: {a: b}
plugins: {p: {fule: 1, memory: 5 stones, fuel: -1}}
color: blue
steps: a # b
hidden: x
name:
nested: [x]
colour: red
zzz: 1
`[1:]), &c)
	var es yamldoc.Errors
	require.ErrorAs(t, err, &es)
	assert.Equal(t, strings.TrimSpace(`
a.yaml:1:1: nmae: unknown key; did you mean name?
a.yaml:2:5: on: must be true or false, is "yes"; write true or false
a.yaml:3:8: ratio: must be a number, is "fast"; write a number
a.yaml:4:7: wait: must be a duration such as 250ms, 1m30s or 7d, is "5"; write a duration such as 250ms, 1m30s or 7d
a.yaml:5:8: small: must be a whole number in the range of int8, is "200"; write a whole number in the range of int8
a.yaml:6:7: list: must be a list, is a map; write a list
a.yaml:7:15: plugins.p.fule: unknown key; did you mean fuel?
a.yaml:7:32: plugins.p.memory: must be a size such as 64KiB or 32MiB, is "5 stones"; write a size such as 64KiB or 32MiB
a.yaml:7:48: plugins.p.fuel: must be a whole number in the range of uint64, is "-1"; write a whole number in the range of uint64
a.yaml:8:8: color: only red is left
a.yaml:9:8: YAML takes what follows " #" for a comment; quote it: 'a # b', or move the comment to a line of its own
a.yaml:10:1: hidden: unknown key; known keys are any, bare, color, kept, list, name, nested, on, plugins, ratio, small, steps, wait
a.yaml:11:1: name: must be a text, is nothing; write a text
a.yaml:12:9: nested: must be a map, is a list; write a map
a.yaml:13:1: colour: unknown key; did you mean color?
a.yaml:14:1: zzz: unknown key; known keys are any, bare, color, kept, list, name, nested, on, plugins, ratio, small, steps, wait
`), err.Error())
	assert.Equal(t, yamldoc.CodeKey, es[0].Code)
}

func TestDecodeNothing(t *testing.T) {
	c := config{Bare: "x"}
	require.NoError(t, yamldoc.Decode(nil, &c))
	assert.Equal(t, "x", c.Bare)
	assert.Panics(t, func() { _ = yamldoc.Decode(nil, c) })
}

func TestUnits(t *testing.T) {
	for in, want := range map[string]yamldoc.Bytes{"0": 0, "512B": 512, "64KiB": 64 << 10, "1.5MiB": 3 << 19, "2 GiB": 2 << 30, "1_000": 1000, "10MB": 10_000_000} {
		got, err := yamldoc.ParseBytes(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
		again, err := yamldoc.ParseBytes(got.String())
		require.NoError(t, err)
		assert.Equal(t, got, again)
	}
	for _, in := range []string{"", "B", "1.5B", "-1KiB", "1Kib", "x", "1e30GiB", ".nanB", ".inf"} {
		_, err := yamldoc.ParseBytes(in)
		assert.Error(t, err, in)
	}
	for in, want := range map[string]time.Duration{"0": 0, "90s": 90 * time.Second, "7d": 168 * time.Hour, "1d1h": 25 * time.Hour, "-5s": -5 * time.Second} {
		got, err := yamldoc.ParseDuration(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "5", "d", "-1d", "1d-1h", "1.5d", "999999999d", "106751d24h"} {
		_, err := yamldoc.ParseDuration(in)
		assert.Error(t, err, in)
	}
}

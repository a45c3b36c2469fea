package tenants_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/tenants"
)

func TestParseName(t *testing.T) {
	long := strings.Repeat("a", tenants.MaxNameLen)
	for _, c := range []struct{ in, want string }{
		{"default", ""},
		{"a", ""},
		{"-", ""},
		{"team-7", ""},
		{long, ""},
		{"", "tenant name is empty; use 1 to 40 of a-z, 0-9 and '-'"},
		{long + "a", "tenant name of 41 bytes is too long; at most 40 are allowed"},
		{"Team", `tenant name "Team": character 1 is not allowed; use a-z, 0-9 and '-'`},
		{"a b", `tenant name "a b": character 2 is not allowed; use a-z, 0-9 and '-'`},
		{"a/..", `tenant name "a/..": character 2 is not allowed; use a-z, 0-9 and '-'`},
		{"größe", `tenant name "größe": character 3 is not allowed; use a-z, 0-9 and '-'`},
		{"a\x00", `tenant name "a\x00": character 2 is not allowed; use a-z, 0-9 and '-'`},
	} {
		name, err := tenants.ParseName(c.in)
		if c.want != "" {
			assert.EqualError(t, err, c.want)
			assert.True(t, name.IsZero())
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, c.in, name.String())
	}
}

func TestNameText(t *testing.T) {
	var in struct{ Tenant tenants.Name }
	require.NoError(t, json.Unmarshal([]byte(`{"Tenant":"a-1"}`), &in))
	want, err := tenants.ParseName("a-1")
	require.NoError(t, err)
	assert.Equal(t, want, in.Tenant)

	out, err := json.Marshal(in)
	require.NoError(t, err)
	assert.JSONEq(t, `{"Tenant":"a-1"}`, string(out))

	require.ErrorContains(t, json.Unmarshal([]byte(`{"Tenant":"A"}`), &in), "not allowed")
	_, err = json.Marshal(struct{ Tenant tenants.Name }{})
	require.ErrorContains(t, err, "not set")
}

func FuzzParseName(f *testing.F) {
	f.Add("default")
	f.Fuzz(func(t *testing.T, s string) {
		name, err := tenants.ParseName(s)
		ok := len(s) >= 1 && len(s) <= tenants.MaxNameLen && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
		assert.Equal(t, ok, err == nil)
		assert.Equal(t, ok, !name.IsZero())
	})
}

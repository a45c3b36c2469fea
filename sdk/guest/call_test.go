package guest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sdk/guest"
	"github.com/rhost/rhost/sdk/guest/guesttest"
)

// encodeOutput returns what Output makes of v.
func encodeOutput(v any) ([]byte, error) {
	var err error
	r := guesttest.New().Run(func(c *guest.Call) error {
		err = c.Output(v)
		return nil
	}, guesttest.Input{})
	return r.Output.Raw(), err
}

func TestEventHasEveryAttribute(t *testing.T) {
	at := time.Date(2026, 5, 20, 21, 45, 7, 500, time.UTC)
	in := guesttest.Input{
		Type: "a.b", Data: `{"n": 5, "ok": true, "f": 1.5, "s": "x"}`, ID: "e1", Source: "/s", Subject: "sub", Time: at,
		Ext: map[string]string{"host": "web"}, ContentType: "application/json; charset=utf-8",
		With: `{"arg": [1]}`, Attempt: 3, Key: "k",
		Match: `{"tenant":"t","rule":"r","version":"v","id":"m","at":"2026-05-20T21:45:08Z","trigger":"e1","bind":{"fail":["e0","e1"]}}`,
	}
	r := guesttest.New().Run(func(c *guest.Call) error {
		assert.Equal(t, []string{"e1", "/s", "a.b", "sub"}, []string{c.Event.ID, c.Event.Source, c.Event.Type, c.Event.Subject})
		assert.Equal(t, at, c.Event.Time())
		assert.EqualValues(t, 5, c.Event.Int("n"))
		assert.True(t, c.Event.Bool("ok"))
		assert.InDelta(t, 1.5, c.Event.Float("f"), 0)
		assert.Equal(t, "x", c.Event.String("s"))
		assert.Equal(t, "web", c.Event.Ext("host").String())
		assert.False(t, c.Event.Ext("port").Exists())
		assert.EqualValues(t, 1, c.With.Get("arg[0]").Int())
		assert.Equal(t, 3, c.Attempt)
		assert.Equal(t, "k", c.Key)
		m := c.Match
		assert.Equal(t, []string{"t", "r", "v", "m", "e1"}, []string{m.Tenant(), m.Rule(), m.Version(), m.ID(), m.Trigger()})
		assert.Equal(t, time.Date(2026, 5, 20, 21, 45, 8, 0, time.UTC), m.At())
		assert.Equal(t, []string{"e0", "e1"}, m.Bind("fail"))
		assert.Empty(t, m.Bind("none"))
		return nil
	}, in)
	assert.Equal(t, "ok", r.Result)
}

func TestEventThatIsNotThere(t *testing.T) {
	guesttest.New().Run(func(c *guest.Call) error {
		assert.Empty(t, c.Event.Type)
		assert.True(t, c.Event.Time().IsZero())
		assert.False(t, c.With.Exists())
		assert.Equal(t, "time", c.Match.Trigger())
		return nil
	}, guesttest.Input{})
}

func TestDataThatIsNotJSONIsLeftAlone(t *testing.T) {
	guesttest.New().Run(func(c *guest.Call) error {
		assert.Equal(t, `{"user":"bob"}`, string(c.Event.Data))
		assert.False(t, c.Event.Get("user").Exists())
		return nil
	}, guesttest.Input{Type: "x", ContentType: "text/plain", Data: `{"user":"bob"}`})
}

func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		err          error
		want, result string
	}{
		{nil, "", "ok"},
		{guest.Fail("broken"), "broken", "fail"},
		{guest.Retry("later"), "later", "retry"},
		{guest.Drop("nothing"), "nothing", "drop"},
		{fmt.Errorf("read it: %w", guest.Fail("broken")), "read it: broken", "fail"},
		{errors.New("anything else"), "anything else", "retry"},
	} {
		h := guesttest.New()
		r := h.Run(func(c *guest.Call) error {
			require.NoError(t, c.State.Set("k", 1))
			return tt.err
		}, guesttest.Input{})
		assert.Equal(t, tt.result, r.Result)
		assert.Equal(t, tt.want, r.Message)
		assert.Equal(t, tt.err == nil, h.State("k").Exists(), "effects of %s", tt.result)
	}
}

func TestState(t *testing.T) {
	h := guesttest.New()
	h.SetState("old", `{"n": 1}`)
	r := h.Run(func(c *guest.Call) error {
		v, version, err := c.State.Load("old")
		require.NoError(t, err)
		assert.EqualValues(t, 1, v.Get("n").Int())
		assert.EqualValues(t, 1, version)

		require.ErrorIs(t, c.State.CAS("old", 2, "x"), guest.ErrConflict)
		require.NoError(t, c.State.CAS("old", 1, "x"))
		v, err = c.State.Get("old")
		require.NoError(t, err)
		assert.Equal(t, "x", v.String(), "a call sees its own writes")

		_, err = c.State.Get("new")
		require.ErrorIs(t, err, guest.ErrNotFound)
		require.NoError(t, c.State.CAS("new", 0, nil))
		v, err = c.State.Get("new")
		require.NoError(t, err)
		assert.Equal(t, guest.Null, v.Kind(), "nil is null, not absent")

		require.NoError(t, c.State.Delete("old"))
		_, err = c.State.Get("old")
		require.ErrorIs(t, err, guest.ErrNotFound)
		return c.State.Update("count", func(old guest.Value) (any, error) { return old.Int() + 1, nil })
	}, guesttest.Input{})
	require.Equal(t, "ok", r.Result, r.Message)
	assert.EqualValues(t, 1, h.State("count").Int())
	assert.False(t, h.State("old").Exists())
}

func TestAnswersThatDoNotFitAreTaken(t *testing.T) {
	long := `"` + strings.Repeat("x", 100_000) + `"`
	h := guesttest.New()
	h.SetState("long", long)
	r := h.Run(func(c *guest.Call) error {
		v, err := c.State.Get("long")
		require.NoError(t, err)
		assert.Equal(t, long, string(v.Raw()))
		return nil
	}, guesttest.Input{})
	assert.Equal(t, "ok", r.Result, r.Message)
}

func TestConfigNowRandomLog(t *testing.T) {
	h := guesttest.New()
	h.Config = `{"limit": 5}`
	r := h.Run(func(c *guest.Call) error {
		v, err := c.Config("limit")
		require.NoError(t, err)
		assert.EqualValues(t, 5, v.Int())
		_, err = c.Config("other")
		require.ErrorIs(t, err, guest.ErrNotFound)
		all, err := c.Config("")
		require.NoError(t, err)
		assert.Equal(t, 1, all.Len())

		now, err := c.Now()
		require.NoError(t, err)
		assert.Equal(t, h.Now, now)

		p := make([]byte, 10_000) // more than one answer gives
		require.NoError(t, c.Random(p))
		assert.NotEqual(t, make([]byte, 5000), p[5000:])

		c.Log(guest.Info, "hello")
		return nil
	}, guesttest.Input{})
	assert.Equal(t, "ok", r.Result)
	assert.Equal(t, []guesttest.Line{{Level: guest.Info, Text: "hello"}}, r.Logs)
}

func TestDeniedServices(t *testing.T) {
	services := map[string]func(*guest.Call) error{
		"emit":      func(c *guest.Call) error { return c.Emit("t", nil) },
		"notify":    func(c *guest.Call) error { return c.Notify("t", nil) },
		"state_get": func(c *guest.Call) error { _, err := c.State.Get("k"); return err },
		"state_set": func(c *guest.Call) error { return c.State.Set("k", 1) },
		"state_cas": func(c *guest.Call) error { return c.State.CAS("k", 0, 1) },
		"config":    func(c *guest.Call) error { _, err := c.Config(""); return err },
		"now":       func(c *guest.Call) error { _, err := c.Now(); return err },
		"random":    func(c *guest.Call) error { return c.Random(make([]byte, 1)) },
		"kv_get":    func(c *guest.Call) error { _, err := c.KV.Get("k"); return err },
		"kv_set":    func(c *guest.Call) error { return c.KV.Delete("k") },
		"http":      func(c *guest.Call) error { _, err := c.HTTP(guest.Request{URL: "https://example.com"}); return err },
		"secret":    func(c *guest.Call) error { _, err := c.Secret("s"); return err },
		"has":       func(c *guest.Call) error { return c.Has("http") },
	}
	for name, ask := range services {
		h := guesttest.New()
		h.Deny = []string{name}
		h.Run(func(c *guest.Call) error {
			err := ask(c)
			require.ErrorIs(t, err, guest.ErrDenied)
			assert.EqualError(t, err, name+": the capability was not granted")
			return nil
		}, guesttest.Input{})
	}
}

func TestEmitAndNotify(t *testing.T) {
	r := guesttest.New().Run(func(c *guest.Call) error {
		require.NoError(t, c.Emit("a", guest.Map{"n": 1}))
		require.NoError(t, c.Emit("a", nil))
		require.NoError(t, c.Notify("ops", "hi"))
		require.ErrorIs(t, c.Emit("", nil), guest.ErrInvalid)
		require.ErrorIs(t, c.Emit("a", guest.Raw("{")), guest.ErrInvalid)
		return c.Output([]int{1})
	}, guesttest.Input{})
	require.Len(t, r.Emitted("a"), 2)
	assert.JSONEq(t, `{"n":1}`, string(r.Emitted("a")[0].Raw()))
	assert.False(t, r.Emitted("a")[1].Exists())
	assert.Equal(t, "hi", r.Notified("ops")[0].String())
	assert.Equal(t, "[1]", r.Output.String())
}

package guest_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sdk/guest"
	"github.com/rhost/rhost/sdk/guest/guesttest"
)

func TestKV(t *testing.T) {
	h := guesttest.New()
	h.SetKV("old", []byte{0, 255})
	r := h.Run(func(c *guest.Call) error {
		v, err := c.KV.Get("old")
		require.NoError(t, err)
		assert.Equal(t, []byte{0, 255}, v)
		_, err = c.KV.Get("new")
		require.ErrorIs(t, err, guest.ErrNotFound)
		require.NoError(t, c.KV.Set("new", []byte("v"), time.Minute+time.Microsecond))
		v, err = c.KV.Get("new")
		require.NoError(t, err)
		assert.Equal(t, []byte("v"), v, "a call sees its own writes")
		require.ErrorIs(t, c.KV.Set("", nil, 0), guest.ErrInvalid)
		return c.KV.Delete("old")
	}, guesttest.Input{})
	require.Equal(t, "ok", r.Result, r.Message)
	assert.Equal(t, []guesttest.Effect{
		{Kind: "kv_set", Name: "new", Bytes: []byte("v"), TTL: time.Minute + time.Millisecond},
		{Kind: "kv_set", Name: "old"},
	}, r.Effects)
	assert.Equal(t, []byte("v"), h.KV("new"))
	assert.Nil(t, h.KV("old"))
}

func TestHTTP(t *testing.T) {
	h := guesttest.New()
	var asked guest.Request
	h.HTTP = func(req guest.Request) (guest.Response, error) {
		asked = req
		if req.URL == "https://slow.example" {
			return guest.Response{}, guest.ErrTimeout
		}
		return guest.Response{Status: 404, Header: []guest.Header{{Name: "Content-Type", Value: "x/y"}}, Body: []byte(`{"n":1}`)}, nil
	}
	h.Run(func(c *guest.Call) error {
		want := guest.Request{Method: "POST", URL: "https://a.example", Header: []guest.Header{{Name: "A", Value: "b"}}, Body: []byte("hi"), Timeout: time.Second}
		res, err := c.HTTP(want)
		require.NoError(t, err)
		assert.Equal(t, want, asked)
		assert.Equal(t, 404, res.Status)
		assert.Equal(t, "x/y", res.Get("content-type"))
		assert.Empty(t, res.Get("other"))
		assert.EqualValues(t, 1, res.JSON().Get("n").Int())
		_, err = c.HTTP(guest.Request{URL: "https://slow.example"})
		require.ErrorIs(t, err, guest.ErrTimeout)
		assert.Equal(t, "GET", asked.Method)
		return nil
	}, guesttest.Input{})
}

func TestSecretAndHas(t *testing.T) {
	h := guesttest.New()
	h.Secrets = map[string]string{"token": "abc"}
	h.Deny = []string{"emit"}
	h.Run(func(c *guest.Call) error {
		v, err := c.Secret("token")
		require.NoError(t, err)
		assert.Equal(t, "abc", string(v))
		_, err = c.Secret("other")
		require.ErrorIs(t, err, guest.ErrNotFound)
		require.NoError(t, c.Has("kv_get"))
		require.ErrorIs(t, c.Has("emit"), guest.ErrDenied)
		require.ErrorIs(t, c.Has("http"), guest.ErrDenied, "nobody answers requests")
		require.ErrorIs(t, c.Has("teleport"), guest.ErrUnsupported)
		return nil
	}, guesttest.Input{})
}

// transcript is a host that notes what it is told, and of which item.
type transcript struct {
	guest.Host
	item int32
	said []string
}

func (h *transcript) Output(text []byte) {
	h.said = append(h.said, strconv.Itoa(int(h.item))+string(text))
}

func (h *transcript) Fail(code int32, msg string) {
	h.said = append(h.said, strconv.Itoa(int(h.item))+strconv.Itoa(int(code))+msg)
}

func TestBatch(t *testing.T) {
	frames := [][]byte{v1.AppendInput(nil, &v1.Input{Attempt: 1}), v1.AppendInput(nil, &v1.Input{Attempt: 2}), []byte("no frame")}
	h := &transcript{}
	handle := func(c *guest.Call) error {
		if c.Attempt == 2 {
			return guest.Drop("seen")
		}
		return c.Output(c.Attempt)
	}
	code := guest.InvokeBatch(h, handle, v1.AppendBatch(nil, frames), func(i int32) { h.item = i })
	assert.EqualValues(t, v1.ResultOK, code)
	require.Len(t, h.said, 3)
	assert.Equal(t, []string{"01", "13seen"}, h.said[:2])
	assert.Contains(t, h.said[2], "21input: ")
	assert.EqualValues(t, v1.ResultFail, guest.InvokeBatch(h, handle, []byte{1, 0, 0, 0}, func(int32) {}))
}

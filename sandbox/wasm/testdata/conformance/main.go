// Command conformance is a guest that does what its arguments say, for the tests
// of the engine: {"do": "echo", …}.
package main

import (
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/rhost/rhost/sdk/guest"
	_ "github.com/rhost/rhost/sdk/guest/batch"
)

func init() { guest.Handle(handle) }

func main() {}

// used is written by calls; none may find what another left.
var used int //nolint:gochecknoglobals // the point of the test

var actions = map[string]func(*guest.Call) error{ //nolint:gochecknoglobals // a constant table
	"echo":     echo,
	"effects":  effects,
	"state":    state,
	"settings": settings,
	"used":     countUses,
	"work":     work,
	"clocks":   clocks,
	"print":    printLines,
	"fail":     func(c *guest.Call) error { return guest.Fail(c.With.Get("msg").String()) },
	"retry":    func(c *guest.Call) error { return guest.Retry(c.With.Get("msg").String()) },
	"drop":     func(*guest.Call) error { return guest.Drop("nothing to do") },
	"loop":     func(*guest.Call) error { return spin() },
	"alloc":    func(*guest.Call) error { return alloc() },
	"recurse":  func(*guest.Call) error { recurse(0); return nil },
	"panic":    func(*guest.Call) error { panic("boom") },
	"exit":     func(*guest.Call) error { os.Exit(7); return nil },
	"flood":    func(c *guest.Call) error { return flood(c) },
	"files":    files,
	"kv":       kv,
	"http":     request,
	"secret":   secret,
	"has":      has,
	"json":     readJSON,
}

func handle(c *guest.Call) error {
	do := c.With.Get("do").String()
	if do == "" {
		return describe(c)
	}
	if action, ok := actions[do]; ok {
		return action(c)
	}
	return guest.Fail("no action " + strconv.Quote(do))
}

// describe is the guest of the suite that all engines share.
func describe(c *guest.Call) error {
	limit, err := c.Config("limit")
	if err != nil {
		return err
	}
	m := c.Match
	return c.Output(guest.Map{
		"tenant": m.Tenant(), "rule": m.Rule(), "match": m.ID(), "trigger": m.Trigger(), "bind": m.JSON().Get("bind"),
		"event": c.Event.ID, "source": c.Event.Source, "type": c.Event.Type, "user": c.Event.String("user"),
		"attempt": c.Attempt, "key": c.Key, "limit": limit,
	})
}

// echo gives back what the call holds.
func echo(c *guest.Call) error {
	return c.Output(guest.Map{
		"id": c.Event.ID, "source": c.Event.Source, "type": c.Event.Type, "subject": c.Event.Subject,
		"time": c.Event.Time(), "data": guest.JSON(c.Event.Data), "ext": c.Event.Ext("host"),
		"attempt": c.Attempt, "key": c.Key, "match": c.Match.JSON(), "with": c.With,
	})
}

func effects(c *guest.Call) error {
	return errors.Join(
		c.Emit("made", guest.Map{"n": 1}),
		c.Emit("empty", nil),
		c.State.Set("k", []int{1, 2}),
		c.State.Delete("gone"),
		c.Notify("ops", "hello"),
	)
}

// state reports what the services answer, one after another.
func state(c *guest.Call) error {
	var seen []any
	note := func(v any, err error) {
		if err != nil {
			v = err.Error()
		}
		seen = append(seen, v)
	}
	old, version, err := c.State.Load("n")
	note(guest.Map{"v": old, "version": version}, err)
	note("set", c.State.CAS("n", version+1, 0))
	note("set", c.State.CAS("n", version, old.Int()+1))
	now, version, err := c.State.Load("n")
	note(guest.Map{"v": now, "version": version}, err)
	_, err = c.State.Get("absent")
	note(nil, err)
	long, err := c.State.Get("long")
	note(len(long.Raw()), err)
	return c.Output(seen)
}

func settings(c *guest.Call) error {
	one, err := c.Config("limit")
	if err != nil {
		return err
	}
	now, err := c.Now()
	if err != nil {
		return err
	}
	p := make([]byte, 5000)
	if err := c.Random(p); err != nil {
		return err
	}
	c.Log(guest.Warn, "careful")
	return c.Output(guest.Map{"limit": one, "now": now, "random": p[4999]})
}

func countUses(c *guest.Call) error {
	used++
	return c.Output(used)
}

// work does what makes a Go program's path depend on chance: maps, goroutines,
// garbage, timers, random numbers.
func work(c *guest.Call) error {
	m := make(map[string][]byte)
	for i := range 2000 {
		m[strconv.Itoa(i)] = make([]byte, 500)
	}
	var order []string
	for k := range m {
		order = append(order, k)
		if len(order) == 5 {
			break
		}
	}
	done := make(chan int)
	for i := range 8 {
		go func() {
			time.Sleep(time.Duration(8-i) * time.Millisecond)
			done <- i
		}()
	}
	var came []int
	for range 8 {
		came = append(came, <-done)
	}
	p := make([]byte, 8)
	if _, err := rand.Read(p); err != nil {
		return err
	}
	return c.Output(guest.Map{"order": order, "came": came, "random": string(strconv.AppendQuote(nil, string(p)))})
}

func clocks(c *guest.Call) error {
	start := time.Now()
	time.Sleep(time.Hour)
	return c.Output(guest.Map{"start": start.UTC(), "slept": time.Since(start).Round(time.Second).String()})
}

func printLines(*guest.Call) error {
	_, err := os.Stdout.WriteString("one\ntwo")
	println("three")
	return err
}

//go:noinline
func spin() error {
	for i := 0; ; i++ {
		if i < 0 {
			return nil
		}
	}
}

//go:noinline
func alloc() error {
	var all [][]byte
	for {
		all = append(all, make([]byte, 1<<20))
		if len(all) < 0 {
			return nil
		}
	}
}

func recurse(n int) int {
	if n < 0 {
		return 0
	}
	return recurse(n+1) + recurse(n+2)
}

func flood(c *guest.Call) error {
	for {
		if err := c.Emit("x", nil); err != nil {
			return err
		}
	}
}

// files shows that there are none.
func files(c *guest.Call) error {
	_, err := os.ReadFile("/etc/hostname")
	_, err2 := os.ReadDir("/")
	env := os.Environ()
	return c.Output([]any{err != nil, err2 != nil, len(env), len(os.Args), slices.Contains(os.Args, "x")})
}

// kv writes bytes that are no text, and reads what is there.
func kv(c *guest.Call) error {
	odd := []byte{'v', 0, 255}
	var seen []any
	note := func(v any, err error) {
		if err != nil {
			v = err.Error()
		}
		seen = append(seen, v)
	}
	_, err := c.KV.Get("absent")
	note("got", err)
	note("set", c.KV.Set("k", odd, 5*time.Second))
	note("set", c.KV.Delete("gone"))
	got, err := c.KV.Get("k")
	note("got", err)
	note(slices.Equal(odd, got), nil)
	long, err := c.KV.Get("long")
	if err != nil {
		long = nil
	}
	note(len(long), nil)
	return c.Output(seen)
}

func request(c *guest.Call) error {
	arg := func(name string) string { return c.With.Get(name).String() }
	req := guest.Request{
		Method: arg("method"), URL: arg("url"), Body: []byte(arg("body")),
		Timeout: time.Duration(c.With.Get("timeout").Int()) * time.Millisecond,
	}
	for name, value := range c.With.Get("headers").Members() {
		req.Header = append(req.Header, guest.Header{Name: name, Value: value.String()})
	}
	res, err := c.HTTP(req)
	if err != nil {
		return err
	}
	return c.Output(guest.Map{"status": res.Status, "type": res.Get("content-type"), "headers": len(res.Header), "body": string(res.Body)})
}

func secret(c *guest.Call) error {
	value, err := c.Secret(c.With.Get("name").String())
	if err != nil {
		return err
	}
	return c.Output(string(value))
}

// has reports on each of the services that its arguments list.
func has(c *guest.Call) error {
	seen := []string{}
	for _, name := range c.With.Get("services").Items() {
		said := "ok"
		if err := c.Has(name.String()); err != nil {
			said = errors.Unwrap(err).Error()
		}
		seen = append(seen, said)
	}
	return c.Output(seen)
}

// readJSON reads a part of the event's data in every way.
func readJSON(c *guest.Call) error {
	v := c.Event.Get(c.With.Get("path").String())
	text, names := "", []string{}
	if v.Kind() == guest.String {
		text = v.String()
	}
	for name := range v.Members() {
		names = append(names, name)
	}
	kinds := []string{"missing", "null", "bool", "number", "string", "list", "object"}
	return c.Output(guest.Map{
		"kind": kinds[v.Kind()], "text": text, "int": v.Int(), "num": v.Float(), "bool": v.Bool(), "len": v.Len(), "names": names,
	})
}

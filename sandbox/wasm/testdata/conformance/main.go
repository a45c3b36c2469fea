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

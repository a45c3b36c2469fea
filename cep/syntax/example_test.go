package syntax_test

import (
	"fmt"

	"github.com/rhost/rhost/cep/syntax"
)

func ExampleParse() {
	rules, err := syntax.Parse("rules/brute.yaml", []byte(`
rule: brute-force
when:
  pattern: fail{5,} then any (ok | reset)
  define:
    fail: type == "auth.failure"
    ok: type == "auth.success"
    reset: type == "password.reset"
  within: 2m
---
rule: broken
when: {pattern: a then b, define: {a: data.x, c: data.y}}
`))
	for _, r := range rules {
		fmt.Println(r.Name, "waits for", r.When.Pattern)
		for _, e := range r.When.Pattern.Elems {
			fmt.Printf("  %s: %s (repeated %v, optional %v)\n", e.Name, e.Cond, e.Repeated, e.Optional)
		}
	}
	fmt.Println(err)
	// Output:
	// brute-force waits for fail{5,} then any ok | reset
	//   fail: type == "auth.failure" (repeated true, optional false)
	//   ok: type == "auth.success" (repeated false, optional true)
	//   reset: type == "password.reset" (repeated false, optional true)
	// rules/brute.yaml:12:24: when.pattern: the element b is not defined; add b: CONDITION under define
	// rules/brute.yaml:12:47: when.define.c: the pattern does not use c; use it in the pattern or remove it
}

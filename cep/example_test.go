package cep_test

import (
	"fmt"
	"strings"

	"github.com/rhost/rhost/cep"
)

func ExampleCompile() {
	rules, err := cep.ParseRules("rules/brute-force.yaml", []byte(`
rule: brute-force
when:
  pattern: fail{3,} then ok
  define:
    fail: type == "auth.failure"
    ok: type == "auth.success" && data.user == last(fail).data.user
  by: data.ip
  within: 2m
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := cep.Compile(rules)
	if err != nil {
		fmt.Println(err)
		return
	}
	stream := cep.NewStream(program, cep.Options{})
	var matches []cep.Match
	for i, line := range strings.Split(`{"type":"auth.failure","data":{"ip":"10.0.0.1","user":"amy"}}
{"type":"auth.failure","data":{"ip":"10.0.0.1","user":"amy"}}
{"type":"auth.failure","data":{"ip":"10.0.0.1","user":"amy"}}
{"type":"auth.success","data":{"ip":"10.0.0.1","user":"amy"}}`, "\n") {
		if matches, err = stream.Line(i+1, []byte(line), matches); err != nil {
			fmt.Println(err)
		}
	}
	for _, m := range matches {
		fmt.Println(m.Rule.Name, m.Key(), len(m.Bound("fail")), m.Trigger)
	}
	// Output: brute-force 10.0.0.1 3 line-4
}

func ExampleMatcher_WhyNot() {
	rules, err := cep.ParseRules("r.yaml", []byte("rule: big-file\nwhen: type == \"fs.create\" && data.size > 1e9\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := cep.Compile(rules)
	if err != nil {
		fmt.Println(err)
		return
	}
	stream := cep.NewStream(program, cep.Options{Explain: true})
	if _, err := stream.Line(1, []byte(`{"type":"fs.create","data":{"size":5000}}`), nil); err != nil {
		fmt.Println(err)
	}
	f, _ := stream.Matcher().WhyNot("big-file")
	for _, a := range f.Stop.Atoms {
		fmt.Println(f.Stop.Event, a.Text, a.Result)
	}
	// Output:
	// line-1 type == "fs.create" true
	// line-1 data.size > 1000000000 false
}

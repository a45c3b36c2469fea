package window_test

import (
	"fmt"
	"time"

	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/event"
)

func ExampleCompile() {
	spec, err := window.ParseSpec("sliding 20s every 10s")
	if err != nil {
		panic(err)
	}
	plan, err := window.Compile(spec, []window.Let{
		{Name: "n", Text: "count()"},
		{Name: "p50", Text: "quantile(data.ms, 0.5)"},
		{Name: "users", Text: "topk(data.user, 1)"},
	})
	if err != nil {
		panic(err)
	}
	fields := event.NewPathSet(plan.Paths())
	state := plan.New()
	var results []window.Result
	for i, data := range []string{`{"user":"ann","ms":20}`, `{"user":"bob","ms":90}`, `{"user":"ann","ms":40}`} {
		ev := event.Event{Data: []byte(data)}
		results = plan.Add(state, time.Unix(int64(100+6*i), 0), fields.Scan(&ev, nil), uint64(i), results)
	}
	results = plan.Advance(state, time.Unix(1000, 0), results)
	for _, r := range results {
		fmt.Println(r.From.Unix(), r.To.Unix(), r.Values)
	}
	// Output:
	// 90 110 [2 20 [{"value":"ann","count":1}]]
	// 100 120 [3 40 [{"value":"ann","count":2}]]
	// 110 130 [1 40 [{"value":"ann","count":1}]]
}

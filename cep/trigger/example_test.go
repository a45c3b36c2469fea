package trigger_test

import (
	"fmt"
	"time"

	"github.com/rhost/rhost/cep/trigger"
	"github.com/rhost/rhost/event"
)

func ExampleSchedule() {
	s, err := trigger.ParseSchedule("30 2 * * *", "Europe/Berlin", trigger.MissedOnce, trigger.DSTOnce)
	if err != nil {
		panic(err)
	}
	at := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC) // clocks go forward on the 29th, from 2:00 to 3:00
	for range 2 {
		at = s.Next(at)
		fmt.Println(at.Format(time.RFC3339))
	}
	missed, _ := s.Due(at, at.AddDate(1, 0, 0), nil)
	fmt.Println(len(missed), "for a year of missed times")
	// Output:
	// 2026-03-29T01:00:00Z
	// 2026-03-30T00:30:00Z
	// 1 for a year of missed times
}

func ExampleWatch() {
	w, err := trigger.Compile(trigger.Config{Test: trigger.Above, Limit: 0.8, Tolerance: 0.05, For: time.Minute})
	if err != nil {
		panic(err)
	}
	var s trigger.State
	var firings []trigger.Firing
	for i, usage := range []float64{0.7, 0.85, 0.78, 0.9, 0.7, 0.85} { // 0.78 is within the tolerance
		firings = w.Feed(&s, time.Unix(int64(40*i), 0), event.NumberValue(usage), uint64(i), firings)
	}
	for _, f := range firings {
		fmt.Println("at", f.At.Unix(), "since", f.Since.Unix(), "value", f.Value)
	}
	// Output:
	// at 100 since 40 value 0.85
}

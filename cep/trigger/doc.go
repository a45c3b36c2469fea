// Package trigger holds the cores of two triggers that rules have beside patterns
// and windows: schedules and states. It says when they fire; whoever uses it keeps
// the keys and the timers.
//
// # Schedules
//
// ParseSchedule reads `schedule: "0 3 * * mon-fri"` with its time zone. Next and
// Last find the times around a given one; Due gives those that a step of the
// clock passed and that count, by `missed`. A time that the clock on the wall
// skips or shows twice is treated as `dst` says. All of them compute: none steps
// through times that do not fit, however long the way.
//
// It reads cron expressions itself. The known libraries go forward only, so that
// the last of a million missed times would be found by walking past all of them;
// they treat the days when clocks are set in one fixed way; and they give up on
// 29 February after five years, while there may be eight.
//
// # States
//
// Compile turns a Config, such as above 0.8 with a tolerance of 0.05 for one
// minute, into a Watch. A State is what a Watch knows of one key. Feed shows it a
// value, Advance lets time pass, and both append the Firings; Deadline says when
// the next one is due. AppendState and RestoreState move a State elsewhere.
//
// Schedules and Watches are immutable and may be shared by any number of
// goroutines; a State belongs to one. Nothing here reads a clock: times are
// arguments, so that the same log gives the same answers.
package trigger

package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// engineLog passes the server's log on, one level lower than the server thinks:
// what matters to an operator, the log itself says. What a server repeats for as long
// as another one is gone, it says less and less often.
type engineLog struct {
	log   *slog.Logger
	peers bool // errors may be another server's trouble, which passes
	ready atomic.Bool
	worst atomic.Pointer[string] // last error
	stuck atomic.Pointer[string] // a write that failed, after which the engine writes no more

	repeats repeats
}

func (l *engineLog) put(level slog.Level, format string, v ...any) {
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	text := fmt.Sprintf(format, v...)
	if level == slog.LevelWarn && !l.log.Enabled(ctx, slog.LevelDebug) {
		again, ok := l.repeats.pass(text, time.Now())
		if !ok {
			return
		}
		if again > 0 {
			text += fmt.Sprintf(" (%d more like it since it was last told)", again)
		}
	}
	l.log.Log(ctx, level, "storage engine: "+text)
}

func (l *engineLog) Noticef(format string, v ...any) { l.put(slog.LevelDebug, format, v...) }
func (l *engineLog) Debugf(format string, v ...any)  { l.put(slog.LevelDebug, format, v...) }
func (l *engineLog) Tracef(format string, v ...any)  { l.put(slog.LevelDebug, format, v...) }

func (l *engineLog) Warnf(format string, v ...any) {
	if !l.ready.Load() {
		l.put(slog.LevelDebug, format, v...)
		return
	}
	l.put(slog.LevelWarn, format, v...)
}

func (l *engineLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.worst.Store(&text)
	if strings.Contains(text, criticalWrite) {
		l.stuck.CompareAndSwap(nil, &text)
	}
	level := slog.LevelError
	if l.peers {
		level = slog.LevelWarn
	}
	l.put(level, "%s", text)
}

func (l *engineLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }

// last is the last error the server logged, or nil.
func (l *engineLog) last() error {
	if text := l.worst.Load(); text != nil {
		return errors.New(*text)
	}
	return nil
}

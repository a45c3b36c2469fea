package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

// maxReasons is how many events of a match are explained; beyond, the others met
// the same condition.
const maxReasons = 64

// errPageFull ends a replay when the page has all it asked for.
var errPageFull = errors.New("page is full")

// matchRecord is what RUN keeps of a match.
func matchRecord(m *cep.Match, lane uint32, acts bool) eventlog.RunRecord {
	why := m.Explain()
	rec := MatchRecord{
		Line: m.AppendJSON(nil), Key: m.Key(), Lane: lane, Version: m.Rule.Version, Mode: m.Rule.Mode.String(), Acts: acts,
		Why: why[:min(len(why), maxReasons)],
	}
	return eventlog.RunRecord{Kind: runMatch, Key: m.ID, Body: rec.append(nil)}
}

// append writes m as encoding/json does, many times as fast: it is done for every match.
func (m *MatchRecord) append(b []byte) []byte {
	text := func(key, s string) {
		b = append(append(append(b, ',', '"'), key...), '"', ':')
		b = event.StringValue(s).AppendJSON(b)
	}
	b = append(append(b, `{"line":`...), m.Line...)
	if m.Key != "" {
		text("key", m.Key)
	}
	b = strconv.AppendUint(append(b, `,"lane":`...), uint64(m.Lane), 10)
	text("version", m.Version)
	text("mode", m.Mode)
	if m.Acts {
		b = append(b, `,"acts":true`...)
	}
	if len(m.Why) > 0 {
		b = cep.AppendReasons(append(b, `,"why":`...), m.Why)
	}
	return append(b, '}')
}

// line is the object that `rhost matches` prints: the line of `rhost match`,
// with the lane and the version of the rule.
func (m *MatchRecord) line() json.RawMessage {
	return fmt.Appendf(bytes.Clone(bytes.TrimSuffix(m.Line, []byte("}"))), `,"lane":%d,"version":%q}`, m.Lane, m.Version)
}

// records reads what was recorded. It works on the log of a running host and on
// a folder that nobody has open alike.
type records struct{ log *eventlog.Log }

// matches returns a page of recorded matches.
func (r records) matches(ctx context.Context, q api.Query) (api.Page, error) {
	return r.page(ctx, q, func(rec *eventlog.RunRecord) (json.RawMessage, error) {
		if rec.Kind != runMatch {
			return nil, nil
		}
		var m MatchRecord
		if err := json.Unmarshal(rec.Body, &m); err != nil {
			return nil, fmt.Errorf("match %s: %w", rec.Key, err)
		}
		var head struct {
			Rule string    `json:"rule"`
			At   time.Time `json:"at"`
		}
		if err := json.Unmarshal(m.Line, &head); err != nil {
			return nil, fmt.Errorf("match %s: %w", rec.Key, err)
		}
		if q.Rule != "" && head.Rule != q.Rule || head.At.Before(q.Since) {
			return nil, nil
		}
		return m.line(), nil
	})
}

// actions returns a page of actions. What an execution began before the cursor
// is needed to tell of its end, so the fold starts at the beginning.
func (r records) actions(ctx context.Context, q api.Query) (api.Page, error) {
	fold := newActionFold()
	fold.partly = r.log.RunLog().First() > 1
	return r.pageFrom(ctx, 0, q, func(rec *eventlog.RunRecord) (json.RawMessage, error) {
		if rec.Kind != runFlow {
			return nil, nil
		}
		h, err := workflow.DecodeRecord(rec.Body)
		if err != nil {
			return nil, fmt.Errorf("history of %s: %w", rec.Key, err)
		}
		a, ok := fold.fold(h)
		if !ok || q.Rule != "" && a.Rule != q.Rule || q.Status != "" && a.Status != q.Status || a.At.Before(q.Since) {
			return nil, nil
		}
		return json.Marshal(a)
	})
}

// match returns one recorded match with its reasons.
func (r records) match(ctx context.Context, id string) (json.RawMessage, error) {
	p, err := r.page(ctx, api.Query{Limit: 1}, func(rec *eventlog.RunRecord) (json.RawMessage, error) {
		if rec.Kind != runMatch || rec.Key != id {
			return nil, nil
		}
		return rec.Body, nil
	})
	if err != nil {
		return nil, err
	}
	if len(p.Items) == 0 {
		return nil, fmt.Errorf("match %s: %w; `rhost matches` lists those recorded", id, api.ErrNotFound)
	}
	return p.Items[0], nil
}

func (r records) page(ctx context.Context, q api.Query, pick func(*eventlog.RunRecord) (json.RawMessage, error)) (api.Page, error) {
	return r.pageFrom(ctx, q.Cursor>>cursorBits, q, pick)
}

// pageFrom reads RUN from a frame on. Whatever lies before the query's cursor is
// picked and left out.
func (r records) pageFrom(ctx context.Context, from uint64, q api.Query, pick func(*eventlog.RunRecord) (json.RawMessage, error)) (api.Page, error) {
	page := api.Page{Items: []json.RawMessage{}}
	if from != 0 { // what lay before the first was removed since
		from = max(from, r.log.RunLog().First())
	}
	err := replayRun(ctx, r.log, from, func(seq uint64, recs []eventlog.RunRecord) error {
		for i := range recs {
			item, err := pick(&recs[i])
			if err != nil {
				return fmt.Errorf("frame %d of RUN: %w", seq, err)
			}
			at := cursor(seq, i)
			if item == nil || at < q.Cursor {
				continue
			}
			if q.Limit > 0 && len(page.Items) == q.Limit {
				page.Cursor = at
				return errPageFull
			}
			page.Items = append(page.Items, item)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errPageFull) {
		return api.Page{}, err
	}
	page.Since, err = begins(ctx, r.log)
	return page, err
}

// begins is the time since when all is there, where the beginning of the log was
// removed, and else zero: of events and of what was decided, less may be kept of the one.
func begins(ctx context.Context, log *eventlog.Log) (at time.Time, err error) {
	for range 3 { // more may go meanwhile
		if at, err = beginning(ctx, log); !errors.Is(err, eventlog.ErrOutside) {
			break
		}
	}
	return at, err
}

func beginning(ctx context.Context, log *eventlog.Log) (at time.Time, err error) {
	if first := log.First().Frame; first > 1 {
		at, err = timeOf(ctx, log, first)
	}
	if run := log.RunLog().First(); err == nil && run > 1 {
		var ran time.Time
		if ran, err = log.RunLog().At(ctx, run); ran.After(at) {
			at = ran
		}
	}
	return at, err
}

// timeOf is when a frame of EV came.
func timeOf(ctx context.Context, log *eventlog.Log, frame uint64) (at time.Time, err error) {
	err = log.Read(ctx, eventlog.Position{Frame: frame}, func(f *eventlog.Frame) error {
		at = f.Records[0].Ingest
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return at, err
}

// A cursor is a place in RUN: frame and index. A frame has far fewer records
// than the index has room for.
const cursorBits = 20

func cursor(seq uint64, index int) uint64 { return seq<<cursorBits | uint64(index) }

// DeadLetter is something that failed for good, as `rhost deadletters` prints it.
type DeadLetter struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind"` // execution, or record for what a source could not read
	At      time.Time       `json:"at"`
	Rule    string          `json:"rule,omitempty"`
	Match   string          `json:"match,omitempty"`
	Source  string          `json:"source,omitempty"`
	Status  string          `json:"status,omitempty"`
	Reason  string          `json:"reason"`
	Redrive string          `json:"redrive,omitempty"` // where it would go on; records are not redriven
	Detail  json.RawMessage `json:"detail,omitempty"`
}

func letterOf(d workflow.DeadLetter) (json.RawMessage, error) {
	if len(d.Match) > 0 {
		match, err := payloadJSON(d.Match)
		if err != nil {
			return nil, fmt.Errorf("encode dead letter %s: %w", d.Execution, err)
		}
		d.Match = workflow.Payload(match)
	}
	detail, err := json.Marshal(d.DeadLettered)
	if err != nil {
		return nil, fmt.Errorf("encode dead letter %s: %w", d.Execution, err)
	}
	out := DeadLetter{
		ID: d.Execution, Kind: "execution", At: d.At, Rule: d.Rule, Match: d.Key,
		Status: string(d.Status), Redrive: string(d.Redrive), Detail: detail,
	}
	if n := len(d.Errors); n > 0 {
		e := d.Errors[0]
		out.Reason = e.Step + ": " + e.Message
	}
	return json.Marshal(out)
}

func letterOfBad(b BadRecord) (json.RawMessage, error) {
	detail, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode bad record %s: %w", b.ID, err)
	}
	return json.Marshal(DeadLetter{
		ID: b.ID, Kind: "record", At: b.At, Source: b.Source,
		Reason: b.Position + ": " + b.Reason, Detail: detail,
	})
}

// deadLetters folds the log into what failed for good and was neither redriven
// nor dropped, oldest first: executions, then records.
func (r records) deadLetters(ctx context.Context) ([]json.RawMessage, error) {
	flows, bad, from, err := r.lettersSoFar(ctx)
	if err != nil {
		return nil, err
	}
	err = replayRun(ctx, r.log, from, func(seq uint64, recs []eventlog.RunRecord) error {
		for i := range recs {
			if err := foldLetters(flows, bad, &recs[i]); err != nil {
				return fmt.Errorf("frame %d of RUN: %w", seq, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lettersOf(flows, bad)
}

// lettersSoFar gives the dead letters of the newest snapshot that can be read, and
// the frame of RUN that follows it.
func (r records) lettersSoFar(ctx context.Context) (*workflow.Engine, *badRecords, uint64, error) {
	notes, err := newestSnapshots(ctx, r.log, keptSnapshots)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, one := range notes {
		note, err := readNote(one.body)
		if err != nil || one.err != nil {
			continue // a start tells of it
		}
		b, err := r.log.GetBlob(ctx, note.Digest)
		if err != nil {
			continue
		}
		if s, err := readSnapshot(b, workflow.Options{}); err == nil {
			return s.flows, &badRecords{list: s.bad}, s.run + 1, nil
		}
	}
	if first := r.log.RunLog().First(); first > 1 {
		return nil, nil, 0, fmt.Errorf("the log begins with frame %d of RUN, and no snapshot of what came before can be read", first)
	}
	return workflow.NewEngine(workflow.Options{}), newBadRecords(), 0, nil
}

// lettersOf lists dead letters as they are printed.
func lettersOf(flows *workflow.Engine, bad *badRecords) ([]json.RawMessage, error) {
	var out []json.RawMessage
	for _, d := range flows.DeadLetters() {
		letter, err := letterOf(d)
		if err != nil {
			return nil, err
		}
		out = append(out, letter)
	}
	for _, b := range bad.list {
		letter, err := letterOfBad(b)
		if err != nil {
			return nil, err
		}
		out = append(out, letter)
	}
	return out, nil
}

func foldLetters(flows *workflow.Engine, bad *badRecords, r *eventlog.RunRecord) error {
	switch r.Kind {
	case runFlow:
		rec, err := workflow.DecodeRecord(r.Body)
		if err != nil {
			return fmt.Errorf("history of %s: %w", r.Key, err)
		}
		return flows.Apply(rec)
	case runBad, runBadDropped:
		return bad.fold(r)
	default:
		return nil
	}
}

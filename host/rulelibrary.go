package host

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/rhost/rhost/host/workflow"
)

// ruleLibrary finds rule sets by digest, and what rules of the past do. It is
// safe for concurrent use.
//
// It keeps no rule sets but those made ready for revisions to come: the others can
// be made from the blobs of the log.
type ruleLibrary struct {
	blobs blobs

	mu       sync.Mutex
	ready    map[string]*RuleSet // guarded by mu; by row
	making   int                 // guarded by mu; sets that are being made ready
	flows    map[string]*noted   // guarded by mu; by digest of the definition
	versions map[string]*noted   // guarded by mu; by rule version
	last     *RuleSet            // guarded by mu; whose definitions were noted last
	came     int                 // guarded by mu; sets that were noted
}

// blobs is the part of the log that keeps content by digest.
type blobs interface {
	PutBlob(ctx context.Context, digest string, b []byte) error
	GetBlob(ctx context.Context, digest string) ([]byte, error)
}

func newRuleLibrary(b blobs) *ruleLibrary {
	return &ruleLibrary{
		blobs: b, ready: make(map[string]*RuleSet),
		flows: make(map[string]*noted), versions: make(map[string]*noted),
	}
}

// keep stores a rule set for good, so that a revision may name it, and has it
// ready for that.
func (l *ruleLibrary) keep(ctx context.Context, set *RuleSet) error {
	for _, p := range set.parts {
		if p.blob == "" {
			continue
		}
		if err := l.blobs.PutBlob(ctx, p.blob, []byte(p.Text)); err != nil {
			return fmt.Errorf("keep %s: %w", p.Name, err)
		}
	}
	encoded, err := set.encode()
	if err != nil {
		return err
	}
	if err := l.blobs.PutBlob(ctx, set.Digest, encoded); err != nil {
		return fmt.Errorf("keep rules: %w", err)
	}
	l.prepare(set)
	return nil
}

// prepare has a rule set ready for the revision that puts it in force.
func (l *ruleLibrary) prepare(set *RuleSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready[set.row] = set
}

// forget takes back what prepare did: there will be no such revision.
func (l *ruleLibrary) forget(set *RuleSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ready, set.row)
}

// begin says that a set is being made from the one in force; end that this is
// over.
func (l *ruleLibrary) begin() { l.count(1) }
func (l *ruleLibrary) end()   { l.count(-1) }

func (l *ruleLibrary) count(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.making += n
}

// expecting reports whether a set made before now may yet come into force.
func (l *ruleLibrary) expecting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.making > 0 || len(l.ready) > 0
}

// after gives the rule set that a revision puts in force after was. When it is
// not ready it is made.
func (l *ruleLibrary) after(ctx context.Context, was *RuleSet, digest string) (*RuleSet, error) {
	row := was.next(digest)
	l.mu.Lock()
	set := l.ready[row]
	delete(l.ready, row)
	l.mu.Unlock()
	if set == nil {
		files, err := l.files(ctx, was, digest)
		if err != nil {
			return nil, err
		}
		if set, err = was.update(files, l.lately()...); err != nil {
			return nil, err
		}
		// What was kept by an earlier release may be written in another way.
		set.Digest, set.row = digest, row
	}
	l.know(set)
	return set, nil
}

// learn notes what the rules of a digest do, and compiles nothing.
func (l *ruleLibrary) learn(ctx context.Context, digest string) error {
	parts := l.lately()
	files, err := l.files(ctx, &RuleSet{parts: parts}, digest)
	if err != nil {
		return err
	}
	set := &RuleSet{}
	if err := set.read(files, parts); err != nil {
		return err
	}
	l.know(set)
	return nil
}

// lately gives the files of the set noted last.
func (l *ruleLibrary) lately() []*part {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		return nil
	}
	return l.last.parts
}

// files reads the files of a rule set. What was has of them is not read again.
func (l *ruleLibrary) files(ctx context.Context, was *RuleSet, digest string) ([]RuleFile, error) {
	encoded, err := l.blobs.GetBlob(ctx, digest)
	if err != nil {
		return nil, err
	}
	var kept []keptFile
	if err := json.Unmarshal(encoded, &kept); err != nil {
		return nil, fmt.Errorf("decode rules: %w", err)
	}
	texts := make(map[string]string)
	for _, p := range was.parts {
		if p.blob != "" {
			texts[p.blob] = p.Text
		}
	}
	files := make([]RuleFile, len(kept))
	for i, k := range kept {
		files[i] = RuleFile{Name: k.Name, Text: k.Text}
		if k.Blob == "" {
			continue
		}
		text, ok := texts[k.Blob]
		if !ok {
			raw, err := l.blobs.GetBlob(ctx, k.Blob)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k.Name, err)
			}
			text = string(raw)
		}
		files[i].Text = text
	}
	return files, nil
}

// know notes what the rules of a set do. Executions go on with the steps they began
// with, and rules that are changed may have partial matches to finish; so what is
// noted stays, until a snapshot shows that nobody needs it.
func (l *ruleLibrary) know(set *RuleSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.came++
	var gone []*part
	before := make(map[*part]bool)
	if l.last != nil {
		different := differentParts(l.last.parts, set.parts)
		for _, p := range l.last.parts {
			before[p] = true
			if different[p] {
				gone = append(gone, p)
			}
		}
	}
	for _, p := range set.parts {
		if !before[p] {
			l.note(p)
		}
	}
	for _, p := range gone {
		l.pass(p)
	}
	l.last = set
}

// note notes what the rules of a file do. l.mu is held.
func (l *ruleLibrary) note(p *part) {
	for _, r := range p.rules {
		if def := p.flows[r.Version]; def != nil {
			n := &noted{def: def, rule: r, came: l.came}
			l.flows[def.Digest()], l.versions[r.Version] = n, n
		}
	}
}

// pass has the rules of a file be of the past, but those just noted again. l.mu is
// held.
func (l *ruleLibrary) pass(p *part) {
	for _, r := range p.rules {
		def := p.flows[r.Version]
		if def == nil {
			continue
		}
		for _, n := range []*noted{l.versions[r.Version], l.flows[def.Digest()]} {
			if n != nil && n.rule == r && n.came < l.came {
				n.source, n.past, n.rule = n.text(), l.came, nil
			}
		}
	}
}

// definition has the signature of workflow.Options.Definition. An execution is
// pinned to the digest: two rule versions whose steps are the same share one.
func (l *ruleLibrary) definition(_, _, digest string) (*workflow.Definition, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.flows[digest]
	if !ok {
		return nil, false
	}
	return n.def, true
}

// flow gives the definition that matches of a rule version start, or nil. The
// rule may be of the past: one that was changed finishes what it had begun.
func (l *ruleLibrary) flow(version string) *workflow.Definition {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.versions[version]; n != nil {
		return n.def
	}
	return nil
}

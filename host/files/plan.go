package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// plan is an operation with every name decided.
type plan struct {
	Op   string                     `json:"op"` // copy, move, tag or remove
	From place                      `json:"from"`
	To   place                      `json:"to,omitzero"`
	File stamp                      `json:"file,omitzero"` // what From was, or must be
	Tags map[string]json.RawMessage `json:"tags,omitempty"`
	Prev map[string]json.RawMessage `json:"prev,omitempty"` // of those tags, null where there was none
	// Made are the folders that To still needs, innermost first; Unmake those that
	// go with From if nothing else is in them.
	Made   []string `json:"made,omitempty"`
	Unmake []string `json:"unmake,omitempty"`
}

// stamp tells whether a file is still what it was.
type stamp struct {
	Size int64     `json:"size"`
	Time time.Time `json:"time"`
}

func stampOf(info fs.FileInfo) stamp { return stamp{Size: info.Size(), Time: info.ModTime().UTC()} }

func (s stamp) equal(o stamp) bool { return s.Size == o.Size && s.Time.Equal(o.Time) }

// operation is the shape of an operation's arguments. One of them is set.
type operation struct {
	Copy   *fromTo  `json:"copy"`
	Move   *fromTo  `json:"move"`
	Tag    *tagging `json:"tag"`
	Delete *struct {
		Path string `json:"path"`
	} `json:"delete"`
	Revert *plan `json:"revert"`
}

type fromTo struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type tagging struct {
	Path string                     `json:"path"`
	Tags map[string]json.RawMessage `json:"tags"`
}

// plan decides what an operation will do. It changes nothing.
func (e *Executor) plan(key string, args json.RawMessage) (plan, error) {
	var op operation
	dec := json.NewDecoder(bytes.NewReader(args))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&op); err != nil {
		return plan{}, failf(KindInvalid, "file: the paths must come out as text: %w", err)
	}
	switch {
	case op.Copy != nil:
		return e.planTransfer("copy", *op.Copy)
	case op.Move != nil:
		return e.planTransfer("move", *op.Move)
	case op.Tag != nil:
		return e.planTag(*op.Tag)
	case op.Delete != nil:
		return e.planDelete(key, op.Delete.Path)
	case op.Revert != nil:
		return e.planRevert(*op.Revert)
	}
	return plan{}, failf(KindInvalid, "file: one of copy, move, tag, delete and revert is needed")
}

// planTransfer plans a copy or a move.
func (e *Executor) planTransfer(op string, in fromTo) (plan, error) {
	from, info, err := e.source(in.From)
	if err != nil {
		return plan{}, err
	}
	to, err := e.find(in.To)
	if err != nil {
		return plan{}, err
	}
	if info.IsDir() && (op == "copy" || from.Folder != to.Folder) {
		return plan{}, failf(KindInvalid, "%s: is a folder, which can only be moved, and only within %s", from, from.Folder)
	}
	to, err = e.target(to, strings.HasSuffix(in.To, "/"), path.Base(from.Name))
	if err != nil {
		return plan{}, err
	}
	if from == to || strings.HasPrefix(to.Name, from.Name+"/") && from.Folder == to.Folder {
		return plan{}, failf(KindInvalid, "%s: cannot go into itself", from)
	}
	made, err := e.missing(to)
	return plan{Op: op, From: from, To: to, File: stampOf(info), Made: made}, err
}

// missing returns the folders above a place that are not there, innermost first.
func (e *Executor) missing(at place) ([]string, error) {
	var names []string
	for dir := path.Dir(at.Name); dir != "."; dir = path.Dir(dir) {
		_, err := e.lstat(place{at.Folder, dir})
		switch {
		case err == nil:
			return names, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, explain(at, err)
		}
		names = append(names, dir)
	}
	return names, nil
}

// source finds a file that an operation is about.
func (e *Executor) source(p string) (place, fs.FileInfo, error) {
	at, err := e.find(p)
	if err != nil {
		return place{}, nil, err
	}
	info, err := e.lstat(at)
	if err != nil {
		return place{}, nil, explain(at, err)
	}
	switch {
	case at.Name == ".":
		return place{}, nil, failf(KindInvalid, "%s: is the granted folder itself", at)
	case !info.Mode().IsRegular() && !info.IsDir():
		return place{}, nil, failf(KindInvalid, "%s: is no file and no folder (%s)", at, info.Mode().Type())
	}
	return at, info, nil
}

// target decides the name that a file gets. Into a folder it goes by its own,
// or by a numbered one.
func (e *Executor) target(to place, into bool, base string) (place, error) {
	info, err := e.lstat(to)
	switch {
	case err == nil && info.IsDir(), into && errors.Is(err, fs.ErrNotExist), into && err == nil:
		return e.free(place{to.Folder, path.Join(to.Name, base)})
	case errors.Is(err, fs.ErrNotExist):
		return to, nil
	case err != nil:
		return place{}, explain(to, err)
	}
	return place{}, failf(KindFail, "%s: exists already, and nothing is replaced", to)
}

// mostNames is how many files of one name a folder takes.
const mostNames = 10_000

// free returns at, or the first numbered name beside it that nothing has:
// a.txt, a~2.txt, a~3.txt.
func (e *Executor) free(at place) (place, error) {
	ext := path.Ext(at.Name)
	stem := strings.TrimSuffix(at.Name, ext)
	if path.Base(at.Name) == ext {
		stem, ext = at.Name, "" // .profile is a name, not an ending
	}
	for i := 2; i <= mostNames; i++ {
		_, err := e.lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return at, nil
		}
		if err != nil {
			return place{}, explain(at, err)
		}
		at.Name = fmt.Sprintf("%s~%d%s", stem, i, ext)
	}
	return place{}, failf(KindFail, "%s: there are %d files of this name", at, mostNames)
}

// trash is where deleted files go, in the folder they are of.
const trash = ours + "trash"

func (e *Executor) planDelete(key, p string) (plan, error) {
	at, info, err := e.source(p)
	if err != nil {
		return plan{}, err
	}
	to := place{at.Folder, path.Join(trash, idOf(key), path.Base(at.Name))}
	return plan{Op: "move", From: at, To: to, File: stampOf(info)}, nil
}

// tagSuffix ends the name of the file that holds another's tags.
const tagSuffix = ".rhost-tags.json"

func (e *Executor) planTag(in tagging) (plan, error) {
	at, _, err := e.source(in.Path)
	if err != nil {
		return plan{}, err
	}
	return e.withPrev(plan{Op: "tag", From: at, Tags: in.Tags})
}

// withPrev takes down what the tags of a plan were before.
func (e *Executor) withPrev(p plan) (plan, error) {
	now, err := e.tags(p.From)
	if err != nil {
		return plan{}, err
	}
	p.Prev = make(map[string]json.RawMessage, len(p.Tags))
	for name := range p.Tags {
		p.Prev[name] = json.RawMessage("null")
		if v, ok := now[name]; ok {
			p.Prev[name] = v
		}
	}
	return p, nil
}

// planRevert plans what an earlier operation gave as its undo. It comes from the
// log, and is checked like any other: a journal or an event must not be able to
// lead out of the folders.
func (e *Executor) planRevert(p plan) (plan, error) {
	places := []place{p.From}
	if p.Op == "move" {
		places = append(places, p.To)
	}
	for _, dir := range p.Unmake {
		places = append(places, place{p.From.Folder, dir})
	}
	for _, at := range places {
		if !filepath.IsLocal(at.Name) {
			return plan{}, failf(KindDenied, "%s: leads out of the folder", at)
		}
	}
	switch p.Op {
	case "remove":
		return p, nil
	case "move":
		info, err := e.lstat(p.From)
		if err != nil {
			return plan{}, explain(p.From, err)
		}
		p.File = stampOf(info)
		return p, nil
	case "tag":
		return e.withPrev(p)
	}
	return plan{}, failf(KindInvalid, "file: %q cannot be reverted", p.Op)
}

func (e *Executor) lstat(at place) (fs.FileInfo, error) {
	root, err := e.root(at)
	if err != nil {
		return nil, err
	}
	return root.Lstat(osName(at))
}

// tags reads the tags of a file.
func (e *Executor) tags(at place) (map[string]json.RawMessage, error) {
	root, err := e.root(at)
	if err != nil {
		return nil, err
	}
	b, err := root.ReadFile(osName(at) + tagSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]json.RawMessage{}, nil
	}
	if err != nil {
		return nil, explain(at, err)
	}
	var tags map[string]json.RawMessage
	if err := json.Unmarshal(b, &tags); err != nil || tags == nil {
		return nil, failf(KindFail, "%s: its tags cannot be read; repair or remove %s", at, path.Base(at.Name)+tagSuffix)
	}
	return tags, nil
}

package event

import "strings"

// The tags of the attributes' names. That of specversion, which is too long for
// one, is made up: no key has it.
const (
	tagID      tag = 'i' | 'd'<<8 | 2<<56
	tagType    tag = 't' | 'y'<<8 | 'p'<<16 | 'e'<<24 | 4<<56
	tagTime    tag = 't' | 'i'<<8 | 'm'<<16 | 'e'<<24 | 4<<56
	tagData    tag = 'd' | 'a'<<8 | 't'<<16 | 'a'<<24 | 4<<56
	tagSource  tag = 's' | 'o'<<8 | 'u'<<16 | 'r'<<24 | 'c'<<32 | 'e'<<40 | 6<<56
	tagSubject tag = 's' | 'u'<<8 | 'b'<<16 | 'j'<<24 | 'e'<<32 | 'c'<<40 | 't'<<48 | 7<<56
	tagVersion tag = 1 | 8<<56
)

// bitOf gives the attribute's bit in envelope.have; 0 for names that known does
// not know.
func bitOf(t tag) uint64 {
	switch t {
	case tagID:
		return 1
	case tagType:
		return 2
	case tagTime:
		return 4
	case tagData:
		return 8
	case tagSource:
		return 16
	case tagVersion:
		return 32
	default:
		return 0
	}
}

// The start of a member as it is nearly always written: name, colon, value.
const (
	nameID     = '"' | 'i'<<8 | 'd'<<16 | '"'<<24 | ':'<<32
	nameType   = '"' | 't'<<8 | 'y'<<16 | 'p'<<24 | 'e'<<32 | '"'<<40 | ':'<<48
	nameTime   = '"' | 't'<<8 | 'i'<<16 | 'm'<<24 | 'e'<<32 | '"'<<40 | ':'<<48
	nameData   = '"' | 'd'<<8 | 'a'<<16 | 't'<<24 | 'a'<<32 | '"'<<40 | ':'<<48
	nameSource = '"' | 's'<<8 | 'o'<<16 | 'u'<<24 | 'r'<<32 | 'c'<<40 | 'e'<<48 | '"'<<56

	five  = 1<<40 - 1 // bytes of a word
	seven = 1<<56 - 1
	all   = 1<<64 - 1
)

// known is key for the six members that nearly every event has. It returns 0
// when it sees something else, or the same again: key will tell.
func (p *envelope) known(i int, seen *keyset) (t tag, at int) {
	const version = `"specversion":`
	if i+len(version) >= len(p.d) || seen.object != 0 {
		return 0, 0
	}
	switch w := word(p.d, i); {
	case w&five == nameID:
		t, at = tagID, i+5
	case w&seven == nameType:
		t, at = tagType, i+7
	case w&seven == nameTime:
		t, at = tagTime, i+7
	case w&seven == nameData:
		t, at = tagData, i+7
	case w == nameSource && p.d[i+8] == ':':
		t, at = tagSource, i+9
	case string(p.d[i:i+len(version)]) == version:
		t, at = tagVersion, i+len(version)
	default:
		return 0, 0
	}
	bit := bitOf(t)
	if p.d[at] <= ' ' || p.have&bit != 0 {
		return 0, 0
	}
	p.have |= bit
	p.keys[p.nkeys] = uint32(i + 1)
	p.nkeys++
	return t, at
}

// attribute reads the value of one member; where the tag says all, name may be
// empty. CloudEvents says that null is the same as absent, save for data.
func (p *envelope) attribute(name string, t tag, at int, ev *Event) int {
	if t == tagData {
		p.data = at
		p.dataEnd = p.value(at, 1, p.want)
		return p.dataEnd
	}
	if at < len(p.d) && p.d[at] == 'n' {
		return p.literal(at, "null")
	}
	if end := p.ordinary(t, at, ev); end > 0 {
		return end
	}
	switch t {
	case tagID:
		return p.text("id", at, &ev.ID)
	case tagSource:
		return p.text("source", at, &ev.Source)
	case tagType:
		return p.text("type", at, &ev.Type)
	case tagSubject:
		return p.text("subject", at, &ev.Subject)
	case tagTime:
		return p.time(at, ev)
	case tagVersion:
		return p.specversion(at)
	default: // found by its name
	}
	switch name {
	case "datacontenttype":
		return p.text(name, at, &ev.DataContentType)
	case "dataschema":
		return p.text(name, at, &ev.DataSchema)
	case "data_base64":
		p.data64At = at
		return p.plainText(name, at, &p.data64)
	}
	return p.extension(name, at, ev)
}

// ordinary reads an attribute as it nearly always is: one that every event has,
// written without escapes, with nothing wrong. It returns 0 when it is not.
func (p *envelope) ordinary(t tag, at int, ev *Event) int {
	if at >= len(p.d) || p.d[at] != '"' {
		return 0
	}
	end, escaped := p.str(at)
	if end < at+3 || escaped {
		return 0 // also when it is empty
	}
	s := alias(p.d[at+1 : end-1])
	switch {
	case t == tagID:
		ev.ID = s
	case t == tagType:
		ev.Type = s
	case t == tagSubject:
		ev.Subject = s
	case t == tagSource && strings.IndexByte(s, ' ') < 0:
		ev.Source = s
	case t == tagTime:
		at, ok := parseTime(s)
		if !ok {
			return 0
		}
		ev.Time = at
	case t == tagVersion && s == "1.0":
		p.version = true
	default:
		return 0
	}
	return end
}

func (p *envelope) specversion(at int) int {
	var v string
	end := p.plainText("specversion", at, &v)
	if end >= 0 && p.field == nil && v != "1.0" {
		p.bad("specversion", at, `send CloudEvents 1.0: "specversion":"1.0"`, "%q is not supported", clip(v))
	}
	p.version = true
	return end
}

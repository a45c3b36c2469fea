package sigma

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// write makes the rule document: a comment that names the source, what is known
// of the rule, and the lines of `when`.
func (i *Importer) write(d *document, rules, when []string) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	from := oneLine(d.file)
	if d.id != "" {
		from += ", id " + oneLine(d.id)
	}
	line("# Sigma: %s", from)
	if len(rules) > 0 {
		line("# correlates: %s", strings.Join(rules, "; "))
	}
	for _, n := range d.notes {
		line("# note: %s", n)
	}
	line("rule: %s", yamlText(d.slug))
	if text := d.description(); len(text) > 0 {
		for _, l := range block("description: ", text) {
			line("%s", l)
		}
	}
	if i.m.mode != "" {
		line("mode: %s", i.m.mode)
	}
	if level := oneLine(scalarText(d.node.Get("level"))); level != "" {
		line("severity: %s", yamlText(level))
	}
	if i.m.owner != "" {
		line("owner: %s", yamlText(oneLine(i.m.owner)))
	}
	if tags := texts(d.node.Get("tags")); len(tags) > 0 {
		for j := range tags {
			tags[j] = yamlText(tags[j])
		}
		line("tags: [%s]", strings.Join(tags, ", "))
	}
	d.labels(line)
	for _, l := range when {
		line("%s", l)
	}
	for _, l := range i.m.do {
		line("%s", l)
	}
	return []byte(b.String())
}

// labels writes what Sigma says of a rule and rhost has no key for.
func (d *document) labels(line func(string, ...any)) {
	head := false
	put := func(key, text string) {
		if text = oneLine(text); text == "" {
			return
		}
		if !head {
			line("labels:")
			head = true
		}
		line("  %s: %s", key, yamlText(text))
	}
	put("sigma_id", d.id)
	put("sigma_title", d.title)
	for _, key := range []string{"name", "taxonomy", "status", "license", "author", "date", "modified"} {
		put(key, scalarText(d.node.Get(key)))
	}
	put("logsource", d.source.String())
	put("references", strings.Join(texts(d.node.Get("references")), " "))
	put("scope", strings.Join(texts(d.node.Get("scope")), ", "))
	put("fields", strings.Join(texts(d.node.Get("fields")), ", "))
	if related := d.node.Get("related"); related != nil {
		var ids []string
		for _, r := range related.Items {
			ids = append(ids, strings.TrimSpace(scalarText(r.Get("type"))+" "+scalarText(r.Get("id"))))
		}
		put("related", strings.Join(ids, ", "))
	}
}

// description gives the title, the description and the false positives.
func (d *document) description() []string {
	var out []string
	if d.title != "" {
		out = append(out, d.title)
	}
	for l := range strings.SplitSeq(scalarText(d.node.Get("description")), "\n") {
		l = strings.TrimSpace(strings.Map(printable, l))
		if l != "" || len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, l)
		}
	}
	if fp := texts(d.node.Get("falsepositives")); len(fp) > 0 {
		out = append(out, "False positives: "+strings.Join(fp, "; "))
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// printable replaces what no YAML text shows by a blank.
func printable(r rune) rune {
	if r == '\n' || unicode.IsPrint(r) {
		return r
	}
	return ' '
}

// block writes lines behind a key: one alone in quotes where that is short, the
// others as a block, in which nothing has a meaning to YAML.
func block(key string, lines []string) []string {
	if len(lines) == 1 && len(lines[0]) <= lineWidth {
		return []string{key + singleQuoted(lines[0])}
	}
	return append([]string{key + "|-"}, indent(lines, "  ")...)
}

func indent(lines []string, by string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		if l != "" {
			l = by + l
		}
		out[i] = l
	}
	return out
}

func singleQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

var plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./()-]*( [A-Za-z0-9_./()-]+)*$`)

// yamlText writes a text of one line; plain where YAML leaves it alone.
func yamlText(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return singleQuoted(s)
	}
	if plainText.MatchString(s) {
		return s
	}
	return singleQuoted(s)
}

// slug makes a rule's name of its own name, its title or its id.
func slug(d *document) string {
	for _, s := range []string{d.name, d.title, d.id} {
		var b strings.Builder
		dash := false
		for _, r := range strings.ToLower(s) {
			switch {
			case !unicode.IsLetter(r) && !unicode.IsDigit(r):
				dash = b.Len() > 0
				continue
			case b.Len()+utf8.RuneLen(r)+1 > maxName:
			default:
				if dash {
					b.WriteByte('-')
				}
				b.WriteRune(r)
			}
			dash = false
		}
		if b.Len() > 0 {
			return b.String()
		}
	}
	return "sigma-rule"
}

// unique adds the start of the id to a name that is taken, then a number. taken
// counts the rules that wanted a name.
func unique(name, id string, taken map[string]int) string {
	base := name
	if taken[name] > 0 && len(id) >= 8 && slugLike(id[:8]) {
		name = base + "-" + strings.ToLower(id[:8])
	}
	for taken[name] > 0 {
		taken[base]++
		name = fmt.Sprintf("%s-%d", base, taken[base])
	}
	taken[name]++
	return name
}

func slugLike(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

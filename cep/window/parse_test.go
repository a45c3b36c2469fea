package window_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/yamldoc"
)

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]window.Spec{
		"tumbling 1m":            {Kind: window.Tumbling, Size: time.Minute},
		" sliding 5m  every 10s": {Kind: window.Sliding, Size: 5 * time.Minute, Slide: 10 * time.Second},
		"session 1d12h":          {Kind: window.Session, Size: 36 * time.Hour},
		"count 100":              {Kind: window.Count, Count: 100},
	} {
		got, err := window.ParseSpec(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		again, err := window.ParseSpec(got.String())
		require.NoError(t, err, "what String gives can be parsed")
		assert.Equal(t, got, again)
	}
}

func TestParseSpecErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "says no window; write tumbling 1m",
		"slding 5m every 10s":       `"slding" is no kind of window; did you mean sliding?`,
		"tumbling":                  "a tumbling window takes one time span; write tumbling 1m",
		"tumbling 1 m":              "takes one time span",
		"tumbling 60":               `"60" is none; write a time span such as 30s`,
		"tumbling -1m":              "a time span of -1m0s; write a time span above zero",
		"session 0":                 "a time span of 0s",
		"sliding 5m":                "takes its size and how often one begins; write sliding 5m every 10s",
		"sliding 5m each 10s":       "takes its size and how often one begins",
		"sliding 5m every 0s":       "a window every 0s",
		"sliding 5m every 10m":      "leave out what lies between them; let one begin every 5m0s or more often",
		"sliding 1d every 1s":       "overlap in 86400 steps; the limit is 10000; let one begin every 10s or less often",
		"sliding 1h every 7ms":      "let one begin every 500ms or less often",
		"sliding 90000d every 24h":  "or less often",
		"count":                     "takes one number",
		"count many":                `"many" is not a whole number`,
		"count 0":                   "a window of 0 events: it takes 1 to 1000000000",
		"count 1000000001":          "it takes 1 to 1000000000",
		strings.Repeat("x", 10_000): "is no kind of window",
	} {
		_, err := window.ParseSpec(text)
		require.ErrorContains(t, err, want, text)
		assert.Less(t, len(err.Error()), 300)
		var e *yamldoc.Error
		require.ErrorAs(t, err, &e)
		assert.Contains(t, window.Codes(), e.Code)
	}
}

// The slide that an error proposes is one that is taken.
func TestProposedSlide(t *testing.T) {
	for _, text := range []string{"sliding 1d every 1s", "sliding 90000d every 1ns", "sliding 1h every 7ms", "sliding 100s every 9ms", "sliding 3h59m17s every 1ms"} {
		_, err := window.ParseSpec(text)
		var e *yamldoc.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, window.CodePanes, e.Code)
		better := strings.Fields(e.Fix)[4]
		_, err = window.ParseSpec(strings.Join(strings.Fields(text)[:3], " ") + " " + better)
		assert.NoError(t, err, "%s: %s", text, e.Fix)
	}
}

func TestCompile(t *testing.T) {
	spec := window.Spec{Kind: window.Tumbling, Size: time.Minute}
	p, err := window.Compile(spec, []window.Let{
		{Name: "a", Text: ` quantile ( data["a, b)"] , 0.5 ) `},
		{Name: "b", Text: "quantile(data['a, b)'], 1e-1)"},
		{Name: "c", Text: "corr(data.x,data.y)"},
		{Name: "d", Text: "count()"},
		{Name: "e", Text: "max(time)"},
		{Name: "f", Text: "topk(ext.region, 3)"},
	})
	require.NoError(t, err)
	var paths []string
	for _, path := range p.Paths() {
		paths = append(paths, path.String())
	}
	assert.Equal(t, []string{`data["a, b)"]`, "data.x", "data.y", "time", "ext.region"}, paths)
	assert.Equal(t, spec, p.Spec())
}

func TestCompileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                          `f.yaml:3:10: when.let.n: "" is no call of a function; write one call, such as count()`,
		"count":                     "f.yaml:3:15: when.let.n: count has no brackets behind it; write count()",
		"data.ms":                   `"data.ms" is no call of a function; write one call, such as last(data.ms)`,
		"quantil(data.ms, 0.5)":     `there is no aggregate "quantil"; did you mean quantile?`,
		"median(data.ms)":           `there is no aggregate "median"; `,
		"quantile(data.ms)":         "f.yaml:3:10: when.let.n: quantile takes a path and a number, not 1; write quantile(data.ms, 0.99)",
		"quantile(data.ms, 99)":     "f.yaml:3:28: when.let.n: 99: a quantile is a number from 0 to 1; write quantile(data.ms, 0.99)",
		"quantile(data.ms, p)":      `"p" is not a number`,
		"quantile(data.ms, NaN)":    `"NaN" is not a number`,
		"topk(data.ms, 1.5)":        "topk gives a whole number of values, from 1 to 100",
		"topk(data.ms, 101)":        "topk gives a whole number of values, from 1 to 100",
		"avg()":                     "avg takes one path, not 0; write avg(data.ms)",
		"count(data.a, data.b)":     "count takes one path or nothing, not 2",
		"corr(data.x)":              "corr takes two paths, not 1",
		"sum(ms)":                   "a payload field is written data.NAME",
		"sum(data.ö)":               `other names are written ["NAME"]`,
		"sum('data.ms')":            "starts with none of type, source",
		"sum(data.x > 3)":           "f.yaml:3:14: when.let.n: path",
		"avg(sum(data.x))":          "f.yaml:3:17: when.let.n: an argument is a path or a number, not a call",
		"sum(data.x) / count()":     "f.yaml:3:22: when.let.n: \"/ count()\" follows the call; let each name be one call",
		"sum(data.x":                "f.yaml:3:13: when.let.n: the bracket does not close; write ) at the end",
		`sum(data["x)`:              "the text ends within quotes",
		`sum(data["x\`:              "the text ends within quotes",
		"corr(data.x,, data.y)":     "f.yaml:3:22: when.let.n: an argument is missing",
		"corr(data.x,)":             "an argument is missing",
		"sum(,)":                    "an argument is missing",
		"3":                         "is no call of a function",
		"\n count(\n 7)":            "f.yaml:5:2: when.let.n: path",
		strings.Repeat("(", 10_000): "10000 characters: the limit is 8192",
		strings.Repeat("x", 8_000):  "is no call of a function",
	} {
		_, err := window.Compile(window.Spec{Kind: window.Count, Count: 1}, []window.Let{{Name: "n", Text: text, Pos: yamldoc.Pos{File: "f.yaml", Line: 3, Col: 10}}})
		require.ErrorContains(t, err, want, text)
		assert.Less(t, len(err.Error()), 300)
		for _, e := range err.(yamldoc.Errors) { //nolint:errorlint // that is what it promises
			assert.Contains(t, window.Codes(), e.Code)
		}
	}
}

func TestCompileTellsAll(t *testing.T) {
	_, err := window.Compile(window.Spec{Kind: window.Tumbling}, []window.Let{
		{Name: "a", Text: "sum()"}, {Name: "a", Text: "count()"}, {Name: "1", Text: "nothing()"},
	})
	var errs yamldoc.Errors
	require.ErrorAs(t, err, &errs)
	var codes []string
	for _, e := range errs {
		codes = append(codes, e.Code)
	}
	assert.ElementsMatch(t, []string{window.CodeSpec, window.CodeArgument, window.CodeDuplicate, window.CodeName, window.CodeFunction}, codes)

	_, err = window.Compile(window.Spec{Kind: window.Count, Count: 1}, make([]window.Let, window.MaxLets+1))
	assert.ErrorContains(t, err, "65 aggregates: the limit is 64; split the rule in two")
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"quantile(data.ms, 0.99)", "topk(data['a'], 5)", "corr(data.x, data.y)", "count()", `sum(data["\"("])`, "sliding 5m every 10s", "session 30s", "count 9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if spec, err := window.ParseSpec(text); err == nil {
			again, err := window.ParseSpec(spec.String())
			require.NoError(t, err, text)
			require.Equal(t, spec, again)
			_, err = window.Compile(spec, nil)
			require.NoError(t, err, "what ParseSpec takes, Compile takes")
		}
		p, err := window.Compile(window.Spec{Kind: window.Count, Count: 1}, []window.Let{{Name: "n", Text: text}})
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.LessOrEqual(t, len(p.Paths()), 2)
		require.Len(t, play(p, []occurrence{{}}, time.Time{})[0].Values, 1)
	})
}

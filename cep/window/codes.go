package window

// The codes of problems with windows and their aggregates, for `rhost help CODE`.
const (
	CodeSpec      = "window-spec"      // a window that cannot be read
	CodePanes     = "window-panes"     // a sliding window that slides in too many steps
	CodeSyntax    = "window-syntax"    // a let that is not one call
	CodeFunction  = "window-function"  // an aggregate that nobody knows
	CodeArgument  = "window-argument"  // an argument that cannot be one
	CodeName      = "window-name"      // a name of a let that cannot be one
	CodeDuplicate = "window-duplicate" // a name of a let used twice
)

// Codes explains each code.
func Codes() map[string]string {
	return map[string]string{
		CodeSpec:      "A window cannot be read. It is one of: tumbling 1m, sliding 5m every 10s, session 30s, count 100.",
		CodePanes:     "A sliding window keeps partial results for each of its steps. One with more than 10,000 of them takes too much memory; let it slide in larger steps.",
		CodeSyntax:    "An aggregate under `let` is one call of a function with paths and numbers in brackets, such as count() or quantile(data.ms, 0.99). Arithmetic and comparisons belong in `having`.",
		CodeFunction:  "There is no aggregate of that name. There are count, sum, avg, min, max, quantile, distinct, topk, stddev, slope, rate, delta, corr, first and last.",
		CodeArgument:  "An aggregate has too few or too many arguments, or one that it cannot use: paths are written data.ms, the quantile is a number from 0 to 1, and topk takes a whole number from 1 to 100.",
		CodeName:      "The name of an aggregate breaks the rules for names: letters, digits and _, not starting with a digit.",
		CodeDuplicate: "Two aggregates under `let` have the same name.",
	}
}

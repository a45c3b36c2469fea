package sigma

// The bounds on one Sigma rule, against files written to hurt. A rule beyond
// them is a Problem.
const (
	maxCondition    = 16 << 10 // bytes of one CEL condition; as cep/predicate's MaxSource
	maxRegexp       = 1 << 10  // bytes of a regular expression; as cep/predicate's MaxPattern
	maxBrackets     = 60       // brackets in brackets of a CEL condition; below cep/predicate's MaxNesting
	maxSource       = 8 << 10  // bytes of a Sigma condition
	maxDepth        = 24       // brackets and nots in one another in a Sigma condition
	maxWork         = 1 << 20  // bytes of CEL written for one rule before it is given up
	maxCombos       = 128      // combinations written out for `2 of …` and the like
	maxExpanded     = 4096     // values that modifiers and placeholders make of those written
	maxPlaceholders = 16       // placeholders in one value
	minOffset       = 3        // bytes that base64offset needs
	maxName         = 120      // bytes of a rule's name
	maxParts        = 32       // elements that a condition too long for one is spread over
	maxRepeat       = 1000     // events that a pattern counts; more are counted by a window
	maxDistinct     = 200      // distinct values that a pattern counts
	maxChain        = 8        // correlations of correlations
)

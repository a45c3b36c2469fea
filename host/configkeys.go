package host

import "github.com/rhost/rhost/abi"

// configKey is what the schema says of a key beside its type.
type configKey struct {
	about   string
	choices []string
}

func explain(text string, choices ...string) configKey { return configKey{text, choices} }

// configKeys says what each key is for, by its place.
func configKeys() map[string]configKey {
	return map[string]configKey{
		"data_dir": explain("the folder of the log and of what the host keeps, relative to the app; .rhost"),
		"listen":   explain("HOST:PORT of the API, the console and webhooks, on a loopback address, or off; 127.0.0.1:4000"),
		"tenant":   explain("the name of the tenant; default"),

		"lanes":        explain("on how many processors events are matched; 1"),
		"partition_by": explain("the path whose value spreads events over lanes, such as data.ip"),

		"retention":       explain("how much of the log is kept"),
		"retention.age":   explain("what is older goes once a snapshot has it; 30d, off for ever"),
		"retention.bytes": explain("of the log and its blobs on disk; 10GiB, off for no bound"),

		"quotas":              explain("what the tenant may bring and hold; what is absent has no limit"),
		"quotas.events":       explain("bounds its events, those that rules emit among them"),
		"quotas.events.rate":  explain("bytes a second that come from outside, such as 5MB/s; more is refused or waits"),
		"quotas.events.burst": explain("how much may come at once; what comes in a second at rate"),
		"quotas.events.held":  explain("bytes of events that the log has, and of large payloads of matches beside it; retention gives them back"),
		"quotas.state":        explain("bytes of what rules keep in state and kv"),

		"sources":                       explain("where events come from, by a name of yours"),
		"sources.*.files":               explain("follow a file of lines"),
		"sources.*.files.path":          explain("the file, relative to the app; it need not exist yet"),
		"sources.*.files.from":          explain("where to begin the first time; end", "start", "end"),
		"sources.*.files.format":        explain("what a line is; ndjson: an event, json: the data of one, regex: text with groups", "ndjson", "json", "regex"),
		"sources.*.files.regex":         explain("for format: regex; each named group becomes a field of data, and lines that do not match are skipped"),
		"sources.*.files.type":          explain("type of the events, for json and regex"),
		"sources.*.files.time":          explain("Go's layout of the group or field time, such as Jan _2 15:04:05; RFC 3339"),
		"sources.*.files.timezone":      explain("of times that do not say, such as Europe/Berlin; UTC"),
		"sources.*.files.clock":         explain("event: the lines' own times, and no other source's, move the clock of rules", "event"),
		"sources.*.files.once":          explain("read the file to its end and stop"),
		"sources.*.fswatch":             explain("watch a folder and what is below it"),
		"sources.*.fswatch.path":        explain("the folder, relative to the app"),
		"sources.*.fswatch.entropy":     explain("measure this much of the beginning of new content; 0 for none"),
		"sources.*.fswatch.debounce":    explain("how long a file must be quiet for its writes to be told; 100ms"),
		"sources.*.fswatch.ignore":      explain("names not to look at, with * and ?, such as *.tmp"),
		"sources.*.webhook":             explain("take requests at /hooks/NAME"),
		"sources.*.webhook.type":        explain("type of the events"),
		"sources.*.webhook.secret_file": explain("a file with the secret that requests are signed with, relative to the app"),
		"sources.*.schedule":            explain("send an event at certain times"),
		"sources.*.schedule.cron":       explain("five fields, such as 0 3 * * mon-fri"),
		"sources.*.schedule.every":      explain("a time span, counted from the epoch, so that a restart shifts nothing"),
		"sources.*.schedule.timezone":   explain("of cron; UTC"),
		"sources.*.schedule.type":       explain("type of the events; schedule.tick"),
		"sources.*.schedule.data":       explain("payload of the events, beside due"),
		"sources.*.stdin":               explain("read events from standard input"),

		"plugins":                                 explain("what you say of plugins, by their names"),
		"plugins.*.grant":                         explain("the capabilities it gets; absent: those it asks for, but http and secret", capabilityList()...),
		"plugins.*.limits":                        explain("what each call may use"),
		"plugins.*.limits.fuel":                   explain("units of work"),
		"plugins.*.limits.memory":                 explain("memory of the guest"),
		"plugins.*.limits.deadline":               explain("wall time"),
		"plugins.*.limits.stack":                  explain("how deep calls may nest"),
		"plugins.*.limits.host_calls":             explain("how often it may ask the host for something"),
		"plugins.*.limits.output":                 explain("size of its output"),
		"plugins.*.limits.effects":                explain("how many effects it may have"),
		"plugins.*.limits.effect_bytes":           explain("size of all its effects"),
		"plugins.*.canonical_nan":                 explain("have its Wasm make the same NaNs on every machine; it takes a little time where floats are computed with"),
		"plugins.*.instances":                     explain("how many there may be at once; as many as calls run"),
		"plugins.*.config":                        explain("settings that are handed to the plugin; its manifest may say what they must be"),
		"plugins.*.export":                        explain("the function to call of an Extism plugin that has several"),
		"plugins.*.http":                          explain("narrows where its requests may go"),
		"plugins.*.http.hosts":                    explain("of those that egress allows; absent: all of them"),
		"plugins.*.secrets":                       explain("the secrets it may read, by the names it asks for"),
		"plugins.*.secrets.*.env":                 explain("the environment variable that holds it"),
		"plugins.*.secrets.*.file":                explain("the file that holds it, relative to the app"),
		"plugins.*.record":                        explain("calls: keep with each result what the plugin asked of the host and was told", "calls"),
		"plugins.*.rollout":                       explain("how a new version comes into force; absent: at once, watched for a minute"),
		"plugins.*.rollout.shadow":                explain("first run it beside the old version, whose answers count"),
		"plugins.*.rollout.canary":                explain("then let it answer this share of the matches, up to 50%"),
		"plugins.*.rollout.rollback_if":           explain("what makes a new version give way to the old one; off never does"),
		"plugins.*.rollout.rollback_if.faults":    explain("share of calls that fault, beyond that of the old version; 1%"),
		"plugins.*.rollout.rollback_if.p99":       explain("how many times the old version's; 2x"),
		"plugins.*.rollout.rollback_if.fuel":      explain("how many times the old version's; 1.5x"),
		"plugins.*.rollout.rollback_if.min_calls": explain("how many calls there must have been"),
		"plugins.*.rollout.rollback_if.for":       explain("how long each phase lasts; 1m"),

		"wasm":                explain("proposals of WebAssembly that modules may use; absent: none of these"),
		"wasm.tail_calls":     explain("admit modules with tail calls"),
		"wasm.extended_const": explain("admit modules with extended constant expressions"),

		"limits":                         explain("what all plugins may have together"),
		"limits.guest_memory":            explain("memory that may be reserved for plugins; half of the machine's"),
		"limits.guest_memory_per_tenant": explain("the same for each tenant; no limit beside that"),
		"limits.unload_after":            explain("how long a plugin is not called before it is unloaded; 10m"),

		"notify":       explain("where topics go beside those who subscribe to them, by topic"),
		"notify.*.log": explain("to the output of rhost run"),

		"topics":           explain("which topics keep their messages, by name, or by pattern with * and ?"),
		"topics.*.durable": explain("the newest messages last over restarts, and who was away gets them"),
		"topics.*.history": explain("how many are kept; 1000"),
		"topics.*.bytes":   explain("how much of them is kept; 1MiB"),
		"topics.*.age":     explain("how long they are kept; 24h"),

		"egress":              explain("where http steps and plugins may go; without it nowhere"),
		"egress.hosts":        explain("names, *.names, * or addresses, with a port if it is not 80 or 443"),
		"egress.private":      explain("networks with private addresses that may be reached, such as 10.1.0.0/16"),
		"egress.timeout":      explain("of a request"),
		"egress.max_request":  explain("size of a request"),
		"egress.max_response": explain("size of an answer"),

		"folders": explain("folders that file steps may touch, by name; relative to the app"),

		"cluster":             explain("makes the host one of several that share the work; absent: it is alone"),
		"cluster.name":        explain("the cluster's name, the same on all nodes"),
		"cluster.node":        explain("this node's own name, which it keeps"),
		"cluster.listen":      explain("HOST:PORT at which the other nodes reach this one"),
		"cluster.peers":       explain("HOST:PORT of all nodes, this one among them; three or more"),
		"cluster.secret_file": explain("a file with what the nodes prove to each other that they belong together, relative to the app; 16 bytes or more"),
		"cluster.servers":     explain("NATS servers elsewhere that keep the log, such as nats://host:4222, in place of listen and peers"),
		"cluster.credentials": explain("for servers: a file with a JWT and its key, relative to the app"),
		"cluster.nkey_file":   explain("a file with the seed of a key, relative to the app: of servers' user, or of this node in place of secret_file"),
		"cluster.nkeys":       explain("with nkey_file of a node: the public keys of all nodes, the same on each"),
		"cluster.token_file":  explain("for servers: a file with a token, relative to the app"),
		"cluster.tls":         explain("of the connections between nodes, or to the servers; PEM files, relative to the app"),
		"cluster.tls.ca":      explain("who signs the certificates of the others"),
		"cluster.tls.cert":    explain("this node's certificate"),
		"cluster.tls.key":     explain("its key"),
		"cluster.replicas":    explain("how many servers keep a copy of what is stored: 1, 3 or 5; 3 with three peers or more"),

		"signatures":         explain("whose signatures plugins need; without keys nobody looks at them"),
		"signatures.keys":    explain("files with the public keys that are trusted, relative to the app"),
		"signatures.require": explain("keep out what none of them signed"),
	}
}

func capabilityList() (names []string) {
	for _, c := range abi.Capabilities() {
		names = append(names, string(c))
	}
	return names
}

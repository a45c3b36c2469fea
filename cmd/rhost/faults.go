package main

// faultCodes explains how a call of a plugin can end other than well, how a step can
// fail, and what a service answers: the words that `rhost actions`, `rhost
// deadletters`, `rhost plugin run`, `retry: {on: …}` and the SDKs use.
func faultCodes() map[string]string {
	return map[string]string{
		"fuel":        "The call used up its fuel, the units of work that it may do. The same call uses the same fuel every time, so trying again does not help. Look for a loop that does more than it should: `rhost plugin bench PLUGIN --profile out.pb.gz` shows which function the fuel goes to. If the work is wanted, raise plugins.NAME.limits.fuel.",
		"memory":      "The call asked for more memory than it may have. Wasm counts what its memory grows to; Lua and JavaScript count all that a call has asked for. Hold less at a time, or raise plugins.NAME.limits.memory.",
		"deadline":    "The call was still running when its time was up. It is wall time, so a busy machine can be the cause. `retry: {on: timeout}` tries again. Raise plugins.NAME.limits.deadline if it may take longer.",
		"timeout":     "The deadline of the plugin or the timeout of the step ran out. See `rhost help deadline`.",
		"stack":       "Functions were nested too deep. Look for a recursion without an end, or raise plugins.NAME.limits.stack.",
		"trap":        "The guest crashed: a panic, an exception that nobody caught, a division by zero, an address outside its memory, an exit. The message names the function, and what the guest wrote to its standard error is in the log of the host (--log info).",
		"abi":         "The guest broke the contract of abi/SPEC.md: a pointer outside its memory, an output that is not JSON, a result that is not 0 to 3. The message names the function. With an SDK this is a bug of the SDK.",
		"limit":       "The call made more host calls, output or effects than it may. Do less in one call, or raise the limit that the message names, under plugins.NAME.limits.",
		"denied":      "The plugin used a service that it was not granted. It gets what it imports, its manifest asks for, and plugins.NAME.grant allows; http and secret have to be granted by name.",
		"quota":       "The tenant would hold more bytes of state or kv, or bring more bytes of events, than `quotas` of rhost.yaml allow. The message names the quota, what is used and the limit. Delete keys, let retention remove events, or raise the quota; then `rhost deadletters redrive`.",
		"replay":      "A call that was replayed from a record asked the host for something else than in the record, or in another order: the plugin is not the one that was recorded, or what it does depends on something outside.",
		"crashed":     "The process in which the plugin ran has ended. Its calls are tried again by the step's retry policy.",
		"unavailable": "No plugin of this name is loaded at the moment, or no version of it. `rhost plugin list` shows what is.",
		"fail":        "The plugin says that the step has failed for good; the message is its own. The step is not tried again.",
		"retry":       "The plugin asks for another try; the message is its own. The step's retry policy decides whether and when.",
		"conflict":    "What the call read of the state was changed by another before it could be committed, again and again. The call is run again by itself first. Let fewer keys be shared, or give the rule a concurrency key.",
		"drop":        "The plugin ends the execution without effects, and nothing has failed. The message is its own.",
		"invalid":     "Arguments that cannot be used: a ${…} of the step has no value, a request, a path or a key of a service is none. The message says which. Trying again does not help.",
		"definition":  "The version of the rule that the execution began with is gone, so that its steps are not known any more. Start the work again with the rule as it is now.",
		"not_found":   "What a service was asked for is not there: a key of the state or of kv, a setting, a secret. For most plugins this is an answer and no failure.",
		"too_small":   "The buffer that a guest gave a service has no room for the answer; the guest takes the rest with `take`. Every SDK does this by itself: see abi/SPEC.md.",
		"unsupported": "This host does not have the service, or not in this place: a plugin that lists it under optional: in its manifest is told so instead of not being loaded.",
		"internal":    "A bug of rhost. The log of the host says more; please report it.",
	}
}

package workflow_test

import (
	"fmt"

	"github.com/rhost/rhost/host/workflow"
)

// A host commits the records of each output, then runs its commands and hands
// back their results, until there is nothing more to do.
func Example() {
	def, err := parse(`
do:
  - run: lock-account
    with: {user: "${match.user}"}
    undo: {run: unlock-account, with: {user: "${match.user}"}}
  - run: tell-owner
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	engine := workflow.NewEngine(options(def))
	out := engine.Start(def, workflow.StartInfo{
		Key: "m-1", Rule: "brute-force", Version: "v1", Payload: workflow.Payload(`{"user":"ann"}`),
	}, epoch)
	for {
		for _, r := range out.Records {
			fmt.Println(r.Kind) // written to the log
		}
		if len(out.Commands) == 0 {
			return
		}
		cmd := out.Commands[0]
		fmt.Println("  run", cmd.Plugin)
		res := cmd.Answer(nil)
		if cmd.Plugin == "tell-owner" {
			res = cmd.Fail(workflow.FailPermanent, "nobody owns it")
		}
		out = engine.Complete(res, epoch)
	}
	// Output:
	// started
	// scheduled
	//   run lock-account
	// succeeded
	// scheduled
	//   run tell-owner
	// failed
	// undo_scheduled
	//   run unlock-account
	// undo_succeeded
	// finished
	// dead_lettered
}

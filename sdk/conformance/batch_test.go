package conformance_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

const batching = `{"name":"conformance","version":"1.0.0","abi":"rhost.v1","batch":true,
	"capabilities":{"emit":{},"notify":{},"state":{},"kv":{},"config":{}}}`

// TestBatch hands each guest several calls at once: what each asks for, gives out and
// ends with is its own.
func TestBatch(t *testing.T) {
	for lang := range langs() {
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.state = map[string]json.RawMessage{"long": json.RawMessage(`"` + strings.Repeat("x", 50_000) + `"`)}
			inst, err := compiled(t, lang, batching).New(t.Context(), w.limits)
			require.NoError(t, err)
			defer func() { assert.NoError(t, inst.Close(context.WithoutCancel(t.Context()))) }()
			batcher, ok := inst.(sandbox.Batcher)
			require.True(t, ok)

			calls := []string{do("effects"), do("used"), `{"do":"fail","msg":"broken"}`, do("drop"), do("used"), do("settings"), `{"do":"retry","msg":""}`}
			for range 30 { // more than fits into a guest's memory unless it gives some back
				calls = append(calls, do("state"))
			}
			var items []sandbox.BatchItem
			for _, with := range calls {
				w.grant = abi.Grant{abi.CapEmit, abi.CapNotify, abi.CapState, abi.CapConfig}
				items = append(items, sandbox.BatchItem{Call: call(with), Session: w.session()})
			}
			replies, _, err := batcher.InvokeBatch(t.Context(), items)
			require.NoError(t, err)
			require.Len(t, replies, len(calls))
			assert.Len(t, replies[0].Reply.Effects, 5)
			assert.Equal(t, abi.Reply{Output: json.RawMessage(`1`)}, replies[1].Reply)
			assert.Equal(t, abi.Reply{Result: abi.ResultFail, Message: "broken"}, replies[2].Reply)
			assert.Equal(t, abi.Reply{Result: abi.ResultDrop, Message: "nothing to do"}, replies[3].Reply)
			assert.Equal(t, abi.Reply{Output: json.RawMessage(`2`)}, replies[4].Reply, "the items share an instance")
			assert.Equal(t, abi.Reply{Result: abi.ResultRetry, Message: "now: the capability was not granted"}, replies[5].Reply)
			assert.Equal(t, abi.Reply{Result: abi.ResultRetry}, replies[6].Reply)
			for _, r := range replies[7:] {
				require.Equal(t, abi.ResultOK, r.Reply.Result, r.Reply.Message)
				assert.Contains(t, string(r.Reply.Output), "50002")
			}
		})
	}
}

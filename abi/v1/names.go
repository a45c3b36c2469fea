package v1

// Module is the import module of the core functions and the services. It is
// the major version of the ABI: a host offers several side by side.
const Module = "rhost.v1"

// What a guest exports.
const (
	ExportMemory     = "memory"       // the linear memory
	ExportMarker     = "rhost_abi_v1" // () → (); never called, says which ABI the guest speaks
	ExportInitialize = "_initialize"  // () → (); optional, called once before anything else
	ExportInit       = "rhost_init"   // (len i32) → i32; optional, called once after _initialize
	ExportInvoke     = "rhost_invoke" // (len i32) → i32; called once for each invocation
	ExportBatch      = "rhost_batch"  // (len i32) → i32; optional, called once for several invocations
	MarkerPrefix     = "rhost_abi_v"  // what the marker of any version starts with
	ModulePrefix     = "rhost.v"      // what the import module of any version starts with
)

// The core functions, which every guest may import.
const (
	FuncInput  = "input"  // (dst, cap i32) → i32
	FuncOutput = "output" // (ptr, len i32)
	FuncFail   = "fail"   // (code, ptr, len i32)
	FuncLog    = "log"    // (level, ptr, len i32)
	FuncTake   = "take"   // (dst, cap i32) → i32
	FuncItem   = "item"   // (index i32); inside rhost_batch
)

// The services, each with the signature (in, inlen, out, outcap i32) → i64.
// Importing one is asking for its capability.
const (
	FuncEmit     = "emit"
	FuncStateGet = "state_get"
	FuncStateSet = "state_set"
	FuncStateCAS = "state_cas"
	FuncConfig   = "config"
	FuncNow      = "now"
	FuncRandom   = "random"
	FuncNotify   = "notify"
	FuncKVGet    = "kv_get"
	FuncKVSet    = "kv_set"
	FuncHTTP     = "http"
	FuncSecret   = "secret"
	FuncHas      = "has"
)

// Services lists the services of this release, in the order of SPEC.md.
func Services() []string {
	var names []string
	for _, f := range functions {
		if f.Service {
			names = append(names, f.Name)
		}
	}
	return names
}

// Minor is the minor version of this release: what `host 1.1` means in the
// message to a guest that needs a newer host. A minor version only adds
// functions.
const Minor = 1

// Function is a function that guests may import from Module.
type Function struct {
	Name    string
	Minor   int  // the minor version that it came with
	Service bool // it has the signature of a service; else it is a core function
}

//nolint:gochecknoglobals // a constant table
var functions = []Function{
	{FuncInput, 0, false},
	{FuncOutput, 0, false},
	{FuncFail, 0, false},
	{FuncLog, 0, false},
	{FuncTake, 0, false},
	{FuncItem, 1, false},
	{FuncEmit, 0, true},
	{FuncStateGet, 0, true},
	{FuncStateSet, 0, true},
	{FuncStateCAS, 0, true},
	{FuncConfig, 0, true},
	{FuncNow, 0, true},
	{FuncRandom, 0, true},
	{FuncNotify, 0, true},
	{FuncKVGet, 1, true},
	{FuncKVSet, 1, true},
	{FuncHTTP, 1, true},
	{FuncSecret, 1, true},
	{FuncHas, 1, true},
}

// Lookup finds a function by its name.
func Lookup(name string) (f Function, ok bool) {
	for _, f := range functions {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}

// Results of rhost_invoke and codes of fail.
const (
	ResultOK    = 0
	ResultFail  = 1
	ResultRetry = 2
	ResultDrop  = 3
)

// Levels of log.
const (
	LogDebug = 0
	LogInfo  = 1
	LogWarn  = 2
	LogError = 3
)

// Sizes that both sides know.
const (
	MaxRandom  = 4096    // bytes that one call of random gives
	MaxLogLine = 8 << 10 // bytes of one log line; the host cuts what is longer
	MaxName    = 256     // bytes of an event type, a topic, a key, the name of a secret
)

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
)

// Services lists the services of this release, in the order of SPEC.md.
func Services() []string {
	return []string{FuncEmit, FuncStateGet, FuncStateSet, FuncStateCAS, FuncConfig, FuncNow, FuncRandom, FuncNotify}
}

// LaterServices lists names that are reserved for services that a later minor
// version will add. A host of this release refuses a guest that imports one,
// and says so.
func LaterServices() []string {
	return []string{"kv_get", "kv_set", "http", "secret", "has"}
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
)

// services calls every service, for the test of the runner; sandbox/js has the same
// script in its suite's shape. What it gives back is compared in node and in the real
// engine.
async function run(call) {
  const status = (f) => {
    try {
      return f() ?? null;
    } catch (e) {
      return `${e.name}: ${e.status}`;
    }
  };
  rhost.emit("made", { n: 1 });
  rhost.emit("empty");
  rhost.notify("ops", "hi");
  const out = {
    with: call.with, user: call.event.data.user, limit: rhost.config.limit,
    old: rhost.state.get("n"), lost: rhost.state.cas("n", 9, 0), won: rhost.state.cas("n", 7, 42), absent: rhost.state.get("absent"),
    kv: [rhost.kv.get("absent"), rhost.kv.set("k", "v", 1000) ?? null, rhost.kv.get("k")],
    http: rhost.http({ url: "https://a.example/", method: "get" }).status,
    elsewhere: status(() => rhost.http({ url: "https://b.example/" })),
    secret: [rhost.secret("token"), rhost.secret("other")],
    has: [rhost.has("http"), rhost.has("teleport")],
    unnamed: status(() => rhost.emit("")),
    now: rhost.now(), random: rhost.random(3).length,
  };
  rhost.state.delete("n");
  rhost.log("warn", "careful");
  console.log("counted", { n: 1 });
  return out;
}

export { run as invoke };

// Scores a burst of file events, and picks what to move out of the way: the last
// file that was written with high entropy and is still there.
//
// Settings: {"suspicious": 0.5}: bursts below that score are let be.
// Arguments: {"hits": [event, …]}. Output: {path, name, score}.
export function invoke(call) {
  const hits = call.with.hits;
  const written = hits.filter((h) => h.type === "fs.write");
  const gone = new Set(hits.filter((h) => h.type === "fs.rename").map((h) => h.data.path));
  const target = written.reverse().find((h) => !gone.has(h.data.path));
  if (!target) {
    rhost.drop("nothing that was written is still there");
  }

  const key = "bursts/" + target.data.dir;
  const before = rhost.state.get(key)?.value ?? 0;
  rhost.state.set(key, before + 1);

  const mean = written.reduce((sum, h) => sum + h.data.entropy, 0) / written.length;
  const score = Math.min(1, (mean / 8) * 0.6 + gone.size * 0.05 + before * 0.2);
  if (score < call.config.suspicious) {
    rhost.drop(`score ${score.toFixed(2)} is below ${call.config.suspicious}`);
  }
  return { path: target.data.path, name: target.data.name, score: Number(score.toFixed(2)) };
}

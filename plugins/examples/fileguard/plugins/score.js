// Scores a burst of file events: how often the folder was hit before, and how
// many files this burst touched. The last file of the burst is what to move.
export function invoke(call) {
  const { dir, last, count } = call.with;
  const key = "hits/" + dir;
  const before = rhost.state.get(key) ?? 0;
  rhost.state.set(key, before + 1);
  const score = Math.min(1, count / 10 + before * 0.2);
  const name = last.split("/").pop();
  return { path: last, name, score: Number(score.toFixed(2)) };
}

// Keeps AssemblyScript's compiler loaded between builds. The argument is the file of
// the compiler. Each line of standard input holds the arguments of one build, as a
// list in JSON; each is answered with one line. The end of input ends the process.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const mostSaid = 64 << 10;

// Standard output carries answers alone; a plugin of the compiler may print.
console.log = console.info = console.debug = console.error;

const { main } = await import(pathToFileURL(process.argv[1]));

async function build(args) {
  let said = "";
  const sink = { write: (text) => { if (said.length < mostSaid) said += text; return true; } };
  try {
    const { error } = await main(args, { stdout: sink, stderr: sink });
    // What the compiler does not put down to the source is a reason to start anew.
    const broken = error !== null && !/^\d+ (parse|compile) error/.test(error.message);
    return { ok: error === null, broken, said, memory: process.memoryUsage().rss };
  } catch (e) {
    return { ok: false, broken: true, said: said + e, memory: 0 };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await build(JSON.parse(line))) + "\n");
}

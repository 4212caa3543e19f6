// A stand-in in another process, for the scripts beside this one.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

/** Starts the stand-in `name`; `settings` is what the adapter is told, as an object of its TOML lines. */
export async function standIn(name) {
  const child = spawn(process.argv[2], [name], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = { settings: [], done: [], read: [] };
  const came = { settings: [], done: [], read: [] };
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [kind, text] = line.split(/ (.*)/s);
    const value = text ? JSON.parse(text) : null;
    if (waiting[kind]?.length) waiting[kind].shift()(value);
    else came[kind]?.push(value);
  });
  const next = (kind) =>
    came[kind].length ? Promise.resolve(came[kind].shift()) : new Promise((resolve) => waiting[kind].push(resolve));
  const say = async (line) => {
    child.stdin.write(line + "\n");
    await next("done");
  };
  const settings = {};
  for (const line of (await next("settings")).split("\n")) {
    const [, key, value] = line.match(/^(\w+) *= *(.*)$/) ?? [];
    if (key) settings[key] = JSON.parse(value);
  }
  return {
    settings,
    /** The bot's web hook is there. */
    callAt: (url) => say(`call ${url}`),
    /** The first person writes to the bot. */
    write: (text) => say(`write ${text}`),
    /** The next text that reaches the first person. */
    read: () => next("read"),
    end: () => child.stdin.end(),
  };
}

/** A web server on a loopback port for a library's request listener. */
export async function listen(listener) {
  const server = createServer(listener);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { base: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Fails unless both are the same. */
export function same(got, expected, what) {
  if (JSON.stringify(got) !== JSON.stringify(expected)) {
    console.log(`${what}: ${JSON.stringify(got)} in place of ${JSON.stringify(expected)}`);
    process.exit(1);
  }
}

// How the drivers in JavaScript time what they do; the same as `measure.rs` and `measure.py`.
import { argv, hrtime } from "node:process";

const [WARM_UP, SAMPLE, BUDGET] = [200e6, 100e3, 1e9]; // nanoseconds
const PAIRS = 25;

// A driver is called with where its peer is, the name of its row, the number of senders, and an empty folder.
export const [peer, system, senders, folder] = [argv[2], argv[3], Number(argv[4]), argv[5]];

// The ids that are let in; everyone else is a stranger.
export const known = Array.from({ length: senders }, (_, number) => String(1_000_000_000 + 7_919 * number));
let strangers = 0;
const stranger = () => String(5_000_000_000 + strangers++);

const now = () => Number(hrtime.bigint());

// The median of what was sampled, as a line: system, senders, work, nanoseconds, samples.
function report(work, samples) {
  samples.sort((left, right) => left - right);
  const median = Math.round(samples[samples.length >> 1]);
  console.log([system, senders, work, median, samples.length].join("\t"));
}

async function measure(work, call) {
  const time = async (calls) => {
    const begin = now();
    for (let done = 0; done < calls; done++) await call();
    return (now() - begin) / calls;
  };
  // A first trial says how many calls fit.
  let [calls, spent] = [0, 0];
  for (; spent < WARM_UP; calls++) spent += await time(1);
  const once = spent / calls;
  const batch = Math.ceil(SAMPLE / once);
  const count = Math.min(501, Math.max(5, Math.floor(BUDGET / (once * batch))));
  const samples = [];
  while (samples.length < count) samples.push(await time(batch));
  report(work, samples);
}

function expect(truth, what) {
  if (!truth) throw new Error(`the driver does not fit: ${what}`);
}

// All kinds of work. `decide(id)` answers `{ admitted, code }`, with an empty code if none is sent; `approve(code)`
// says whether somebody came in.
export async function play({ decide, approve }) {
  let turn = 0;
  await measure("known", async () => {
    turn = (turn + 31) % senders;
    expect((await decide(known[turn])).admitted, "a known sender is admitted");
  });

  const [issues, approvals] = [[], []];
  const end = now() + 2 * BUDGET;
  for (let pair = 0; pair < 4 || (pair < PAIRS && now() < end); pair++) {
    const begin = now();
    const { code } = await decide(stranger());
    const issued = now();
    const approved = await approve(code);
    const done = now();
    expect(code && approved, "a stranger gets a code, which is approved");
    if (pair === 0) continue; // warms up
    issues.push(issued - begin);
    approvals.push(done - issued);
  }
  report("issue", issues);
  report("approve", approvals);

  const waiting = [stranger(), stranger(), stranger()];
  for (const id of waiting) expect((await decide(id)).code, "three strangers wait");
  await measure("pending", async () => expect(!(await decide(waiting[0])).admitted, "who waits is not in"));
  await measure("over cap", async () => {
    const { admitted, code } = await decide(stranger());
    expect(!admitted && !code, "a fourth stranger gets no code");
  });
}

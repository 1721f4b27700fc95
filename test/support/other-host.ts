import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { within } from './patience.ts';
import { programPath } from './servers.ts';

/** A host of its own, as far as the network can tell: a namespace with one link to ours. Needs root. */
export interface OtherHost {
  readonly address: string;
  /** Runs a script with Node over there; resolves with the first line that it prints. */
  run(script: string, ...args: string[]): Promise<string>;
  /** The host vanishes: nothing that is sent to it arrives, and nothing comes back, not even a refusal. */
  vanish(): Promise<void>;
  /** It is there again, with all its connections. */
  reappear(): Promise<void>;
}

const START_MS = 10_000;
const exec = promisify(execFile);
let made = 0;

/** Gone, with all that runs there, when its test is over. */
export async function startOtherHost(): Promise<OtherHost> {
  const ip = programPath('ip', 'iproute2');
  const run = (command: string) => exec(ip, command.split(' '));
  const id = `${process.pid}n${made}`;
  const [name, ours, theirs] = [`sallyport-${id}`, `spo${id}`, `spt${id}`];
  const [near, far] = addressesOf(process.pid, made++);
  const children: ChildProcess[] = [];
  await run(`netns add ${name}`);
  onTestFinished(async () => void (await run(`netns del ${name}`)));
  await run(`link add ${ours} type veth peer name ${theirs} netns ${name}`);
  // Sockets that nobody owns any more keep a namespace for minutes, and it keeps its end of the link.
  onTestFinished(async () => void (await run(`link del ${ours}`)));
  onTestFinished(function end() {
    for (const child of children) child.kill('SIGKILL');
  });
  await run(`addr add ${near}/30 dev ${ours}`);
  await run(`link set ${ours} up`);
  await run(`-n ${name} addr add ${far}/30 dev ${theirs}`);
  await run(`-n ${name} link set ${theirs} up`);
  return {
    address: far,
    async run(script, ...args) {
      const command = ['netns', 'exec', name, process.execPath, '-e', script, ...args];
      const child = spawn(ip, command, { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      const [line] = (await within(once(child.stdout, 'data'), 'the other host', START_MS)) as [Buffer];
      return line.toString().trim();
    },
    async vanish() {
      await run(`-n ${name} link set ${theirs} down`);
    },
    async reappear() {
      await run(`-n ${name} link set ${theirs} up`);
    },
  };
}

/** The two addresses of a network of four in 10.231.0.0/16, another one for every process and host. */
function addressesOf(pid: number, count: number): [string, string] {
  const network = ((pid + count) % 16_384) * 4;
  const address = (host: number) => `10.231.${network >> 8}.${(network & 0xff) + host}`;
  return [address(1), address(2)];
}

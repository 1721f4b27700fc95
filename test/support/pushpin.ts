import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from './patience.ts';
import { freePort } from './ports.ts';
import { installedFile, programPath, startServer } from './servers.ts';

const START_MS = 15_000;

export interface Pushpin {
  /** Where clients connect. */
  readonly port: number;
  /** Where services publish: GRIP's control URI. */
  readonly controlUri: string;
}

/** Pushpin before one service that speaks WebSocket-over-HTTP; stopped when the test has finished. */
export async function startPushpin(target: number): Promise<Pushpin> {
  const zurl = await startZurl();
  const controlPort = await freePort();
  const server = await startServer(programPath('pushpin', 'pushpin'), async (folder, port) => {
    const file = join(folder, 'pushpin.conf');
    await writeFile(join(folder, 'internal.conf'), await internals(zurl));
    await writeFile(join(folder, 'routes'), `* 127.0.0.1:${target},over_http\n`);
    await writeFile(file, await settings({ folder, port, controlPort }));
    return { args: ['--config', file] };
  });
  onTestFinished(() => server.close());
  const controlUri = `http://127.0.0.1:${controlPort}/`;
  const publication = { method: 'POST', body: '{"items":[]}' };
  // Its processes do not wait for one another: what comes too early is lost.
  await eventually(() => answers(`http://127.0.0.1:${server.port}/`), 'Pushpin', START_MS);
  await eventually(
    () => answers(`${controlUri}publish/`, publication),
    'the control port of Pushpin',
    START_MS,
  );
  return { port: server.port, controlUri };
}

/** Whether there is an answer at all, and soon. */
function answers(url: string, init: RequestInit = {}): Promise<boolean> {
  return fetch(url, { ...init, signal: AbortSignal.timeout(1_000) }).then(
    () => true,
    () => false,
  );
}

/** Its HTTP client, which Debian’s settings forbid this machine; resolves with the folder of its sockets. */
async function startZurl(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-zurl-'));
  const file = join(folder, 'zurl.conf');
  const own = await readFile(installedFile('/etc/zurl.conf', 'zurl'), 'utf8');
  await writeFile(file, own.replaceAll('/var/run/zurl', folder).replace(/^deny=.*$/m, 'deny='));
  const child = spawn(programPath('zurl', 'zurl'), [`--config=${file}`], { stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  });
  return folder;
}

async function internals(zurl: string): Promise<string> {
  const own = await readFile(installedFile('/usr/lib/pushpin/internal.conf', 'pushpin'), 'utf8');
  return own.replaceAll('/var/run/zurl', zurl);
}

/** Debian’s own, but with ports that are free, and room for answers of more than 16 KiB. */
async function settings({
  folder,
  port,
  controlPort,
}: {
  folder: string;
  port: number;
  controlPort: number;
}): Promise<string> {
  const own = await readFile(installedFile('/etc/pushpin/pushpin.conf', 'pushpin'), 'utf8');
  const changes: Record<string, string> = {
    include: `${folder}/internal.conf`,
    rundir: folder,
    logdir: folder,
    http_port: `127.0.0.1:${port}`,
    client_buffer_size: '65536',
    push_in_spec: `ipc://${folder}/push`,
    push_in_sub_specs: `ipc://${folder}/push-sub`,
    push_in_http_port: String(controlPort),
    command_spec: `ipc://${folder}/command`,
  };
  return Object.entries(changes).reduce(
    (text, [key, value]) => text.replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`),
    own,
  );
}

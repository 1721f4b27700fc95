import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, listening } from '../measure/processes.ts';
import type { Bed, Peer, RunningPeer } from '../types.ts';
import { byPath, has } from './common.ts';

/** Pushpin as Debian packages it, with a zurl of its own: each message of a client becomes a request. */
export const pushpin: Peer = {
  name: 'Pushpin',
  missing: () =>
    has('pushpin', '--version') && has('zurl', '--version') ? undefined : 'apt-get install pushpin zurl',
  version: () => /\d\S*/.exec(spawnSync('pushpin', ['--version'], { encoding: 'utf8' }).stdout)?.[0] ?? '?',
  start,
};

async function start(bed: Bed): Promise<RunningPeer> {
  const [plain, control] = [await freePort(), await freePort()];
  const folder = join(bed.directory, `pushpin-${plain}`);
  mkdirSync(folder);
  const file = join(folder, 'pushpin.conf');
  writeFileSync(file, configuration(folder, plain, control));
  const output = join(bed.directory, 'pushpin.out');
  const route = `* 127.0.0.1:${bed.ports['websocket-over-http']},over_http`;
  const args = ['--config', file, '--merge-output', '--route', route];
  const running = bed.processes.launch({ command: 'pushpin', args, core: bed.cores.proxy, output });
  await listening(plain, running, output);
  return {
    name: 'Pushpin',
    pid: running.pid,
    endpoint: byPath({ plain }, { poll: '/', 'websocket-over-http': '/' }),
    stop: running.stop,
  };
}

/** Only what differs from the package: places, its own zurl, and a log of problems alone. */
function configuration(folder: string, plain: number, control: number): string {
  return `
[global]
include=/usr/lib/pushpin/internal.conf
rundir=${folder}
ipc_prefix=p-
[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port=${plain}
logdir=${folder}
log_level=1
[proxy]
zurl_out_specs=ipc://${folder}/p-zurl-in
zurl_out_stream_specs=ipc://${folder}/p-zurl-in-stream
zurl_in_specs=ipc://${folder}/p-zurl-out
[handler]
push_in_spec=ipc://${folder}/push-in
push_in_sub_specs=ipc://${folder}/push-sub
push_in_http_addr=127.0.0.1
push_in_http_port=${control}
command_spec=ipc://${folder}/command
`;
}

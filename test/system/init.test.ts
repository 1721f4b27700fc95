import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { sallyport } from '../support/cli.ts';
import { run } from '../support/programs.ts';

/** What `sallyport init` writes and says, taken at its word: in a network of its own, whose ports are all free. */

const SERVICE = `
const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ port: 3000 }, () => console.log('service'));
server.on('connection', (client) => client.on('message', (text) => client.send('you: ' + text)));`;

const CLIENT = `
const [url, header] = process.argv.slice(1);
const [name, value] = header.split(': ');
const client = new (require('ws').WebSocket)(url, { headers: { [name]: value } });
client.on('open', () => client.send('hello')).on('message', (text) => { console.log(String(text)); client.close(); });`;

test('its own three commands and the one that connects lead through the gateway', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-init-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { out } = await sallyport(['init', folder]);
  const said = (pattern: RegExp) => pattern.exec(out)?.[1] ?? `false ${pattern}`;
  const node = process.execPath;
  const script = `
    ip link set lo up
    sallyport() { ${node} src/main.ts "$@"; }
    # wscat's part, for nobody types here.
    npx() { ${node} --eval "$CLIENT" "$5" "$3"; }
    until_alive() { for i in $(seq 100); do sallyport health ${folder}/sallyport.yaml && return; done; return 1; }
    ${said(/(sallyport check .*)/)}
    ${said(/(sallyport serve .*)/).replace('sallyport', `${node} src/main.ts`)} & gateway=$!
    ${node} --eval "$SERVICE" & service=$!
    until_alive
    ${said(/(npx wscat --header .*)/)}
    kill $gateway $service
    wait $gateway`;
  const env = [`CLIENT=${CLIENT}`, `SERVICE=${SERVICE}`];
  const { code, output, errors } = await run(
    ['unshare', 'util-linux'],
    ['--net', 'env', ...env, 'sh', '-ec', script],
  );
  expect(errors.replace(/^sallyport: not alive.*\n/gm, '')).toBe('');
  expect(output).toMatch(/^you: hello$/m);
  expect(code).toBe(0);
});

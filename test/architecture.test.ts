import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { parse, runtimeNodes } from './mutation/syntax.ts';

/** The rooms of src/, top to bottom: what a room imports stands below it. */
const ROOMS = [
  'main',
  'cli',
  'workers',
  'index',
  'client',
  'gateway',
  'handshake',
  'plain',
  'endpoints',
  'route-table',
  'routes',
  'router',
  'session',
  'observe',
  'passthrough',
  'first-message',
  'bridge',
  'upstream',
  'admission',
  'listener',
  'stream',
  'store',
  'tls-trust',
  'watched-certificates',
  'watched-files',
  'config',
  'http',
  'frames',
  'tcp-protocol',
  'capsules',
  'proxy-protocol',
  'tls-fault',
  'causes',
  'errors',
  'failures',
  'limit-hit',
  'within',
];

/** `src/bridge/relay.ts` is in the room bridge, `src/router.ts` is one by itself. */
function roomOf(file: string): string {
  return (file.split('/')[1] as string).replace(/\.ts$/, '');
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) =>
    normalize(join(dirname(file), match[1] as string)),
  );
}

const files = globSync('src/**/*.ts');

test('every file is in a room of the list', () => {
  expect(files.length).toBeGreaterThan(50);
  for (const file of files) expect(ROOMS, file).toContain(roomOf(file));
});

test('imports point downward', () => {
  const upward = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => ROOMS.indexOf(roomOf(target)) < ROOMS.indexOf(roomOf(file)))
      .map((target) => `${file} -> ${target}`),
  );
  expect(upward).toEqual([]);
});

test.each(['frames', 'tcp-protocol', 'capsules'])('%s imports nothing of ours', (room) => {
  const foreign = globSync(`src/${room}/*.ts`)
    .flatMap(importsOf)
    .filter((target) => roomOf(target) !== room);
  expect(foreign).toEqual([]);
});

test('the process is touched in main.ts only', () => {
  const users = files.filter((file) =>
    /(?<![\w.'`])process\.(?!env\b.*\*)/.test(
      readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''),
    ),
  );
  expect(users).toEqual(['src/main.ts']);
});

test('status and close codes stand in failures.ts and frames/close.ts only', () => {
  const strays = files
    .filter((file) => !['src/failures.ts', 'src/failures/admin.ts', 'src/frames/close.ts'].includes(file))
    .filter((file) => /\b(?:new GatewayError|sendClose)\(\s*\d/.test(readFileSync(file, 'utf8')));
  expect(strays).toEqual([]);
});

test('no file is longer than 250 lines', () => {
  const long = files.filter((file) => readFileSync(file, 'utf8').trimEnd().split('\n').length > 250);
  expect(long).toEqual([]);
});

test('no function is longer than 40 lines', () => {
  expect(files.flatMap((file) => functionsOver(40, file))).toEqual([]);
});

/** The file and first line of each. */
function functionsOver(lines: number, file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...runtimeNodes(parse(text))]
    .filter(({ type }) => /^(Arrow)?Function/.test(type))
    .filter(({ start, end }) => text.slice(start, end).split('\n').length > lines)
    .map(({ start }) => `${file}: ${lineAt(start, text)}`);
}

function lineAt(position: number, text: string): string {
  const from = text.lastIndexOf('\n', position) + 1;
  return text.slice(from, text.indexOf('\n', position)).trim();
}

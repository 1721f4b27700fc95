import { existsSync, globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig, parseTree } from '../src/config/load.ts';
import { ConfigError } from '../src/config/problem.ts';
import type { ConfigInput } from '../src/config/schema.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the ten lines of configuration are a configuration', () => {
  const yaml = readme.split('```yaml\n')[1]?.split('```')[0] ?? '';
  // The certificate's files are the reader's.
  const plain = yaml.replace(/, tls: \{.*\} \}\]$/m, ' }]');
  expect(parseConfig(plain).config.routes[0]?.name).toBe('chat');
});

const shown = ['README.md', ...globSync('config/guide/*.md')].flatMap((file) => {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/```yaml\n(.*?)```/gs)].map(({ 1: yaml = '', index }) => ({
    line: `${file}:${text.slice(0, index).split('\n').length}`,
    yaml,
  }));
});

test.each(shown)('what $line shows is accepted', ({ yaml }) => {
  expect(problemsOf(completed(parse(yaml)))).toEqual([]);
});

/** What is shown is a part of a configuration, or of a route: the rest is as short as it can be. */
function completed(part: object): ConfigInput {
  const issuers = {
    main: { issuer: 'https://id.example.com/', audience: 'app', algorithms: ['ES256'], jwks: 'keys.json' },
  };
  const route = {
    name: 'app',
    match: { path: '/app/*' },
    auth: { issuer: 'main' },
    upstream: { websocket: 'ws://127.0.0.1:3000' },
  };
  const isOfRoute = ['match', 'auth', 'limits', 'upstream'].some((key) => key in part);
  const rest = { listeners: [{ port: 8080 }], issuers, routes: [isOfRoute ? { ...route, ...part } : route] };
  return (isOfRoute ? rest : { ...rest, ...part }) as ConfigInput;
}

/** But for files and variables that are not there: they are the reader's. */
function problemsOf(config: ConfigInput): string[] {
  try {
    parseTree(config);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    return problems
      .map(({ path, message }) => `${path}: ${message}`)
      .filter((text) => !/: cannot read |: the environment has no /.test(text));
  }
}

test('every file and folder that the tour of the source names is there', () => {
  const tour = readFileSync(new URL('../src/README.md', import.meta.url), 'utf8');
  const names = [...tour.matchAll(/`([\w-]+(?:\/[\w.-]+)*(?:\.ts|\/))`/g)].map((match) => match[1] as string);
  expect(names.length).toBeGreaterThan(30);
  const missing = names.filter((name) => {
    const place = new URL(name.startsWith('test/') ? `../${name}` : `../src/${name}`, import.meta.url);
    return !inRoom(name, tour) && !existsSync(place);
  });
  expect(missing).toEqual([]);
});

/** A bare name of a file or folder is in the room that its paragraph is about. */
function inRoom(name: string, tour: string): boolean {
  if (name.slice(0, -1).includes('/')) return false;
  const rooms = [...tour.matchAll(/\*\*`((?:[\w-]+\/)+)`/g)].map((match) => match[1] as string);
  return rooms.some((room) => existsSync(new URL(`../src/${room}${name}`, import.meta.url)));
}

test('every dependency has its sentence', () => {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  for (const name of Object.keys(dependencies)) expect(readme).toContain(`\`${name}\``);
});

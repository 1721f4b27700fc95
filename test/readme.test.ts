import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from '../src/config/load.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the ten lines of configuration are a configuration', () => {
  const yaml = readme.split('```yaml\n')[1]?.split('```')[0] ?? '';
  // The certificate's files are the reader's.
  const plain = yaml.replace(/, tls: \{.*\} \}\]$/m, ' }]');
  expect(parseConfig(plain).config.routes[0]?.name).toBe('chat');
});

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

/** A bare file name is in the room that its paragraph is about. */
function inRoom(name: string, tour: string): boolean {
  if (name.includes('/')) return false;
  const rooms = [...tour.matchAll(/\*\*`([\w-]+\/)`/g)].map((match) => match[1] as string);
  return rooms.some((room) => existsSync(new URL(`../src/${room}${name}`, import.meta.url)));
}

test('every dependency has its sentence', () => {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  for (const name of Object.keys(dependencies)) expect(readme).toContain(`\`${name}\``);
});

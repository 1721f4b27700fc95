import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readExamples } from '../../src/config/reference/examples.ts';
import { gapsIn } from '../../src/config/reference/gaps.ts';
import { type Key, topKeys, withInner } from '../../src/config/reference/keys.ts';
import { referencePage } from '../../src/config/reference/page.ts';
import { isLarge } from '../../src/config/reference/sections.ts';
import { fullestUse, shortestUse } from '../../src/config/reference/uses.ts';

const examples = readExamples(new URL('../../config/', import.meta.url));
const keys = withInner(topKeys());

test('config/REFERENCE.md is what schema and examples say now (if not: npm run schema)', () => {
  expect(readFileSync('config/REFERENCE.md', 'utf8')).toBe(referencePage(examples));
});

test('every key has a meaning, a default or a word on its absence, and an example', () => {
  expect(gapsIn(topKeys(), examples)).toEqual([]);
});

describe('gapsIn', () => {
  const whole: Key = {
    path: ['drain'],
    place: 'drain',
    meaning: 'How long',
    form: 'duration',
    only: undefined,
    fallback: { kind: 'required' },
    keys: [],
    profiles: [],
  };
  const used = [{ name: 'examples/one.yaml', tree: { drain: '3s' } }];

  test.each([
    ['a meaning', { meaning: undefined }, used, /^drain: describe it in src\/config\/.*npm run schema$/],
    ['a default', { fallback: undefined }, used, /^drain: say .*absent: .*npm run schema$/],
    ['an example', {}, [], /^drain: use it in a file of config\/examples\/.*npm run schema$/],
  ])('says what to do where a key has not %s', (_what, changes, files, sentence) => {
    expect(gapsIn([{ ...whole, ...changes }], files)).toEqual([expect.stringMatching(sentence)]);
  });

  test('looks at the keys within a key, and finds nothing wrong with one that has one value only', () => {
    const inner = { ...whole, path: ['drain', 'verify'], place: 'drain.verify', only: 'off' };
    expect(gapsIn([{ ...whole, keys: [inner] }], used)).toEqual([]);
    expect(gapsIn([{ ...whole, keys: [{ ...inner, meaning: undefined }] }], used)).toHaveLength(1);
  });
});

describe('a key', () => {
  test.each([
    ['drain', 'duration', { kind: 'default', value: '10s' }],
    ['listeners[].port', '0 to 65535', { kind: 'required' }],
    ['listeners[].tls', 'mapping', { kind: 'absent', means: 'plain text' }],
    ['limits.connections', '`auto`, or whole number from 1', { kind: 'default', value: 'auto' }],
    ['routes[].auth', '`none`, or mapping', { kind: 'required' }],
    ['routes[].origins', 'list of origins', expect.objectContaining({ kind: 'absent' })],
    ['routes[].timeouts.lifetime', 'duration, or off', { kind: 'absent', means: 'off' }],
    [
      'routes[].upstream.poll.target',
      'http:// or https:// URL, or unix:/run/app.sock, or mapping, or a list of them',
      { kind: 'required' },
    ],
    ['routes[].upstream.text', '`true` or `false`', expect.objectContaining({ kind: 'absent' })],
    ['routes[].auth.forward', 'mapping of names to text', { kind: 'default', value: {} }],
  ])('%s is told as %s', (place, form, fallback) => {
    expect(keys.filter((key) => key.place === place)).toEqual([expect.objectContaining({ form, fallback })]);
  });

  test.each([
    ['How long; absent: for ever', 'How long', { kind: 'absent', means: 'for ever' }],
    ['Absent: for ever', undefined, { kind: 'absent', means: 'for ever' }],
    ['How long', 'How long', undefined],
  ])('that is described as %j', (description, meaning, fallback) => {
    const schema = { properties: { idle: { type: 'string', description } } };
    expect(topKeys(schema)).toEqual([expect.objectContaining({ place: 'idle', meaning, fallback })]);
  });

  test('has no meaning where only its form is told', () => {
    const form = 'a duration like 30s';
    const [key] = topKeys({ properties: { idle: { type: 'string', form, description: form } } });
    expect(key).toMatchObject({ meaning: undefined, form: 'duration' });
  });

  test('is there once, though it stands in several alternatives', () => {
    const places = keys.map(({ place, of }) => (of === undefined ? place : `${place} of ${of.profile}`));
    expect(new Set(places).size).toBe(places.length);
    expect(places).toContain('routes[].upstream.websocket.weight');
  });

  test('of one profile has the default it has there, and those of all are told once', () => {
    const at = (place: string) => keys.filter((key) => key.place === `routes[].upstream.${place}`);
    const told = at('poll.path').map(({ of, fallback }) => [of?.profile, fallback]);
    expect(told).toEqual([
      ['websocket-over-http', { kind: 'absent', means: 'the client’s own path' }],
      ['engine.io', { kind: 'default', value: '/socket.io/' }],
      ['sockjs', { kind: 'required' }],
      ['bayeux', { kind: 'required' }],
    ]);
    expect(at('poll.headers').map(({ of }) => of?.profile)).toEqual([undefined, 'websocket-over-http']);
    expect(at('poll.outage').map(({ of }) => of)).toEqual([undefined]);
    expect(at('post.hub').map(({ meaning }) => meaning)).toEqual([expect.stringMatching(/^The hub that/)]);
  });

  test('of a mapping that many keys are in has a table of its own', () => {
    const large = keys.filter(isLarge).map(({ place }) => place);
    expect(large).toContain('routes[].upstream.poll');
    expect(large).not.toContain('routes[].upstream.health');
    expect(large).not.toContain('routes[].keepalive');
  });
});

describe('the use that is shown', () => {
  const key = keys.find(({ place }) => place === 'routes[].timeouts.response') as Key;
  const file = (name: string, ...responses: string[]) => ({
    name,
    tree: { routes: responses.map((response) => ({ timeouts: { response } })) },
  });

  test('is the shortest that is not the default', () => {
    const files = [file('a.yaml', '60s', '3600s'), file('b.yaml', '120s', '180s')];
    expect(shortestUse(key, files)).toEqual({ value: '120s', example: 'b.yaml' });
  });

  test('is the default, where nobody says anything else', () => {
    expect(shortestUse(key, [file('a.yaml', '60s')])).toEqual({ value: '60s', example: 'a.yaml' });
    expect(shortestUse(key, [{ name: 'a.yaml', tree: { routes: [{}] } }])).toBeUndefined();
  });

  test('is the longest that fits, for a whole mapping', () => {
    const timeouts = keys.find(({ place }) => place === 'routes[].timeouts') as Key;
    const values = [{ idle: '1m' }, { idle: '1m', stall: '5s' }, { idle: '1m', stall: '5s', close: '1s' }];
    const tree = { routes: values.map((value) => ({ timeouts: value })) };
    expect(fullestUse(timeouts, [{ name: 'a.yaml', tree }], 2)?.value).toEqual(values[1]);
    expect(fullestUse(timeouts, [{ name: 'a.yaml', tree }], 0)?.value).toEqual(values[0]);
  });
});

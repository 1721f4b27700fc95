import { expect, test } from 'vitest';
import { requestTarget, targetsOf } from '../../src/upstream/target.ts';

const PLAIN = { secure: false, weight: 1, path: undefined, query: undefined };

test.each([
  ['ws://Chat.Internal', { name: 'chat.internal:80', host: 'chat.internal', port: 80 }],
  ['wss://10.0.0.7', { name: '10.0.0.7:443', host: '10.0.0.7', port: 443, secure: true }],
  ['http://[2001:DB8::1]:8080', { name: '[2001:db8::1]:8080', host: '2001:db8::1', port: 8080 }],
  [
    'https://a/b/{c}?d=e',
    { name: 'a:443', host: 'a', port: 443, secure: true, path: '/b/{c}', query: 'd=e' },
  ],
  ['ws://bücher.example', { name: 'xn--bcher-kva.example:80', host: 'xn--bcher-kva.example', port: 80 }],
])('%s is taken apart', (url, parts) => {
  expect(targetsOf({ websocket: [{ url }] }, 'websocket')).toEqual([{ ...PLAIN, ...parts }]);
});

test('an address of a TCP service is taken apart', () => {
  const tcp = [
    { host: 'Db.internal', port: 5432, weight: 3 },
    { host: '::1', port: 1 },
  ];
  expect(targetsOf({ tcp }, 'tcp')).toEqual([
    { ...PLAIN, name: 'db.internal:5432', host: 'db.internal', port: 5432, weight: 3 },
    { ...PLAIN, name: '[::1]:1', host: '::1', port: 1 },
  ]);
});

test('no two targets of a list have one name', () => {
  const websocket = [{ url: 'ws://a/x' }, { url: 'ws://a/y' }, { url: 'ws://b' }, { url: 'wss://a:80/z' }];
  expect(targetsOf({ websocket }, 'websocket').map(({ name }) => name)).toEqual([
    'a:80',
    'a:80#2',
    'b:80',
    'a:80#3',
  ]);
});

test.each([
  ['ws://a', '/chat/%41', 'q=1', '/chat/%41?q=1'],
  ['ws://a/', '/chat', '', '/'],
  ['ws://a/r/{room}?k=v', '/chat', 'q=1', '/r/a%2Fb?k=v&q=1'],
])('%s is asked for what it says, else for what the client asked for', (url, path, query, expected) => {
  const [target] = targetsOf({ websocket: [{ url }] }, 'websocket');
  expect(target && requestTarget(target, { path, query, captures: { room: 'a/b' } })).toBe(expected);
});

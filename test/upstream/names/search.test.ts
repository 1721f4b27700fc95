import { expect, test } from 'vitest';
import { namesToAsk, parseSearch } from '../../../src/upstream/names/search.ts';

test.each([
  ['', { suffixes: [], ndots: 1 }],
  ['nameserver 10.0.0.1\nsearch a.b c\noptions ndots:5 timeout:1\n', { suffixes: ['a.b', 'c'], ndots: 5 }],
  ['domain x.y.\n# search no\n; search no\n', { suffixes: ['x.y'], ndots: 1 }],
  ['search a\nsearch b\n', { suffixes: ['b'], ndots: 1 }],
  ['search 1 2 3 4 5 6 7 8\n', { suffixes: ['1', '2', '3', '4', '5', '6'], ndots: 1 }],
])('reads %j', (text, rules) => {
  expect(parseSearch(text)).toEqual(rules);
});

test.each([
  ['chat', 1, ['chat.ns.local', 'chat.local', 'chat']],
  ['chat.ns', 1, ['chat.ns', 'chat.ns.ns.local', 'chat.ns.local']],
  ['chat.ns', 5, ['chat.ns.ns.local', 'chat.ns.local', 'chat.ns']],
  ['chat.ns.', 5, ['chat.ns']],
])('asks for %s with ndots %i as %j', (name, ndots, names) => {
  expect(namesToAsk(name, { suffixes: ['ns.local', 'local'], ndots })).toEqual(names);
});

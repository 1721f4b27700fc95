import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { refusalProtocol, tokenFinder } from '../../../src/admission/token/sources.ts';
import { tokenSource } from '../../../src/config/fields.ts';
import { GatewayError } from '../../../src/errors.ts';
import { requestOf } from '../../support/requests.ts';
import { encode } from '../../support/tokens.ts';

const JWT = 'aaa.bbb.ccc';
const K8S = `base64url.bearer.authorization.k8s.io.${encode(JWT)}`;
const AUTHORIZATION = `authorization.bearer.${JWT}`;

/** Finds tokens where the configuration's words say. */
function find(words: string, request: Parameters<typeof requestOf>[0]) {
  return tokenFinder(words.split(' ').map((word) => tokenSource.parse(word)))(requestOf(request));
}

describe('header', () => {
  test.each([[`Bearer ${JWT}`], [`bearer ${JWT}`], [`BEARER   ${JWT}`]])('finds the token of %j', (value) => {
    expect(find('header', { headers: [['AUTHORIZATION', value]] })).toEqual([
      { token: JWT, credential: { from: 'header', name: 'authorization' } },
    ]);
  });

  test.each(['', 'Bearer', 'Bearer ', 'Basic YTpi', `Bearer${JWT}`, `Basic Bearer ${JWT}`])(
    'finds none in %j',
    (value) => {
      expect(find('header', { headers: [['Authorization', value]] })).toEqual([]);
    },
  );

  test.each([
    ['the same token', [JWT, JWT]],
    ['different tokens', [JWT, 'x.y.z']],
  ])('refuses two fields with %s', (_, tokens) => {
    const headers = tokens.map((token) => ['Authorization', `Bearer ${token}`] as const);
    expect(() => find('header', { headers })).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});

describe('header:NAME', () => {
  test('finds what stands in that field, and in no other', () => {
    const headers = [
      ['X-Api-Key', JWT],
      ['x-other', 'd.e.f'],
    ] as const;
    expect(find('header:x-api-key', { headers })).toEqual([
      { token: JWT, credential: { from: 'header', name: 'x-api-key' } },
    ]);
  });

  test('finds the values of all fields of that name', () => {
    const headers = ['a.b.c', '', 'd.e.f'].map((value) => ['X-Api-Key', value] as const);
    expect(find('header:x-api-key', { headers }).map(({ token }) => token)).toEqual(['a.b.c', 'd.e.f']);
  });
});

describe('basic', () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

  test.each([
    ['the password', basic(`x:${JWT}`)],
    ['the password of nobody', basic(`:${JWT}`)],
    ['the user where there is no password', basic(`${JWT}:`)],
    ['the user where there is not even a colon', basic(JWT)],
    ['the scheme in any case', basic(`x:${JWT}`).replace('Basic', 'BASIC ')],
  ])('finds %s', (_, value) => {
    expect(find('basic', { headers: [['Authorization', value]] })).toEqual([
      { token: JWT, credential: { from: 'header', name: 'authorization' } },
    ]);
  });

  test('a password may have colons', () => {
    expect(find('basic', { headers: [['Authorization', basic('u:a:b')]] })).toMatchObject([{ token: 'a:b' }]);
  });

  test.each(['', 'Basic', 'Basic ', 'Basic !', `Bearer ${JWT}`, basic(''), basic(':'), 'Basic YQ==x'])(
    'finds none in %j',
    (value) => {
      expect(find('basic', { headers: [['Authorization', value]] })).toEqual([]);
    },
  );

  test('stands beside header', () => {
    const both = (value: string) => find('header basic', { headers: [['Authorization', value]] });
    expect(both(`Bearer ${JWT}`)).toHaveLength(1);
    expect(both(basic(`x:${JWT}`))).toHaveLength(1);
  });
});

describe('subprotocol:PREFIX', () => {
  const source = 'subprotocol:openai-insecure-api-key.';

  test('finds what stands behind the prefix, and answers with a real one', () => {
    const item = `openai-insecure-api-key.${JWT}`;
    expect(find(source, { protocols: ['realtime', item, 'openai-beta.realtime-v1'] })).toEqual([
      { token: JWT, credential: { from: 'subprotocol', carriers: [item], answer: 'realtime' } },
    ]);
  });

  test('finds none of the other forms', () => {
    expect(find(source, { protocols: ['bearer', JWT, AUTHORIZATION, K8S] })).toEqual([]);
  });
});

describe('subprotocol', () => {
  test.each([
    ['bearer and the item after it', ['bearer', JWT], ['bearer', JWT], 'bearer'],
    ['bearer in any case', ['Bearer', JWT], ['Bearer', JWT], 'Bearer'],
    ['bearer among real ones', ['chat', 'bearer', JWT, 'mqtt'], ['bearer', JWT], 'bearer'],
    ['authorization.bearer.', [AUTHORIZATION], [AUTHORIZATION], undefined],
    ['authorization.bearer. beside a real one', [AUTHORIZATION, 'chat', 'v2'], [AUTHORIZATION], 'chat'],
    ["Kubernetes' form", [K8S], [K8S], undefined],
    ["Kubernetes' form beside a real one", ['v4.channel.k8s.io', K8S], [K8S], 'v4.channel.k8s.io'],
  ])('finds %s', (_, protocols, carriers, answer) => {
    expect(find('subprotocol', { protocols })).toEqual([
      { token: JWT, credential: { from: 'subprotocol', carriers, answer } },
    ]);
  });

  test.each([[[]], [['chat']], [['chat', 'bearer']], [[JWT]], [['bearer.authorization', 'k8s.io']]])(
    'finds none in %j',
    (protocols) => {
      expect(find('subprotocol', { protocols })).toEqual([]);
    },
  );

  test('finds none in a request that is no upgrade', () => {
    expect(find('subprotocol', { headers: [['Sec-WebSocket-Protocol', `bearer, ${JWT}`]] })).toEqual([]);
  });

  test.each(['YWFh.YmJi', `${encode(JWT)}=`, 'a', '!'])('finds an empty token behind %j', (text) => {
    const protocols = [`base64url.bearer.authorization.k8s.io.${text}`];
    expect(find('subprotocol', { protocols })).toMatchObject([{ token: '' }]);
  });

  test('finds every form at once, and names no carrier in answer', () => {
    const found = find('subprotocol', { protocols: [AUTHORIZATION, 'bearer', JWT, K8S] });
    expect(found.map(({ token }) => token)).toEqual([JWT, JWT, JWT]);
    expect(found.map(({ credential }) => 'answer' in credential && credential.answer)).toEqual([
      undefined,
      'bearer',
      undefined,
    ]);
  });
});

describe('several readings of subprotocols', () => {
  test('name no item in which another of them finds a token', () => {
    const found = find('subprotocol subprotocol:v.', { protocols: [`v.${JWT}`, AUTHORIZATION, 'chat'] });
    expect(found.map(({ credential }) => 'answer' in credential && credential.answer)).toEqual([
      'chat',
      'chat',
    ]);
  });
});

describe('the subprotocol named to a client that is refused', () => {
  const named = (words: string, protocols: readonly string[]) =>
    refusalProtocol(
      words.split(' ').map((word) => tokenSource.parse(word)),
      protocols,
    );

  test.each([
    ['nothing where nothing is offered', 'header', [], undefined],
    ['the first that is offered', 'header', ['chat', 'v2'], 'chat'],
    ['no short key behind the prefix', 'subprotocol:v.', ['v.abc', 'chat'], 'chat'],
    ['none where a short key is all there is', 'subprotocol:v.', ['v.abc'], undefined],
    ['no key behind one of two prefixes', 'subprotocol:v. subprotocol:w.', ['w.abc', 'v.abc'], undefined],
    ['bearer, not what follows it', 'subprotocol', ['abc', 'Bearer', 'abc'], 'Bearer'],
    ['bearer although nothing follows it', 'subprotocol', ['abc', 'bearer'], 'bearer'],
    ['no token where the route does not look', 'header', ['authorization.bearer.abc', 'chat'], 'chat'],
    ['nothing that has the look of a token', 'header', ['x-bearer.abc', 'chat'], 'chat'],
    ["no token of Kubernetes' form", 'header', [K8S, 'chat'], 'chat'],
    ['nothing long', 'header', ['x'.repeat(33), 'x'.repeat(32)], 'x'.repeat(32)],
  ] as const)('is %s', (_, words, protocols, protocol) => {
    expect(named(words, protocols)).toBe(protocol);
  });
});

describe('cookie', () => {
  const credential = { from: 'cookie', name: 'session' };
  test.each([
    ['alone', [`session=${JWT}`]],
    ['among others', [`a=1; session=${JWT};b=2`]],
    ['in quotes', [`session="${JWT}"`]],
    ['in a second field', ['a=1', `session=${JWT}`]],
  ])('is found %s', (_, fields) => {
    const headers = fields.map((field) => ['Cookie', field] as const);
    expect(find('cookie:session', { headers })).toEqual([{ token: JWT, credential }]);
  });

  test.each(['', 'session', 'session=', 'Session=x', 'my-session=x', 'session_=x', 'a=session=x'])(
    'is not found in %j',
    (field) => {
      expect(find('cookie:session', { headers: [['Cookie', field]] })).toEqual([]);
    },
  );

  test('is found twice if it is there twice', () => {
    const headers = [['Cookie', `session=${JWT}; session=x.y.z`]] as const;
    expect(find('cookie:session', { headers }).map(({ token }) => token)).toEqual([JWT, 'x.y.z']);
  });
});

describe('query', () => {
  const credential = { from: 'query', name: 'access_token' };
  test.each([`access_token=${JWT}`, `a=1&access_token=${JWT}&b`, `access%5Ftoken=${JWT}`])(
    'is found in %j',
    (query) => {
      expect(find('query:access_token', { query })).toEqual([{ token: JWT, credential }]);
    },
  );

  test.each(['', 'access_token', 'access_token=', 'Access_Token=x', 'x_access_token=x', 'a=access_token=x'])(
    'is not found in %j',
    (query) => {
      expect(find('query:access_token', { query })).toEqual([]);
    },
  );

  test('is found twice if it is there twice, however it is written', () => {
    const query = `access_token=${JWT}&access%5ftoken=x.y.z`;
    expect(find('query:access_token', { query }).map(({ token }) => token)).toEqual([JWT, 'x.y.z']);
  });
});

describe('several places', () => {
  const request = {
    headers: [
      ['Authorization', 'Bearer h.h.h'],
      ['Cookie', 'session=c.c.c'],
    ] as const,
    query: 'access_token=q.q.q',
    protocols: ['bearer', 's.s.s'],
  };
  const tokens = (words: string) => find(words, request).map(({ token }) => token);

  test('are looked at in the order of the configuration', () => {
    expect(tokens('query:access_token subprotocol header cookie:session')).toEqual([
      'q.q.q',
      's.s.s',
      'h.h.h',
      'c.c.c',
    ]);
  });

  test('are not looked at unless they are named', () => {
    expect(find('header', { ...request, headers: [] })).toEqual([]);
    expect(find('cookie:other', request)).toEqual([]);
  });

  test.each([
    ['cookie:session', ['c.c.c']],
    ['subprotocol', ['s.s.s']],
    ['query:access_token', ['q.q.q']],
    ['header', ['h.h.h']],
  ])('do not include those that the word %s does not name', (word, found) => {
    expect(tokens(word)).toEqual(found);
  });
});

test('finds something or refuses in any request whatever', () => {
  const text = fc.string({ unit: 'binary' });
  const name = fc.oneof(fc.constantFrom('Authorization', 'Cookie', 'cookie'), text);
  const value = fc.oneof(
    text,
    fc.array(fc.constantFrom('Bearer', ' ', 'session', '=', ';', '"')).map((parts) => parts.join('')),
  );
  const requests = fc.record({
    headers: fc.array(fc.tuple(name, value)),
    query: fc.oneof(fc.webQueryParameters(), text),
    protocols: fc.array(fc.oneof(text, fc.constantFrom('bearer', K8S, AUTHORIZATION)), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(requests, (request) => {
      try {
        find('header subprotocol cookie:session query:access_token', request);
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
  );
});

import { describe, expect, test } from 'vitest';
import { tcpTargets } from '../../support/tcp-targets.ts';

/** Who names a target so is refused, and nothing is dialled: whatever the rules allow that name no special range. */

/** As open as rules can be written. */
const ALLOW = [
  '*:*',
  '*.example.com:*',
  '*.*.example.com:*',
  'a.b.c.d.example.com:*',
  '0.0.0.0/0:*',
  '[::]/0:*',
];

/** Names whose owners mean no good; every other name leads to this machine. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'mixed.example.com': ['93.184.216.34', '127.0.0.1'],
  'last.example.com': ['2606:2800:220:1:248:1893:25c8:1946', '93.184.216.34', '10.0.0.1'],
  'mapped.example.com': ['::ffff:127.0.0.1'],
  'mapped-hex.example.com': ['::ffff:7f00:1'],
  'translated.example.com': ['::ffff:0:7f00:1'],
  'compatible.example.com': ['::127.0.0.1'],
  'nat64.example.com': ['64:ff9b::7f00:1'],
  'nat64-meta.example.com': ['64:ff9b::a9fe:a9fe'],
  'nat64-local.example.com': ['64:ff9b:1::808:808'],
  '6to4.example.com': ['2002:7f00:1::1'],
  '6to4-public.example.com': ['2002:808:808::1'],
  'teredo.example.com': ['2001:0:4136:e378:8000:63bf:80ff:fffe'],
  'isatap.example.com': ['2606:4700::5efe:10.0.0.1'],
  'isatap-global.example.com': ['2606:4700::200:5efe:a00:1'],
  'zone.example.com': ['fe80::1%eth0'],
  'metadata.example.com': ['169.254.169.254'],
  'azure.example.com': ['168.63.129.16'],
  'alibaba.example.com': ['100.100.100.200'],
  'oracle.example.com': ['192.0.0.192'],
  'aws6.example.com': ['fd00:ec2::254'],
  'site.example.com': ['fec0::1'],
  'nobody.example.com': ['4000::1'],
  'documentation.example.com': ['2001:db8::1'],
  'discard.example.com': ['100::1'],
  'benchmark.example.com': ['198.18.0.1'],
  'multicast6.example.com': ['ff02::1'],
  'garbage.example.com': ['not an address'],
  'odd.example.com': ['0x7f.1'],
};

const SPELLINGS = [
  // This machine, by its right names.
  ...[
    '127.0.0.1:80',
    '127.255.255.254:80',
    '0.0.0.0:80',
    '[::1]:80',
    '[::]:80',
    'localhost:80',
    'LOCALHOST:80',
  ],
  ...['localhost.:80', '[0:0:0:0:0:0:0:1]:80', '[0000:0000:0000:0000:0000:0000:0000:0001]:80', '0.1.2.3:80'],
  // Others that are nobody's business.
  ...[
    '10.0.0.1:80',
    '172.16.0.1:80',
    '172.31.255.255:80',
    '192.168.1.1:80',
    '169.254.169.254:80',
    '100.64.0.1:80',
  ],
  ...[
    '224.0.0.1:80',
    '255.255.255.255:80',
    '240.0.0.1:80',
    '192.0.2.1:80',
    '198.51.100.1:80',
    '203.0.113.1:80',
  ],
  ...[
    '198.19.255.255:80',
    '192.0.0.8:80',
    '192.88.99.1:80',
    '168.63.129.16:80',
    '[fc00::1]:80',
    '[fd00::1]:80',
  ],
  ...[
    '[fe80::1]:80',
    '[fec0::1]:80',
    '[ff02::1]:80',
    '[2001:db8::1]:80',
    '[3fff::1]:80',
    '[100::1]:80',
    '[5f00::1]:80',
  ],
  // IPv4 within IPv6.
  ...['[::ffff:127.0.0.1]:80', '[::ffff:7f00:1]:80', '[::FFFF:7F00:0001]:80', '[0:0:0:0:0:ffff:10.0.0.1]:80'],
  ...['[::ffff:0:127.0.0.1]:80', '[::127.0.0.1]:80', '[64:ff9b::127.0.0.1]:80', '[64:ff9b::a00:1]:80'],
  ...[
    '[64:ff9b:1::a00:1]:80',
    '[2002:7f00:1::]:80',
    '[2002:a9fe:a9fe::1]:80',
    '[2001::1]:80',
    '[2606:4700::5efe:a00:1]:80',
  ],
  // Other bases, fewer parts, more digits.
  ...[
    '2130706433:80',
    '0x7f000001:80',
    '0x7f.0.0.1:80',
    '0x7f.1:80',
    '127.1:80',
    '127.0.1:80',
    '0177.0.0.1:80',
  ],
  ...[
    '017700000001:80',
    '0:80',
    '127.0.0.01:80',
    '127.0.0.1.:80',
    '127.0.0.256:80',
    '127.0.0.1.5:80',
    '1.2.3:80',
  ],
  ...[
    '00000000000000000000000000000127.0.0.1:80',
    '127.0.0.0x1:80',
    '0X7F.0.0.1:80',
    '4294967297:80',
    '127.0.0.+1:80',
  ],
  ...['a.0x7f000001:80', 'example.com.127:80', '0x:80', '127.0x0.1:80'],
  // Brackets, zones, user names, paths.
  ...[
    '[127.0.0.1]:80',
    '::1:80',
    '[::1:80',
    '::1]:80',
    '[[::1]]:80',
    '[::1%lo]:80',
    '[fe80::1%25eth0]:80',
    '[::1]80',
  ],
  ...[
    '[]:80',
    '[localhost]:80',
    '[::1].example.com:80',
    'x@127.0.0.1:80',
    'good.example.com@127.0.0.1:80',
    'a:b@c:80',
  ],
  ...[
    '127.0.0.1:80@good.example.com:80',
    'good.example.com#@127.0.0.1:80',
    'good.example.com:80/x',
    '//127.0.0.1:80',
  ],
  ...[
    '127.0.0.1\\good.example.com:80',
    'http://127.0.0.1:80',
    'unix:/run/docker.sock',
    'unix:80',
    '@app:80',
    '?:80',
  ],
  // Ports.
  ...[
    'good.example.com',
    'good.example.com:',
    'good.example.com:0',
    'good.example.com:65536',
    'good.example.com:-1',
  ],
  ...[
    'good.example.com:0x50',
    'good.example.com:080',
    'good.example.com:80.0',
    'good.example.com:8e1',
    'good.example.com:+80',
  ],
  ...[
    'good.example.com: 80',
    'good.example.com:80 ',
    'good.example.com:80:80',
    'good.example.com:１',
    'good.example.com:4294967376',
  ],
  ...['good.example.com:80\r\nx', ':80', '.:80', '..:80', 'good.example.com:80,443', 'good.example.com:http'],
  // Escapes, controls, blanks.
  ...[
    '%31%32%37.0.0.1:80',
    'localhos%74:80',
    '127.0.0.1%2F:80',
    '127.0.0.1\0.example.com:80',
    'a\0:80',
    'a\n.example.com:80',
  ],
  ...[
    'a\r\n.example.com:80',
    ' localhost:80',
    'localhost :80',
    'local host:80',
    '\tlocalhost:80',
    'localhost\u3000:80',
  ],
  ...[
    '%00:80',
    'a%0a.example.com:80',
    '%5B::1%5D:80',
    'a+b.example.com:80',
    '\u007f:80',
    'a\u2028.example.com:80',
  ],
  // Letters that look like others, or are none.
  ...[
    '１２７.0.0.1:80',
    '127。0。0。1:80',
    '127．0．0．1:80',
    '①②⑦.⓪.⓪.①:80',
    'ｌｏｃａｌｈｏｓｔ:80',
    'loc\u00adalhost:80',
  ],
  ...[
    'local\u200bhost:80',
    '[：：1]:80',
    'localhost：80',
    'ⓛocalhost:80',
    'xn--:80',
    'xn--a.example.com:80',
    '℀.example.com:80',
  ],
  ...['evil／.example.com:80', 'evil％.example.com:80', '\u202emoc.example.com:80', '\ufffd.example.com:80'],
  // Labels and lengths.
  ...[
    '-a.example.com:80',
    'a-.example.com:80',
    'a..example.com:80',
    '.example.com:80',
    'a.example.com..:80',
    '*.example.com:80',
  ],
  ...[`${'a'.repeat(64)}.example.com:80`, `${'a.'.repeat(130)}example.com:80`, `${'1'.repeat(100_000)}:80`],
  ...[
    'a!.example.com:80',
    "a'.example.com:80",
    'a".example.com:80',
    'a,b.example.com:80',
    '{path.host}:80',
    '$(id):80',
  ],
  // Names that lead where they should not.
  ...['127.0.0.1.example.com:80', 'a.b.c.d.example.com:80', 'app.localhost:80'],
  ...Object.keys(NAMES).map((name) => `${name}:80`),
];

const names = (name: string) => NAMES[name] ?? ['127.0.0.1'];

test('there are many spellings', () => expect(new Set(SPELLINGS).size).toBeGreaterThan(150));

/** In the query; in a segment of the path, as letters and with every byte escaped; in a claim. */
const WAYS = {
  query: {
    template: '{query.address}',
    match: { path: '/v1' },
    visit: (text: string) => ({ url: `/v1?address=${encodeURIComponent(text)}` }),
  },
  path: {
    template: '{path.target}',
    match: { path: '/to/{target}' },
    visit: (text: string) => ({ url: `/to/${encodeURIComponent(text)}` }),
  },
  parts: {
    template: '{path.host}:{path.port}',
    match: { path: '/to/{host}:{port}' },
    visit: (text: string) => ({
      url: `/to/${encodeURI(text).replaceAll('%5B', '[').replaceAll('%5D', ']')}`,
    }),
  },
  escaped: {
    template: '{path.host}:{path.port}',
    match: { path: '/to/{host}:{port}' },
    visit: (text: string) => ({
      url: `/to/${Buffer.from(text).toString('hex').replace(/../g, '%$&')}`,
    }),
  },
  claim: {
    template: '{claims.target}',
    match: { path: '/mine' },
    visit: (text: string) => ({ url: '/mine', claims: { target: text } }),
  },
};

/** No route takes some of them, and some are no request at all. */
const REFUSALS = ['TARGET_REFUSED', 'TARGET_MALFORMED', 'BAD_REQUEST', 'NO_ROUTE'];

describe.each(Object.entries(WAYS))('named by the %s', (_, { template, match, visit }) => {
  test('every one of them is refused without a hint of what is there', async () => {
    const { refused, dialled } = tcpTargets({ tcp: template, allow: ALLOW }, { match, names });
    for (const text of SPELLINGS) {
      const { code, message } = await refused(visit(text));
      expect(REFUSALS, text).toContain(code);
      expect(message, text).not.toMatch(/127|10\.|::|private|loopback|example/);
    }
    expect(dialled).toEqual([]);
  });

  test('one that means well is dialled', async () => {
    const targets = tcpTargets({ tcp: template, allow: ALLOW }, { match, names: () => ['93.184.216.34'] });
    await targets.visit(visit('good.example.com:80'));
    expect(targets.dialled).toMatchObject([{ host: '93.184.216.34', port: 80 }]);
  });
});

test('a name that leads to a public address is dialled there', async () => {
  const { visit, dialled } = tcpTargets(
    { tcp: '{path.host}:{path.port}', allow: ALLOW },
    { names: () => ['93.184.216.34'] },
  );
  const reached = await visit({ url: '/Good.Example.com.:80' });
  expect(reached).toMatchObject({ asked: 'good.example.com:80', name: 'good.example.com:80/93.184.216.34' });
  expect(dialled).toMatchObject([{ host: '93.184.216.34', port: 80 }]);
});

test('a name that answers otherwise the second time is dialled where it was judged', async () => {
  let times = 0;
  const rebinding = () => [times++ === 0 ? '93.184.216.34' : '127.0.0.1'];
  const { visit, dialled, asked } = tcpTargets(
    { tcp: '{path.host}:{path.port}', allow: ALLOW },
    { names: rebinding },
  );
  await visit({ url: '/rebind.example.com:80' });
  expect(dialled.map(({ host }) => host)).toEqual(['93.184.216.34']);
  expect(asked).toEqual(['rebind.example.com']);
});

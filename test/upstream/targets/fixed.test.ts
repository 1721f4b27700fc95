import { expect, test } from 'vitest';
import { tcpTargets } from '../../support/tcp-targets.ts';

const OPTIONS = { match: { path: '/v2' }, names: () => ['10.0.0.1'] };
const targets = (tcp: unknown) => tcpTargets({ tcp }, OPTIONS);

test.each([
  ['10.0.0.7:5432', '10.0.0.7:5432'],
  ['db.internal:5432', 'DB.Internal.:5432'],
  ['DB.internal:5432', 'db.internal:5432'],
  ['[2001:DB8::0:7]:5432', '[2001:db8::7]:5432'],
  [['10.0.0.7:5432', '10.0.0.8:5432'], '10.0.0.8:5432'],
])('a client that asks for what the route leads to gets it: %j, ?address=%s', async (tcp, address) => {
  const { visit } = targets(tcp);
  expect((await visit({ url: `/v2?address=${address}` })).asked).toBeUndefined();
});

test('a client that asks for nothing gets it, too', async () => {
  const { visit, dialled } = targets('10.0.0.7:5432');
  expect(await visit({ url: '/v2?x=address' })).toMatchObject({
    name: '10.0.0.7:5432',
    label: '10.0.0.7:5432',
  });
  expect(dialled).toHaveLength(1);
});

test('nothing of it is left when the route is closed', async () => {
  const { context, close } = targets('10.0.0.7:5432');
  expect([...context.endpoints]).toHaveLength(1);
  close();
  expect([...context.endpoints]).toHaveLength(0);
});

test.each([
  ['10.0.0.7:5432', 'address=10.0.0.7:5433'],
  ['10.0.0.7:5432', 'address=ep-1.neon.tech:5432'],
  ['10.0.0.7:5432', 'address='],
  ['10.0.0.7:5432', 'address'],
  ['10.0.0.7:5432', '%61ddress=a:1'],
  ['10.0.0.7:5432', 'address=10.0.0.7:5432&address=a:1'],
  ['unix:/run/x.sock', 'address=localhost:5432'],
])('one that asks for another is refused, and nothing is dialled: %j, ?%s', async (tcp, query) => {
  const { refused, dialled } = targets(tcp);
  const error = await refused({ url: `/v2?${query}` });
  expect([error.status, error.message]).toEqual([
    400,
    'This address leads to one service, and ?address= names another: leave it out.',
  ]);
  expect(dialled).toEqual([]);
});

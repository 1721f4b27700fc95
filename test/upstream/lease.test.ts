import { expect, onTestFinished, test } from 'vitest';
import { createPolicy } from '../../src/upstream/balance/index.ts';
import { Pool } from '../../src/upstream/pool.ts';
import { ASKING, poolRoute, surroundings } from '../support/upstreams.ts';

/** A place at the only endpoint there is. */
function taken() {
  const { context, heard } = surroundings();
  const pool = new Pool(poolRoute({ tcp: '10.0.0.1:1' }), 'tcp', context);
  onTestFinished(() => pool.close());
  const lease = pool.pick(createPolicy('round-robin'), ASKING);
  if (lease === undefined) throw new Error('no endpoint');
  return { lease, heard };
}

test.each([
  ['opened', ['10.0.0.1:1 connected']],
  ['reused', []],
] as const)('one that is %s is told of no second dial, and is given back once', (how, told) => {
  const { lease, heard } = taken();
  lease[how]();
  lease.opened();
  lease.reused();
  lease.release();
  lease.release();
  expect([lease.endpoint.live, heard]).toEqual([0, told]);
});

test('one that is over stays so, whatever is said of it', () => {
  const { lease, heard } = taken();
  lease.release();
  lease.opened();
  lease.reused();
  lease.failed('UPSTREAM_LOST');
  lease.outpaced();
  lease.release();
  expect([lease.endpoint.live, lease.endpoint.standing.state(0)]).toEqual([0, 'well']);
  expect(heard).toEqual(['10.0.0.1:1 abandoned']);
});

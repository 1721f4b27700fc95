import { afterEach, expect, test } from 'vitest';
import { createPolicy } from '../../src/upstream/balance/index.ts';
import { createUpstreamContext } from '../../src/upstream/context.ts';
import { dial } from '../../src/upstream/dial.ts';
import { Resolver } from '../../src/upstream/names/resolver.ts';
import { Pool } from '../../src/upstream/pool.ts';
import { startDns } from '../support/dns.ts';
import { startUpstream } from '../support/faulty.ts';
import { ASKING, poolRoute } from '../support/upstreams.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

test('a hundred dials to names whose DNS server is silent delay no other dial', async () => {
  const dns = await startDns((name, type) => {
    if (!name.startsWith('good.')) return 'silence';
    return { ttl: 60, addresses: type === 'A' ? ['127.0.0.1'] : [] };
  });
  const service = await startUpstream();
  undo.push(dns.close, service.close);
  const resolver = new Resolver({ servers: [dns.address], resolvConf: '/dev/null' });
  const context = createUpstreamContext({ resolver });
  undo.push(() => resolver.close());
  const policy = createPolicy('least-connections');
  const client = new AbortController();
  function dialTo(tcp: string) {
    const pool = new Pool(poolRoute({ tcp }), 'tcp', context);
    undo.push(() => pool.close());
    return dial(pool, { policy, asking: ASKING, signal: client.signal, join: (socket) => socket });
  }

  const silent = Array.from({ length: 100 }, (_, index) =>
    dialTo(`silent-${index % 20}.test:80`).catch((error) => error.code),
  );
  const startedAt = performance.now();
  const { value, lease } = await dialTo(`good.test:${service.port}`);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  value.destroy();
  lease.release();
  // One question a family and name, however many dials wait for it.
  expect(dns.questions.filter((question) => question.startsWith('silent-')).length).toBeLessThanOrEqual(40);
  client.abort();
  expect(new Set(await Promise.all(silent))).toEqual(new Set(['UPSTREAM_TIMEOUT']));
});

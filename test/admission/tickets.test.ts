import { describe, expect, test } from 'vitest';
import { createAuthentication } from '../../src/admission/authentication.ts';
import { AuthService } from '../../src/admission/external/service.ts';
import type { Proven } from '../../src/admission/grant.ts';
import { admit } from '../../src/admission/index.ts';
import { Tickets } from '../../src/admission/tickets/index.ts';
import { Verifications } from '../../src/admission/token/verifications.ts';
import { endsWithToken } from '../../src/config/refresh.ts';
import { MemoryNotes } from '../../src/store/memory-commons.ts';
import { externalConfig, startAuthService } from '../support/auth-service.ts';
import { routeConfig, upgradeOf } from '../support/handshakes.ts';
import { codeOf } from '../support/tokens.ts';

const HOUR = 3_600_000;
const BEARER = { route: 'chat', client: '192.0.2.1' };

/** Tickets with a clock, and what stands in the notes. */
function keeper() {
  let now = Date.now();
  const written: [string, string, number][] = [];
  const notes = new MemoryNotes(() => now);
  const put = notes.put.bind(notes);
  notes.put = (...note) => {
    written.push(note);
    return put(...note);
  };
  const tickets = new Tickets(notes, () => now);
  return {
    tickets,
    written,
    pass(ms: number) {
      now += ms;
    },
    give: (proven: Proven, config?: { within: number; address: 'client' | 'any' }) =>
      tickets.give(proven, BEARER, config),
  };
}

const alice = (changes: Partial<Proven> = {}): Proven => ({
  ...{ subject: 'alice', claims: { iss: 'id', sub: 'alice' }, expiresAt: Date.now() + HOUR, graceMs: 0 },
  ...changes,
});

describe('what is written down', () => {
  test('is what was proven, for as long as the ticket is good, and neither it nor a token', async () => {
    const { written, give } = keeper();
    const { ticket } = await give(alice(), { within: 7000, address: 'client' });
    const [[name, text, forMs]] = written as [[string, string, number]];
    expect(name).toMatch(/^ticket:[\da-f]{64}$/);
    expect(JSON.parse(text)).toMatchObject({ ...BEARER, proven: { subject: 'alice' } });
    expect(forMs).toBe(7000);
    expect(name + text).not.toContain(ticket.slice(-20));
  });

  test('is over with the token and its tolerance', async () => {
    const { tickets, give, pass } = keeper();
    const [one, two] = [
      await give(alice({ expiresAt: Date.now() + 1000, graceMs: 2000 })),
      await give(alice({ expiresAt: Date.now() + 1000, graceMs: 2000 })),
    ];
    pass(2_500);
    expect(await tickets.take(one.ticket, BEARER)).toMatchObject({ subject: 'alice' });
    pass(1_000);
    expect(await codeOf(tickets.take(two.ticket, BEARER))).toBe('TICKET_INVALID');
  });
});

test('a clock that was set forward ends a ticket no later than its token', async () => {
  let day = Date.now();
  const tickets = new Tickets(new MemoryNotes(), () => day);
  const { ticket } = await tickets.give(alice(), BEARER, undefined);
  day += 2 * HOUR;
  expect(await codeOf(tickets.take(ticket, BEARER))).toBe('TICKET_INVALID');
});

test.each(['', 'x', `sp_ticket_${'a'.repeat(42)}`, `sp_${'a'.repeat(48)}`])(
  '%j is asked of nobody',
  async (text) => {
    const notes = { put: async () => true, take: () => Promise.reject(new Error('was asked')) };
    expect(await codeOf(new Tickets(notes).take(text, BEARER))).toBe('TICKET_INVALID');
  },
);

describe('an upgrade with a ticket', () => {
  const verifications = new Verifications();
  const deps = { verifiers: new Map([['main', {} as never]]), verifications };
  const auth = { issuer: 'main', token: ['ticket', 'header'] };

  test('is refused where it was given for a token that is bound to a key', async () => {
    const { tickets, give } = keeper();
    const checks = createAuthentication(routeConfig({ name: 'chat', auth }), { ...deps, tickets });
    const { ticket } = await give(alice({ claims: { cnf: { jkt: 'x' } } }));
    expect(await codeOf(admit(checks, upgradeOf({ query: `ticket=${ticket}` })))).toBe('TICKET_INVALID');
  });

  test('does not show it to the service that is asked, whatever is forwarded', async () => {
    const { tickets, give } = keeper();
    const service = await startAuthService();
    const external = { url: service.url, forward: ['authorization'] };
    const route = routeConfig({ name: 'chat', auth: { ...auth, external, forwardToken: true } });
    const opened = new AuthService(externalConfig({ url: service.url, forward: ['authorization'] }));
    const checks = createAuthentication(route, { ...deps, tickets, external: opened });
    const { ticket } = await give(alice());
    await admit(checks, upgradeOf({ query: `a=b&ticket=${ticket}` }));
    expect(service.questions).toHaveLength(1);
    expect(JSON.stringify(service.questions[0]?.rawHeaders)).not.toContain('ticket');
    await opened.close();
  });

  test('is refused at once where nobody keeps tickets', () => {
    expect(() => createAuthentication(routeConfig({ name: 'chat', auth }), deps)).toThrow('nobody keeps');
  });
});

test.each([
  ['a fixed target', { tcp: '10.0.0.9:5900' }, true],
  ['a target of the path', { tcp: '{path.name}:5900', allow: ['10.0.0.0/8:5900'] }, true],
  ['a target of the claims', { tcp: '{claims.desktop}:5900', allow: ['10.0.0.0/8:5900'] }, false],
  [
    'what claims narrow',
    { tcp: '{path.name}:5900', allow: ['10.0.0.0/8:5900'], allowClaim: 'targets' },
    false,
  ],
])('sessions with %s go on with a new token: %s', (_, upstream, expected) => {
  const match = { path: '/{name}' };
  expect(endsWithToken(routeConfig({ match, auth: { issuer: 'main' }, upstream }))).toBe(expected);
});

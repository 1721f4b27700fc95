import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createCors } from '../src/admission/cors.ts';
import { Routes } from '../src/route-table.ts';
import type { Route } from '../src/routes.ts';
import { grantOf, routeConfig } from './support/handshakes.ts';

/** Names of the routes that have been closed, in order. */
let closed: string[];
beforeEach(() => {
  closed = [];
});

function route(name: string): Route {
  const config = routeConfig({ name });
  return {
    name,
    match: config.match,
    config,
    reproofs: {},
    cors: createCors(config),
    signIn: (_, error) => error,
    admit: async () => grantOf(),
    request: vi.fn(),
    close: async () => void closed.push(name),
  };
}

const nameAt = ({ current }: Routes, path = '/x') => current.find('any', path, 'request').route?.name;

describe('a table of routes', () => {
  test('never changes', () => {
    const given = [route('a')];
    const { current } = new Routes(given);
    given.push(route('b'));
    expect(current.routes.map(({ name }) => name)).toEqual(['a']);
    expect([Object.isFrozen(current), Object.isFrozen(current.routes)]).toEqual([true, true]);
  });

  test('is replaced as a whole, and who has read it keeps it', () => {
    const routes = new Routes([route('a')]);
    const { current } = routes;
    routes.replace([route('b')]);
    expect(nameAt(routes)).toBe('b');
    expect(current.find('any', '/x', 'request').route?.name).toBe('a');
  });
});

describe('a route closes', () => {
  test('at once when it leaves the table and nobody uses it', () => {
    const routes = new Routes([route('a'), route('b')]);
    routes.replace([route('c')]);
    expect(closed).toEqual(['a', 'b']);
  });

  test('when its last user lets go, and only once', () => {
    const a = route('a');
    const routes = new Routes([a]);
    const [first, second] = [routes.retain(a), routes.retain(a)];
    routes.replace([]);
    first();
    first();
    expect(closed).toEqual([]);
    second();
    second();
    expect(closed).toEqual(['a']);
    routes.replace([route('b')]);
    expect(closed).toEqual(['a']);
  });

  test('not while it is in the table', () => {
    const a = route('a');
    const routes = new Routes([a]);
    routes.retain(a)();
    routes.replace([route('b'), a]);
    routes.retain(a)();
    expect(closed).toEqual([]);
    routes.replace([]);
    expect(closed).toEqual(['b', 'a']);
  });

  test('with all others when the gateway does, used or not, and only once', async () => {
    const [a, b] = [route('a'), route('b')];
    const routes = new Routes([a]);
    const letGo = routes.retain(a);
    routes.replace([b]);
    await routes.close();
    await routes.close();
    letGo();
    expect(closed).toEqual(['a', 'b']);
  });
});

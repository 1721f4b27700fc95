import type { GatewayRequest, RequestKind } from './http/request.ts';
import { createRouter, type Routed, type Router, type Serving, type Unrouted } from './router.ts';
import type { Route } from './routes.ts';

/** Names the route that is to take a request, of those whose match fits it; undefined: the first of them. */
export type ChooseRoute = (request: GatewayRequest, kind: RequestKind) => string | undefined;

/** The routes of one configuration. Never changes; the table after it is another one. */
export interface RouteTable {
  readonly routes: readonly Route[];
  readonly find: Router<Route>;
}

/**
 * The table that routes requests now, and every route that is still in use. Read `current` once per request, and `retain`
 * the route found before anything is awaited. A route closes when it is in no table any more and its last user has let go.
 */
export class Routes {
  readonly #choose: ChooseRoute | undefined;
  #current: RouteTable;
  /** Users of each open route; the current table is one. */
  readonly #users = new Map<Route, number>();

  /** `choose` has a say before the order of the routes. */
  constructor(routes: readonly Route[], choose?: ChooseRoute) {
    this.#choose = choose;
    this.#current = this.#enter(routes);
  }

  get current(): RouteTable {
    return this.#current;
  }

  /** The route of the current table that takes a request. Throws what its router does, and what `choose` throws. */
  find<K extends RequestKind>(request: GatewayRequest, kind: K): Routed<Serving<Route, K>> | Unrouted<Route> {
    return this.#current.find(request.host, request.path, kind, this.#choose?.(request, kind));
  }

  /** Puts `routes` in the place of the current table. Sessions and requests under way keep what they have. */
  replace(routes: readonly Route[]): void {
    const left = this.#current.routes;
    // A route that is in both tables must not close in between.
    this.#current = this.#enter(routes);
    for (const route of left) this.#release(route);
  }

  /** Keeps a route of the current table open. Returns the undo, which may be called twice. */
  retain(route: Route): () => void {
    this.#add(route);
    let held = true;
    return () => {
      if (held) this.#release(route);
      held = false;
    };
  }

  /** Closes every route, those in use too. */
  async close(): Promise<void> {
    const open = [...this.#users.keys()];
    this.#users.clear();
    await Promise.all(open.map((route) => route.close()));
  }

  #enter(routes: readonly Route[]): RouteTable {
    for (const route of routes) this.#add(route);
    return Object.freeze({ routes: Object.freeze([...routes]), find: createRouter(routes) });
  }

  #add(route: Route): void {
    this.#users.set(route, (this.#users.get(route) ?? 0) + 1);
  }

  #release(route: Route): void {
    const users = this.#users.get(route);
    if (users === undefined) return;
    if (users > 1) {
      this.#users.set(route, users - 1);
      return;
    }
    this.#users.delete(route);
    void route.close();
  }
}

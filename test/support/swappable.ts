import { pino } from 'pino';
import { Verifications } from '../../src/admission/token/verifications.ts';
import { parseConfig } from '../../src/config/load.ts';
import { createHandshake } from '../../src/handshake.ts';
import { type Listener, openListener } from '../../src/listener/server.ts';
import { combine } from '../../src/observe/index.ts';
import { createPlainHandler } from '../../src/plain.ts';
import { Routes } from '../../src/route-table.ts';
import { compileRoute, type Route } from '../../src/routes.ts';
import { Sessions } from '../../src/session/registry.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { createUpstreamContext } from '../../src/upstream/context.ts';
import { WatchedFiles } from '../../src/watched-files.ts';
import { depsOf } from './listener.ts';

/** A gateway's inside, with its table of routes at hand. */
export interface Swappable extends AsyncDisposable {
  readonly port: number;
  readonly routes: Routes;
  readonly sessions: Sessions;
  /** Names of the routes that have been closed, in order. */
  readonly closed: string[];
  /** Compiles routes (YAML list items) for the next table. */
  compile(text: string): Route[];
}

/** Opens a listener on a free port with these routes in its first table. */
export async function startSwappable(text: string): Promise<Swappable> {
  const store = createMemoryStore();
  const upstreams = createUpstreamContext();
  const files = new WatchedFiles();
  const verifications = new Verifications();
  const logger = pino({ enabled: false });
  const closed: string[] = [];

  function compile(yaml: string): Route[] {
    const { config } = parseConfig(`listeners: [{ host: 127.0.0.1, port: 0 }]\nroutes:\n${yaml}`);
    return config.routes.map((given) => {
      const route = compileRoute(given, {
        verifiers: new Map(),
        verifications,
        store,
        upstreams,
        files,
        logger,
      });
      const close = async () => {
        closed.push(route.name);
        await route.close();
      };
      return { ...route, close };
    });
  }

  const routes = new Routes(compile(text));
  const observer = combine();
  const sessions = new Sessions(() => observer);
  const handshake = createHandshake({ routes, sessions, observer, isDraining: () => false });
  const plain = createPlainHandler({ routes, observer });
  const listener: Listener = await openListener(
    { host: '127.0.0.1', port: 0 },
    { upgrade: (pending) => void handshake(pending), request: (pending) => void plain(pending) },
    depsOf(),
  );
  return {
    port: listener.address.port,
    routes,
    sessions,
    closed,
    compile,
    async [Symbol.asyncDispose]() {
      await listener.close();
      await routes.close();
      files.close();
    },
  };
}

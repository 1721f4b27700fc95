import {
  type IdentityFiles,
  readAuthorities,
  readChain,
  readIdentity,
  readKey,
} from '../../config/certificate.ts';
import type { Finding, Path } from '../../config/problem.ts';
import type { Config, ListenerConfig, RouteConfig } from '../../config/schema.ts';
import type { UpstreamTls } from '../../config/upstream-tls.ts';
import { openTls } from '../../listener/tls.ts';
import { trustSource } from '../../tls-trust.ts';
import { endingMessage } from '../../watched-certificates.ts';
import { faultsOf, type Trial } from './trial.ts';

/** What is wrong with the certificates that are shown to clients and to upstreams, and with whom is believed. Never rejects. */
export async function certificateFaults(config: Config): Promise<Finding[]> {
  const found = [...config.listeners.map(listenerFaults), ...allTrusts(config).map(trustFaults)];
  return (await Promise.all(found)).flat();
}

function listenerFaults({ tls, ...at }: ListenerConfig, index: number): Promise<Finding[]> {
  if (tls === undefined) return faultsOf([]);
  const path = ['listeners', index, 'tls'];
  const { certificates, clientCa } = tls;
  const own = certificates.map((files, at) => ({ path: [...path, 'certificates', at], files }));
  const authorities = clientCa === undefined ? [] : [clientCa];
  return inTurn(
    own.flatMap(partsOf).concat(
      authorities.map((file) => ({
        path: [...path, 'clientCa'],
        run: () => readAuthorities(file, new Date()),
      })),
    ),
    own.map(pairOf),
    [{ path, run: () => openTls({ ...at, tls }).then((opened) => opened.close()) }],
  );
}

interface Trust {
  readonly path: Path;
  readonly tls: UpstreamTls;
}

function allTrusts({ routes, store }: Config): Trust[] {
  const shared = store?.tls ? [{ path: ['store', 'tls'], tls: store.tls }] : [];
  return [...shared, ...routes.flatMap(trustsOf)];
}

/** Those of a route: towards its upstream, and towards the service that is asked about clients. */
function trustsOf({ auth, upstream }: RouteConfig, index: number): Trust[] {
  const path = ['routes', index];
  const external = auth === 'none' ? undefined : auth.external;
  return [
    ...(upstream.tls ? [{ path: [...path, 'upstream', 'tls'], tls: upstream.tls }] : []),
    ...(external?.tls ? [{ path: [...path, 'auth', 'external', 'tls'], tls: external.tls }] : []),
  ];
}

function trustFaults({ path, tls }: Trust): Promise<Finding[]> {
  const { ca, cert, key } = tls;
  const own = cert === undefined || key === undefined ? [] : [{ path, files: { cert, key } }];
  const authorities = ca === undefined ? [] : [ca];
  return inTurn(
    own
      .flatMap(partsOf)
      .concat(authorities.map((file) => ({ path: [...path, 'ca'], run: () => readAuthorities(file) }))),
    own.map(pairOf),
    [{ path, run: () => trustSource(tls).read() }],
  );
}

/** Each step only where those before it have found nothing: it would tell of the same again. */
async function inTurn(...steps: readonly (readonly Trial[])[]): Promise<Finding[]> {
  for (const trials of steps) {
    const found = await faultsOf(trials);
    if (found.length > 0) return found;
  }
  return [];
}

interface Own {
  readonly path: Path;
  readonly files: IdentityFiles;
}

function partsOf({ path, files: { cert, key } }: Own): Trial[] {
  return [
    { path: [...path, 'cert'], run: () => readChain(cert) },
    { path: [...path, 'key'], run: () => readKey(key) },
  ];
}

function pairOf({ path, files }: Own): Trial {
  return { path, run: () => readIdentity(files) };
}

/** Certificates that are about to expire; all of them can be used. */
export function endings(config: Config): Finding[] {
  return [...config.listeners.flatMap(listenerEndings), ...allTrusts(config).flatMap(trustEndings)];
}

function listenerEndings({ tls }: ListenerConfig, index: number): Finding[] {
  if (tls === undefined) return [];
  const path = ['listeners', index, 'tls'];
  const own = tls.certificates.flatMap((files, at) =>
    ending([...path, 'certificates', at, 'cert'], readIdentity(files).expiresAt),
  );
  const { clientCa } = tls;
  return clientCa ? [...own, ...ending([...path, 'clientCa'], readAuthorities(clientCa).expiresAt)] : own;
}

function trustEndings({ path, tls }: Trust): Finding[] {
  if (tls.cert === undefined || tls.key === undefined) return [];
  const { expiresAt } = readIdentity({ cert: tls.cert, key: tls.key });
  return ending([...path, 'cert'], expiresAt);
}

function ending(path: Path, expiresAt: number): Finding[] {
  const message = endingMessage(expiresAt);
  return message === undefined ? [] : [{ path, message }];
}

import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { concealmentOf, tellsSecret } from '../../bridge/poll/concealment.ts';
import { Recorder, type Scene } from '../../bridge/poll/recorder.ts';
import { rehearse } from '../../bridge/poll/rehearsal.ts';
import { type PollConfig, sessionConfigOf } from '../../config/poll/index.ts';
import { type Finding, formatProblem, type Problem } from '../../config/problem.ts';
import type { Config, RouteConfig } from '../../config/schema.ts';
import { openHttpTarget } from '../../upstream/client.ts';
import type { UpstreamContext } from '../../upstream/context.ts';
import { type Credentials, openCredentials } from '../../upstream/credentials.ts';
import { type AdmittedRequest, compileForward } from '../../upstream/forward.ts';
import { HttpPool } from '../../upstream/http-pool.ts';
import { Pool } from '../../upstream/pool.ts';
import { targetsOf } from '../../upstream/target.ts';
import { WatchedFiles } from '../../watched-files.ts';
import { placeIn } from './asking.ts';
import { type Fault, faultOf } from './session-faults.ts';
import { SceneWriter } from './session-text.ts';
import { withOne } from './targets.ts';
import { reasonOf } from './trial.ts';

export interface SessionOptions {
  /** The configuration's, for messages. */
  readonly file: string;
  readonly locate: (finding: Finding) => Problem;
  /** What is sent in each session; nothing if it is not given. */
  readonly message: string | undefined;
}

/** One session with one target. */
export interface SessionTrial {
  /** Resolves with what was said. What is held then is given up when `signal` aborts. Never rejects; leaves nothing open. */
  run(signal: AbortSignal): Promise<SessionOutcome>;
}

export interface SessionOutcome {
  readonly isGood: boolean;
  readonly lines: readonly string[];
}

/** A session with each target of each route that has them, for a client that brings nothing. */
export function sessionTrials(
  { routes }: Pick<Config, 'routes'>,
  context: UpstreamContext,
  options: SessionOptions,
): SessionTrial[] {
  return routes.flatMap((route, at) => {
    const kind = kindOf(route);
    if (kind === undefined) return [];
    return targetsOf(route.upstream, kind).map((target, index) => ({
      async run(signal) {
        const tried = { route: withOne(route, index), kind, at };
        const { isGood, lines } = await tryOne(tried, context, options, signal).catch(failed);
        return { isGood, lines: [`SESSION with ${target.name} (route ${route.name}, ${kind})`, ...lines] };
      },
    }));
  });
}

function failed(thrown: unknown): SessionOutcome {
  return { isGood: false, lines: [`  FAILS: ${reasonOf(thrown)}`] };
}

function kindOf({ upstream }: RouteConfig): 'poll' | 'post' | undefined {
  if (upstream.poll !== undefined) return 'poll';
  return upstream.post === undefined ? undefined : 'post';
}

interface Tried {
  readonly route: RouteConfig;
  readonly kind: 'poll' | 'post';
  /** Its place in the list of routes. */
  readonly at: number;
}

async function tryOne(
  tried: Tried,
  context: UpstreamContext,
  options: SessionOptions,
  signal: AbortSignal,
): Promise<SessionOutcome> {
  const files = new WatchedFiles();
  const credentials = openCredentials(tried.route, { files, logger: pino({ enabled: false }) });
  try {
    const scenes = await play(tried, { context, credentials, message: options.message }, signal);
    return tell(scenes, tried, options, compileHiding(tried.route, credentials));
  } finally {
    credentials?.close();
    files.close();
  }
}

/** What stands in place of a text that tells a secret. */
const HIDDEN = '(not shown: it repeats a secret of the configuration)';

/** Compiles what makes of a text from a service one that may be shown: one that repeats a secret of the route is not. */
function compileHiding(route: RouteConfig, credentials: Credentials | undefined): (text: string) => string {
  const concealment = concealmentOf(route, credentials?.concealment);
  return (text) => (tellsSecret(text, concealment) ? HIDDEN : text);
}

interface Playing extends Pick<SessionOptions, 'message'> {
  readonly context: UpstreamContext;
  readonly credentials: Credentials | undefined;
}

/** Plays the session, and leaves nothing open. */
async function play(
  { route, kind }: Tried,
  { context, credentials, message }: Playing,
  signal: AbortSignal,
): Promise<readonly Scene[]> {
  const recorder = new Recorder();
  const pool = new Pool(route, kind, context);
  const http = new HttpPool(pool, ({ target }, connect) =>
    recorder.watch(openHttpTarget(target, connect, pool.http2)),
  );
  const sent = message === undefined ? undefined : { data: message, binary: false };
  try {
    await rehearse(route, { http, recorder, message: sent }, requestFor(route, kind, credentials), signal);
    return recorder.scenes;
  } finally {
    await http.close();
  }
}

function tell(
  scenes: readonly Scene[],
  { route, kind, at }: Tried,
  { file, locate, message }: SessionOptions,
  hidden: (text: string) => string,
): SessionOutcome {
  const config = sessionConfigOf(route.upstream) as PollConfig;
  const prefix = targetsOf(route.upstream, kind)[0]?.base?.pathname.replace(/\/$/, '') ?? '';
  const writer = new SceneWriter(prefix, hidden);
  const faults = scenes.map((scene) => faultOf(scene, config));
  const lines = scenes.flatMap((scene, index) => [...writer.lines(scene), ...faultLines(faults[index])]);
  return {
    isGood: faults.every((fault) => fault === undefined || fault.isDoubt === true),
    lines: [...lines, ...unsentLines(scenes, message)],
  };

  function faultLines(fault: Fault | undefined): string[] {
    if (fault === undefined) return [];
    const { keys, message, hint } = fault;
    // The keys of `send` stand beside the others of `post`.
    const own = kind === 'post' && keys[0] === 'send' ? keys.slice(1) : keys;
    const problem = locate({ path: ['routes', at, 'upstream', kind, ...own], message, hint });
    return [`  ${fault.isDoubt ? 'PERHAPS' : 'FAILS'}: ${formatProblem(file, problem)}`];
  }
}

/** What is not tried is told, for a check that is silent of it would seem to be well. */
function unsentLines(scenes: readonly Scene[], message: string | undefined): string[] {
  if (scenes.some(({ name }) => name === 'send')) return [];
  if (message === undefined) return ['  nothing was sent: --send TEXT does, and may change things there'];
  return scenes.some(({ error }) => error) ? [] : ['  nothing was sent: the service takes no messages'];
}

/** Without which there is no session of a profile: its clients name their transport. */
const BROUGHT: Readonly<Record<string, { readonly suffix?: string; readonly query?: string }>> = {
  'engine.io': { query: 'EIO=4&transport=websocket' },
  sockjs: { suffix: 'websocket' },
};

/** What is the same in all upgrades of a client that brings nothing, from this machine. */
const BARE = {
  method: 'GET',
  headers: [],
  origin: undefined,
  peerAddress: '127.0.0.1',
  clientAddress: '127.0.0.1',
  isPeerTrusted: false,
  secure: false,
  key: '',
  protocols: [],
  deflateOffer: undefined,
} as const;

/** The upgrade of such a client, as the upstream gets to see it. */
function requestFor(route: RouteConfig, kind: 'poll' | 'post', credentials?: Credentials): AdmittedRequest {
  const { path, captures } = placeIn(route.match);
  const { suffix = '', query } = BROUGHT[sessionConfigOf(route.upstream)?.profile ?? 'generic'] ?? {};
  const host = route.match.host?.replace('*', 'host') ?? 'localhost';
  const id = randomUUID();
  const names = { id, connectionId: id, authority: host, clientAuthority: host, host };
  const asked = { ...BARE, ...names, path: path + suffix, query };
  return compileForward(route, kind, credentials).admitted(asked, { claims: {}, releases: [] }, captures);
}

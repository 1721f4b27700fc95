import type { Ending } from '../bridge/contract.ts';
import type { LogConfig } from '../config/schema.ts';
import { type DialFailure, type ErrorCode, type GatewayError, helpFor } from '../errors.ts';
import { isFailure } from '../frames/close.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { EndingDetail, Observer, RefusedRequest, ServedRecord, SessionRecord } from './index.ts';
import type { Logger } from './log.ts';
import { describeError, IS_REDACTED, redactText } from './redact.ts';
import { userAgentOf } from './user-agent.ts';

/** The access log. Each of its fields has a row in config/LOG.md. */

type Level = 'info' | 'warn' | 'error';

/** An `iss` longer than this is no name of anybody. */
const MAX_ISSUER = 200;

const SILENT: Observer = { opened() {}, ended() {}, over() {}, refused() {}, served() {} };

/**
 * Writes the access log: a line when a session opens and when it ends (and when a connection ends whose session goes on), one per refusal, one per plain request. With
 * `errors`, only those of a fault of the gateway's or the upstream's, which are all that are more than `info`; with `off`,
 * none.
 */
export function createAccessLog(logger: Logger, access: LogConfig['access'] = 'all'): Observer {
  if (access === 'off') return SILENT;
  function isWanted(level: Level): boolean {
    return (access === 'all' || level !== 'info') && logger.isLevelEnabled(level);
  }
  function over(session: SessionRecord, ending: Ending, durationMs: number, detail: EndingDetail = {}): void {
    const level = levelOfEnding(ending, detail.code);
    const what = ending.lingers === undefined ? 'session ended' : 'connection ended';
    if (isWanted(level)) logger[level](endingFields(session, ending, durationMs, detail), what);
  }
  return {
    opened(session) {
      if (isWanted('info')) logger.info(whose(session), 'session opened');
    },
    ended: over,
    over,
    refused(request, error, durationMs) {
      const level = levelOfRefusal(error);
      if (isWanted(level))
        logger[level](refusalFields(request, error, durationMs), `${request.kind} refused`);
    },
    served(request, served, durationMs) {
      const level = levelOfAnswer(served.status);
      if (isWanted(level)) logger[level](servedFields(request, served, durationMs), 'request served');
    },
  };
}

function endingFields(
  session: SessionRecord,
  ending: Ending,
  durationMs: number,
  { code, detail, cause }: EndingDetail,
) {
  const { up, down, undelivered } = session;
  return {
    ...whose(session),
    durationMs: Math.round(durationMs),
    up: { messages: up.messages, bytes: up.bytes },
    down: { messages: down.messages, bytes: down.bytes },
    undelivered,
    close: ending.code,
    reason: ending.reason,
    by: ending.by,
    clean: ending.clean,
    error: code,
    help: code && helpFor(code),
    detail,
    ...causeFields(code, cause),
  };
}

function refusalFields(refused: RefusedRequest, error: GatewayError, durationMs: number) {
  return {
    ...asked(refused),
    asked: error.chosen?.asked,
    rule: error.chosen?.rule,
    durationMs: Math.round(durationMs),
    error: error.code,
    help: helpFor(error.code),
    ...(refused.isOpen ? { close: error.close } : { status: error.status }),
    detail: error.detail,
    targets: error.dials?.map(dialFields),
    ...causeFields(error.code, error.code === 'INTERNAL' ? error : error.cause),
  };
}

/** Made for each plain request: of what the client writes, method and host have been checked letter by letter. */
function servedFields(request: GatewayRequest, served: ServedRecord, durationMs: number) {
  const { id, clientAddress, peerAddress, origin, tls } = request;
  const { route, target, subject, issuer, status, bytes, requestBytes } = served;
  return {
    [IS_REDACTED]: true,
    id,
    route,
    target,
    subject: subject && redactText(subject),
    issuer: clippedIssuer(issuer),
    method: request.method,
    clientAddress,
    peerAddress,
    tls: tls?.version,
    cipher: tls?.cipher,
    userAgent: userAgentOf(request.headers),
    origin: origin && redactText(origin),
    host: request.host,
    path: redactText(request.path),
    status,
    bytes,
    requestBytes,
    durationMs: Math.round(durationMs),
  };
}

function whose(session: SessionRecord) {
  const { id, route, bridge, asked, rule, target, subject, clientAddress, peerAddress, tls, cipher } =
    session;
  const { userAgent, origin, host, path, protocol, offered } = session;
  const issuer = clippedIssuer(session.issuer);
  const who = { id, route, bridge, asked, rule, target, subject, issuer };
  return {
    ...who,
    clientAddress,
    peerAddress,
    tls,
    cipher,
    userAgent,
    origin,
    host,
    path,
    protocol,
    offered,
    ...resumed(session),
  };
}

/** A session that begins says nothing of it. */
function resumed({ awayMs }: SessionRecord): { resumed?: true; awayMs?: number } {
  return awayMs === undefined ? {} : { resumed: true, awayMs: Math.round(awayMs) };
}

function asked({ kind, method, ...refused }: RefusedRequest) {
  const { id, route, target, subject, clientAddress, peerAddress, tls, cipher, userAgent } = refused;
  const { origin, host, path } = refused;
  const issuer = clippedIssuer(refused.issuer);
  const who = { id, route, target, subject, issuer, method: kind === 'request' ? method : undefined };
  const from = { clientAddress, peerAddress, tls, cipher, userAgent, origin };
  // What could not be parsed may come with its query still on, and a query may carry a token.
  return { ...who, ...from, host, path: path?.split('?', 1)[0] };
}

function clippedIssuer(issuer: string | undefined): string | undefined {
  return issuer && redactText(issuer, MAX_ISSUER);
}

/** A target that was dialled in vain, and why. */
function dialFields({ target, error: { code, detail, cause } }: DialFailure) {
  return { target, error: code, detail, cause: cause === undefined ? undefined : describeError(cause) };
}

/** The whole error where nobody foresaw it, else the one line that says what lay beneath. */
function causeFields(code: ErrorCode | undefined, cause: unknown): { err?: unknown; cause?: string } {
  if (cause === undefined) return {};
  return code === 'INTERNAL' ? { err: cause } : { cause: describeError(cause) };
}

function levelOfRefusal({ code, status }: GatewayError): Level {
  return code === 'INTERNAL' ? 'error' : levelOfAnswer(status);
}

/** What a service answers is its own affair, and a line to look for if it fails. */
function levelOfAnswer(status: number): Level {
  return status >= 500 ? 'warn' : 'info';
}

/** Sessions also end with our own 5xx codes in the normal run of things (idle, lifetime, restart): only the upstream's faults warn. */
function levelOfEnding({ code: close, by }: Ending, code: ErrorCode | undefined): Level {
  if (code === 'INTERNAL') return 'error';
  const isUpstreams = code?.startsWith('UPSTREAM_') || (by === 'upstream' && isFailure(close));
  return isUpstreams ? 'warn' : 'info';
}

import { Writable } from 'node:stream';
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Ending } from '../bridge/contract.ts';
import type { DialFailure, ErrorCode, GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { EndingDetail, Observer, RefusedRequest, ServedRecord, SessionRecord } from './index.ts';
import { standardOutput, streamDestination } from './log-destination.ts';
import { describeError, IS_REDACTED, REDACTED, redactFields, redactText, SECRET_FIELDS } from './redact.ts';

export type { Logger };

/** What `createLogger` needs to know. */
export interface LoggerOptions {
  /** Coloured lines for a person at a terminal, instead of JSON. */
  readonly pretty?: boolean;
  /** Least severe level that is written; `info` unless given. */
  readonly level?: LevelWithSilent;
  /** Where lines go; standard output unless given. */
  readonly destination?: NodeJS.WritableStream;
}

const FOR_PEOPLE = { colorize: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' };

/**
 * A pino logger whose lines are safe to keep: one JSON object a line, credentials redacted by the name of their
 * field at any depth, texts cut at 1 KiB, no control character or line separator in any of them.
 *
 * No destination can hold up or end the process: at most 1 MiB of lines waits for it, further ones are dropped. Lines to
 * standard output are gathered for at most a fifth of a second; `flush` them before `process.exit`.
 */
export function createLogger({ pretty: forPeople = false, level, destination }: LoggerOptions = {}): Logger {
  const options = {
    level: level ?? 'info',
    base: null,
    timestamp: isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: redactFields },
    // What a child logger is bound to passes by the formatters.
    redact: { paths: SECRET_FIELDS.map((name) => `["${name}"]`), censor: REDACTED },
    // `redactFields` has described errors already; pino's own serializer would copy whatever properties they have.
    serializers: { err: (described: unknown) => described, msg: redactText },
  };
  const hooks = forPeople ? { streamWrite: prettyFactory(FOR_PEOPLE) } : {};
  return pino({ ...options, hooks }, openDestination(destination));
}

let lastMs = 0;
let lastTime = '';

/** pino's own `isoTime`, made once for all lines of a millisecond: all loggers have the same time. */
function isoTime(): string {
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    lastTime = `,"time":"${new Date(now).toISOString()}"`;
  }
  return lastTime;
}

function openDestination(destination: NodeJS.WritableStream | undefined): DestinationStream {
  if (destination === undefined) return standardOutput();
  return destination instanceof Writable ? streamDestination(destination) : destination;
}

/** Resolves when all lines are written, or have been given up: after a second at the latest. */
export function flushLog(logger: Logger): Promise<void> {
  return new Promise((resolve) => logger.flush(() => resolve()));
}

/** Writes the access log: a line when a session opens and when it ends, one per refusal, one per plain request. */
export function createAccessLog(logger: Logger): Observer {
  return {
    opened(session) {
      logger.info(whose(session), 'session opened');
    },
    ended(session, ending, durationMs, detail = {}) {
      const line = endingFields(session, ending, durationMs, detail);
      logger[levelOfEnding(detail.code)](line, 'session ended');
    },
    refused(request, error, durationMs) {
      const line = refusalFields(request, error, durationMs);
      logger[levelOfRefusal(error)](line, `${request.kind} refused`);
    },
    served(request, served, durationMs) {
      logger.info(servedFields(request, served, durationMs), 'request served');
    },
  };
}

function endingFields(
  session: SessionRecord,
  ending: Ending,
  durationMs: number,
  { code, detail, cause }: EndingDetail,
) {
  const { up, down } = session;
  return {
    ...whose(session),
    durationMs: Math.round(durationMs),
    up: { messages: up.messages, bytes: up.bytes },
    down: { messages: down.messages, bytes: down.bytes },
    close: ending.code,
    reason: ending.reason,
    by: ending.by,
    clean: ending.clean,
    error: code,
    detail,
    ...causeFields(code, cause),
  };
}

function refusalFields(request: RefusedRequest, error: GatewayError, durationMs: number) {
  return {
    ...asked(request),
    durationMs: Math.round(durationMs),
    error: error.code,
    status: error.status,
    detail: error.detail,
    targets: error.dials?.map(dialFields),
    ...causeFields(error.code, error.code === 'INTERNAL' ? error : error.cause),
  };
}

/** Made for each plain request: of what the client writes, method and host have been checked letter by letter. */
function servedFields(request: GatewayRequest, served: ServedRecord, durationMs: number) {
  const { id, clientAddress, peerAddress, origin } = request;
  const { route, target, status, bytes } = served;
  return {
    [IS_REDACTED]: true,
    id,
    route,
    target,
    method: request.method,
    clientAddress,
    peerAddress,
    origin: origin === undefined ? undefined : redactText(origin),
    host: request.host,
    path: redactText(request.path),
    status,
    bytes,
    durationMs: Math.round(durationMs),
  };
}

function whose(session: SessionRecord) {
  const { id, route, bridge, target, subject, clientAddress, peerAddress, origin, host, path, protocol } =
    session;
  return { id, route, bridge, target, subject, clientAddress, peerAddress, origin, host, path, protocol };
}

function asked(request: RefusedRequest) {
  const { id, route, clientAddress, peerAddress, origin, host, path } = request;
  // What could not be parsed may come with its query still on, and a query may carry a token.
  return { id, route, clientAddress, peerAddress, origin, host, path: path?.split('?', 1)[0] };
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

function levelOfRefusal(error: GatewayError): 'info' | 'warn' | 'error' {
  if (error.code === 'INTERNAL') return 'error';
  return error.status >= 500 ? 'warn' : 'info';
}

/** Sessions also end with our own 5xx codes in the normal run of things (idle, lifetime, restart): only the upstream's faults warn. */
function levelOfEnding(code: ErrorCode | undefined): 'info' | 'warn' | 'error' {
  if (code === 'INTERNAL') return 'error';
  return code?.startsWith('UPSTREAM_') ? 'warn' : 'info';
}

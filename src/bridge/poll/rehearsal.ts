import type { RouteConfig } from '../../config/schema.ts';
import { asGatewayError } from '../../errors.ts';
import { NORMAL } from '../../frames/close.ts';
import type { HttpTarget } from '../../upstream/client.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import type { HttpPool } from '../../upstream/http-pool.ts';
import type { Ending } from '../contract.ts';
import { sendUntilTaken } from './attempt.ts';
import { Backoff, systemClock } from './backoff.ts';
import { Goodbyes } from './goodbyes.ts';
import { leave } from './leaving.ts';
import { type Opened, SessionOpener } from './opening.ts';
import { keepPolling } from './polling.ts';
import type { Batch, Message } from './profile.ts';
import { NotSent, type Recorder, type Scene } from './recorder.ts';
import { bringReply } from './reply.ts';
import { keyed } from './sending.ts';
import { keepStreaming } from './streaming.ts';

export interface RehearsalParts {
  /** Its clients are watched by `recorder`. Who opened them closes them, after this. */
  readonly http: HttpPool<HttpTarget>;
  readonly recorder: Recorder;
  /** Is sent, if it is given. */
  readonly message?: Message | undefined;
}

/** The client is content, and leaves. */
const GOODBYE = { code: NORMAL, reason: '', by: 'client', clean: true } as const;
/** Milliseconds a service may take for it. */
const GOODBYE_MS = 1_000;

/**
 * Plays a session as the bridge would for the client of `request`: opens it, sends the message if there is one, asks once for
 * messages, and takes its leave. No messages come but into what `recorder` has of it. What is held is given up when `signal`
 * aborts. Never rejects.
 */
export async function rehearse(
  route: RouteConfig,
  parts: RehearsalParts,
  request: AdmittedRequest,
  signal: AbortSignal,
): Promise<void> {
  const { recorder, message } = parts;
  const opened = await open(route, parts, request, signal);
  if (opened === undefined) return;
  if (message !== undefined) await send(opened, message, request, recorder, signal);
  await receive(opened, recorder, signal, () => sayGoodbye(opened, parts, GOODBYE));
}

/** Undefined where there is no session. */
async function open(
  route: RouteConfig,
  parts: RehearsalParts,
  request: AdmittedRequest,
  signal: AbortSignal,
): Promise<Opened | undefined> {
  const { http, recorder } = parts;
  const scene = recorder.begin('open');
  const unanswered: Opened[] = [];
  const opener = new SessionOpener(route, { http, onUnanswered: (opened) => unanswered.push(opened) });
  try {
    const opened = await opener.open(request, signal);
    const messages = opened.opening.messages ?? [];
    if (messages.length > 0) scene.batches.push({ messages, cursor: 'none', commit() {} });
    return opened;
  } catch (thrown) {
    scene.error = asGatewayError(thrown);
    for (const opened of unanswered) await sayGoodbye(opened, parts);
    return undefined;
  }
}

/** Resolves when the service has been told of the end, or cannot be. Never rejects. */
async function sayGoodbye(
  opened: Opened,
  { http, recorder }: RehearsalParts,
  ending?: Ending,
): Promise<void> {
  recorder.begin('close', 1);
  const goodbyes = new Goodbyes({ timeoutMs: GOODBYE_MS, clock: systemClock, onOutcome() {} });
  const said = leave(opened, { http, goodbyes }, ending);
  await goodbyes.close(GOODBYE_MS);
  await said;
}

async function send(
  { http, profile }: Opened,
  message: Message,
  { connectionId }: AdmittedRequest,
  recorder: Recorder,
  signal: AbortSignal,
): Promise<void> {
  const { sends, codes } = profile;
  if (sends === undefined) return;
  const scene = recorder.begin('send', 1);
  const clock = recorder.clockFor(scene);
  await played(scene, signal, async () => {
    const request = sends.send([message], 1);
    if (request === undefined) return;
    const sending = { request: keyed(request, connectionId, 1), sends };
    const parts = { http, codes, backoff: () => new Backoff({ clock }) };
    const outcome = await sendUntilTaken(sending, parts, signal);
    await bringReply(outcome, sends, async (batch) => take(scene, batch));
  });
}

/** Says goodbye when the bridge would: before a poll is given up whose loss is the end of the session, and else behind it. */
async function receive(
  opened: Opened,
  recorder: Recorder,
  signal: AbortSignal,
  leaveIt: () => Promise<void>,
): Promise<void> {
  const { receives } = opened.profile;
  // Where the message has taken all the time, there is none for this.
  if (receives === undefined || signal.aborted) return leaveIt();
  const scene = recorder.begin('poll', 1);
  const receiving = new AbortController();
  const giveUp = () => receiving.abort();
  if (receives.repeats) signal.addEventListener('abort', giveUp, { once: true });
  const done = played(scene, signal, () => receiveOnce(opened, recorder, scene, receiving.signal));
  await Promise.race([done, aborted(signal)]);
  await leaveIt();
  giveUp();
  await done;
  signal.removeEventListener('abort', giveUp);
}

async function receiveOnce(
  { http, profile }: Opened,
  recorder: Recorder,
  scene: Scene,
  signal: AbortSignal,
): Promise<void> {
  const { receives, codes } = profile;
  if (receives === undefined) return;
  const clock = recorder.clockFor(scene);
  const holdMs = receives.mode === 'answers' ? receives.holdMs : receives.silenceMs;
  const common = { http, codes, clock, backoff: new Backoff({ holdMs, clock }) };
  if (receives.mode === 'answers')
    return keepPolling({ ...common, receives, take: async (batch) => take(scene, batch) }, signal);
  async function takeOne(batch: Batch): Promise<boolean> {
    return take(scene, batch) && batch.messages.length === 0;
  }
  await keepStreaming({ ...common, receives, take: takeOne }, signal);
  // A stream goes on, and was left.
  if (scene.end === undefined) scene.next ??= receives.poll();
}

/** Nobody is there to have it, so that it counts as had. */
function take(scene: Scene, batch: Batch): boolean {
  if (scene.heldMs !== undefined) return false;
  scene.batches.push(batch);
  batch.commit();
  scene.end ??= batch.end;
  return batch.end === undefined;
}

/** What ends a scene is told, but for what was done to end it: nobody waits any more when `signal` aborts. */
async function played(scene: Scene, signal: AbortSignal, play: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  const onAbort = () => {
    scene.heldMs = performance.now() - startedAt;
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await play();
  } catch (thrown) {
    const error = asGatewayError(thrown);
    if (!(error.cause instanceof NotSent) && scene.heldMs === undefined) scene.error = error;
  }
  signal.removeEventListener('abort', onAbort);
}

async function aborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

import type { RouteConfig } from '../../config/schema.ts';
import type { AllowRule } from '../../config/tcp/allow.ts';
import { asGatewayError, type ChosenTarget, GatewayError } from '../../errors.ts';
import { Connector, type Spot } from '../connector.ts';
import type { UpstreamContext } from '../context.ts';
import type { AdmittedRequest } from '../forward.ts';
import { introduce } from '../introduction.ts';
import type { Resolution } from '../names/resolver.ts';
import type { Reached } from '../reach.ts';
import { type Target, targetsOf } from '../target.ts';
import { type AskedTarget, readAsked } from './asked.ts';
import { compileNarrow, type Narrow } from './claim-rules.ts';
import { byTurns, dialJudged, spotName } from './dial-judged.ts';
import { compileFill, type FillTarget, malformedTarget, namingClaims } from './fill.ts';
import { judge, ruleFor } from './judge.ts';
import { RuleRecord } from './rule-record.ts';

type Upstream = RouteConfig['upstream'];

/** A target that a client may ask for, if its addresses are such. */
interface Allowed {
  readonly asked: AskedTarget;
  readonly rule: AllowRule;
  readonly request: AdmittedRequest;
  readonly signal: AbortSignal;
}

/**
 * The way to services that clients name by host and port, as far as rules of the configuration allow. A name is looked up
 * once; every address it has is judged, and those that were judged are dialled. One that may not be dialled refuses all of
 * them: such an answer is a mistake or an attack. Nothing is remembered of addresses that were dialled in vain, as pools do of
 * theirs: clients name as many as they like, one that is dead delays the next by 250 ms (RFC 8305), and one that comes to life
 * is there at once.
 */
export class FreeTargets {
  readonly #config: RouteConfig;
  readonly #context: UpstreamContext;
  readonly #rules: readonly AllowRule[];
  readonly #records: ReadonlyMap<AllowRule, RuleRecord>;
  readonly #fill: FillTarget;
  readonly #malformed: (detail: string) => GatewayError;
  readonly #narrow: Narrow;
  readonly #namedBy: readonly string[];
  readonly #connector: Connector;
  readonly #undo: (() => void)[];

  /** Throws CertificateError if a file of the route's `tls` does not serve. */
  constructor(config: RouteConfig, template: string, context: UpstreamContext) {
    const { allow = [], allowClaim } = config.upstream;
    this.#config = config;
    this.#context = context;
    this.#rules = allow;
    this.#malformed = malformedTarget(template, false);
    this.#fill = compileFill(template, this.#malformed);
    this.#narrow = compileNarrow(allowClaim);
    this.#namedBy = [...namingClaims(template), ...(allowClaim === undefined ? [] : [allowClaim])];
    const isSecure = targetAt(config.upstream, { host: 'localhost', port: 1 }).secure;
    this.#connector = new Connector(config.upstream, { context, isSecure, http2: 'off' });
    const entries = allow.map((rule) => [rule, new RuleRecord(config.name, rule.text, context)] as const);
    this.#records = new Map(entries);
    this.#undo = entries.map(([, record]) => context.endpoints.enlist(record));
  }

  /** As Reach says. Rejects with TARGET_MALFORMED or TARGET_REFUSED, too; what is asked for stands in every error. */
  async reach(request: AdmittedRequest, signal: AbortSignal): Promise<Reached> {
    const chosen: { -readonly [key in keyof ChosenTarget]: ChosenTarget[key] } = {};
    try {
      const asked = this.#read(this.#fill(request));
      chosen.asked = asked.text;
      const rule = this.#ruleFor(asked);
      chosen.rule = rule.text;
      this.#narrow(request.grant.claims, asked);
      return await this.#dial({ asked, rule, request, signal }, chosen);
    } catch (thrown) {
      const error = asGatewayError(thrown);
      error.chosen = chosen;
      throw error;
    }
  }

  /** Again is a no-op. */
  close(): void {
    this.#connector.close();
    for (const undo of this.#undo.splice(0)) undo();
  }

  #read(text: string): AskedTarget {
    const asked = readAsked(text);
    if (asked === undefined) throw this.#malformed(`${JSON.stringify(text)} is not host:port`);
    return asked;
  }

  #ruleFor(asked: AskedTarget): AllowRule {
    const rule = ruleFor(this.#rules, asked);
    if (rule === undefined) throw refused('no rule of allow fits it');
    return rule;
  }

  async #dial({ asked, rule, request, signal }: Allowed, chosen: ChosenTarget): Promise<Reached> {
    const addresses = this.#judge(rule, await this.#addressesOf(asked, signal));
    const { upstream, timeouts } = this.#config;
    const target = targetAt(upstream, asked);
    const { socket, address, use } = await dialJudged({
      spots: byTurns(addresses).map((one): Spot => ({ target, address: one })),
      connector: this.#connector,
      opening: { client: () => introduce(request) },
      signal,
      timeoutMs: timeouts.handshake,
      begin: () => (this.#records.get(rule) as RuleRecord).begin(),
    });
    const { text } = asked;
    const name = spotName({ target, address });
    const release = () => use.over();
    return { socket, name, label: rule.text, asked: text, namedBy: this.#namedBy, chosen, release };
  }

  /** All of them, each once, in the spelling that was judged. Throws TARGET_REFUSED if one may not be dialled. */
  #judge(rule: AllowRule, addresses: readonly string[]): string[] {
    const judged = addresses.map((address) => {
      const judgement = judge(rule, address, this.#context.isOwn);
      if ('fault' in judgement) throw refused(judgement.fault);
      return judgement.address;
    });
    return [...new Set(judged)];
  }

  async #addressesOf({ host, isAddress }: AskedTarget, signal: AbortSignal): Promise<readonly string[]> {
    if (isAddress) return [host];
    const flight = this.#context.resolver.resolveFree(host, this.#config.upstream.resolver ?? 'dns');
    if (flight === undefined)
      throw new GatewayError('ROUTE_FULL', { detail: 'too many names are being looked up' });
    const { addresses, failure, isGone } = await unlessAborted(flight, signal);
    if (addresses.length > 0) return addresses;
    // As one that leads where nobody may go: else names could be tried until one is known to be there.
    if (isGone) throw refused('its name has no address', failure);
    throw new GatewayError('UPSTREAM_REFUSED', { detail: 'its name cannot be looked up', cause: failure });
  }
}

function refused(detail: string, cause?: Error): GatewayError {
  return new GatewayError('TARGET_REFUSED', { detail, cause });
}

function targetAt(upstream: Upstream, { host, port }: Pick<AskedTarget, 'host' | 'port'>): Target {
  return targetsOf({ ...upstream, tcp: [{ host, port }] }, 'tcp')[0] as Target;
}

/** Who has asked does not wait any longer; the answer is there for the next. */
async function unlessAborted(flight: Promise<Resolution>, signal: AbortSignal): Promise<Resolution> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new GatewayError('UPSTREAM_TIMEOUT', { detail: 'while looking its name up' }));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([flight, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

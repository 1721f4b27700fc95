import type { Logger } from 'pino';
import type { Claims } from '../admission/claims.ts';
import type { Grant } from '../admission/grant.ts';
import { claimRule } from '../admission/token/require.ts';
import { type CredentialConfig, placeOf } from '../config/credentials.ts';
import type { RouteConfig } from '../config/schema.ts';
import { readCredential, Secret } from '../config/secret.ts';
import { cgiSpelling } from '../http/header-classes.ts';
import type { HeaderField } from '../http/request.ts';
import type { FileObserver, WatchedFiles } from '../watched-files.ts';
import { Concealment } from './concealment.ts';

/** What the gateway proves itself with at the upstreams of a route, and nobody else learns. */

/** What goes with one request: it is written with it, and kept nowhere. */
export interface Proof {
  readonly fields: readonly HeaderField[];
  /** Parameters, percent-encoded; empty if there are none. */
  readonly query: string;
  /** Offered behind those of the client. */
  readonly protocols: readonly string[];
}

/** Where the gateway proves itself with nothing. */
export const NO_PROOF: Proof = { fields: [], query: '', protocols: [] };

/** The proof as it is now: it changes when a file does. */
export type ProofSource = () => Proof;

export interface CredentialDeps {
  readonly files: WatchedFiles;
  readonly logger: Logger;
  readonly reloads?: FileObserver | undefined;
}

/**
 * Opens the credentials of a route; undefined if it has none. Throws CredentialError for a file that cannot be used. One
 * that cannot be used later is logged, and what it held before stays.
 */
export function openCredentials(route: RouteConfig, deps: CredentialDeps): Credentials | undefined {
  const { credentials } = route.upstream;
  if (credentials === undefined) return undefined;
  const logger = deps.logger.child({ route: route.name });
  return new Credentials(credentials, { ...deps, logger });
}

export class Credentials {
  readonly #all: readonly Credential[];
  readonly #undo: (() => void)[] = [];
  readonly #logger: Logger;
  readonly #reloads: FileObserver | undefined;
  /** What answers must not tell. */
  readonly concealment: Concealment;

  constructor(configs: readonly CredentialConfig[], { files, logger, reloads }: CredentialDeps) {
    this.#logger = logger;
    this.#reloads = reloads;
    this.concealment = new Concealment(configs.flatMap(({ query }) => query ?? []));
    const watch: Watch = (file, read) =>
      void this.#undo.push(files.watch([file], () => this.#renew(file, read)));
    try {
      this.#all = configs.map((config) => new Credential(config, watch));
    } catch (error) {
      this.close();
      throw error;
    }
    this.#conceal();
  }

  /** What is lent to a client; nothing to one that has proven nothing. */
  proofFor({ claims, isUnproven }: Pick<Grant, 'claims' | 'isUnproven'>): ProofSource {
    const chosen = isUnproven ? [] : firstOfEachPlace(this.#all.filter((one) => one.fits(claims)));
    return () => proofOf(chosen);
  }

  /** Looks at no file any more; again is a no-op. */
  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #renew(file: string, read: () => boolean): void {
    try {
      if (!read()) return;
      this.#conceal();
      this.#reloads?.reloaded('credentials', 'renewed');
      this.#logger.info({ file }, 'credential renewed');
    } catch (error) {
      const { message: detail } = error as Error;
      this.#reloads?.reloaded('credentials', 'refused');
      this.#logger.error({ file, detail }, 'credential not renewed: the old one stays in use');
    }
  }

  #conceal(): void {
    this.concealment.hide(this.#all.flatMap((one) => one.secrets));
  }
}

function firstOfEachPlace(fitting: readonly Credential[]): readonly Credential[] {
  return fitting.filter((one, index) => fitting.findIndex(({ key }) => key === one.key) === index);
}

function proofOf(chosen: readonly Credential[]): Proof {
  const proof = { fields: [] as HeaderField[], query: [] as string[], protocols: [] as string[] };
  for (const { place, name, text } of chosen) {
    if (place === 'header') proof.fields.push([name, text]);
    else if (place === 'query') proof.query.push(`${encodeURIComponent(name)}=${encodeURIComponent(text)}`);
    else proof.protocols.push(text);
  }
  return { ...proof, query: proof.query.join('&') };
}

/** Has a file watched: when it changes, `read` reads it again, and says whether it holds something else. */
type Watch = (file: string, read: () => boolean) => void;

/** One entry of the list. */
class Credential {
  readonly place: 'header' | 'query' | 'subprotocol';
  readonly name: string;
  /** Of its place: entries of one place exclude each other. */
  readonly key: string;
  readonly #lacking: (claims: Claims) => string | undefined;
  readonly #lead: string;
  #value: Secret;
  /** An answer that is under way may still repeat it. */
  #former: Secret | undefined;

  constructor(config: CredentialConfig, watch: Watch) {
    const { place, name } = placeOf(config);
    const { value } = config;
    this.place = place;
    this.name = name;
    this.key = `${place} ${cgiSpelling(name)}`;
    this.#lacking = claimRule(config.when ?? {});
    this.#lead = place === 'subprotocol' ? name : config.prefix;
    if (value instanceof Secret) {
      this.#value = value;
      return;
    }
    watch(value.file, () => this.#renew(readCredential(value.file, place)));
    this.#value = new Secret(readCredential(value.file, place));
  }

  /** As it stands in a request. */
  get text(): string {
    return this.#lead + this.#value.reveal();
  }

  get secrets(): string[] {
    return [this.#value, this.#former].flatMap((secret) => secret?.reveal() ?? []);
  }

  fits(claims: Claims): boolean {
    return this.#lacking(claims) === undefined;
  }

  #renew(text: string): boolean {
    if (text === this.#value.reveal()) return false;
    this.#former = this.#value;
    this.#value = new Secret(text);
    return true;
  }
}

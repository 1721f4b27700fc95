import { constants } from 'node:crypto';
import type { SecureContext, SecureContextOptions, Server, TlsOptions } from 'node:tls';
import {
  type Authorities,
  type Identity,
  type IdentityFiles,
  readAuthorities,
  readIdentity,
  secureContext,
} from '../config/certificate.ts';
import type { ListenerConfig } from '../config/schema.ts';
import { type CertificateSource, type CertificateWatch, unwatched } from '../watched-certificates.ts';
import { tryHandshake } from './trial.ts';

type TlsConfig = NonNullable<ListenerConfig['tls']>;

/** A certificate with which a handshake has worked, and what shows it. */
interface Shown {
  readonly identity: Identity;
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
}

/**
 * Reads the certificates of a listener, and tries each in a handshake. Rejects with CertificateError naming the file that
 * does not serve. The caller closes it.
 */
export async function openTls(
  { host, port, tls }: Pick<ListenerConfig, 'host' | 'port'> & { tls: TlsConfig },
  certificates: CertificateWatch = unwatched,
  ticketKeys?: (of: string) => Buffer,
): Promise<ListenerTls> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const opened = new ListenerTls(tls, address, ticketKeys);
  try {
    await opened.read(certificates);
    return opened;
  } catch (error) {
    opened.close();
    throw error;
  }
}

/**
 * What one listener proves itself with, and whose clients it believes. A file that has changed is tried in a handshake, and
 * takes the place of the old one for new connections; those that are open are not touched.
 */
export class ListenerTls {
  readonly #config: TlsConfig;
  readonly #address: string;
  readonly #ticketKeys: ((of: string) => Buffer) | undefined;
  readonly #undo: (() => void)[] = [];
  #authorities: Authorities | undefined;
  /** In the order of the configuration. */
  #shown: readonly Shown[] = [];
  #server: Server | undefined;
  /** One renewal after the other: each is built on what the one before has left. */
  #queue: Promise<void> = Promise.resolve();

  /** `ticketKeys` are what other processes read tickets with, too; absent: those of this process alone. */
  constructor(config: TlsConfig, address: string, ticketKeys?: (of: string) => Buffer) {
    this.#config = config;
    this.#address = address;
    this.#ticketKeys = ticketKeys;
  }

  /** Reads and tries what is to be served. Rejects with CertificateError. Call it once. */
  read(certificates: CertificateWatch): Promise<void> {
    return this.#inTurn(async () => {
      const { clientCa, certificates: all } = this.#config;
      this.#authorities = clientCa === undefined ? undefined : this.#readAuthorities(clientCa, certificates);
      const identities = all.map((files, index) => this.#readIdentity(files, index, certificates));
      this.#shown = await this.#tryAll(identities, this.#authorities);
    });
  }

  /**
   * ALPN `http/1.1` only; the certificate chosen by server name, the first one for names none of them covers; clients asked
   * for theirs if there is somebody to vouch for them.
   */
  get options(): TlsOptions {
    const { clientCa, clientAuth = 'required' } = this.#config;
    return {
      ...this.#shown[0]?.options,
      ALPNProtocols: ['http/1.1'],
      SNICallback: (servername, answer) => answer(null, this.#shownTo(servername)),
      requestCert: clientCa !== undefined,
      rejectUnauthorized: clientAuth === 'required',
    };
  }

  /** What is renewed is served by `server` from here on. */
  serve(server: Server): void {
    this.#server = server;
    // Not before: with the address a cluster gives it the keys that its first process began with.
    server.once('listening', () => this.#shareTickets());
  }

  /** Renews nothing any more; again is a no-op. */
  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #readIdentity(files: IdentityFiles, index: number, certificates: CertificateWatch): Identity {
    return this.#watch(certificates, {
      listener: this.#address,
      paths: [files.cert, files.key],
      read: () => readIdentity(files),
      expiries: ({ expiresAt }) => [{ name: files.cert, expiresAt }],
      renew: (identity) =>
        this.#inTurn(async () => {
          const shown = await tried(this.#contextOptions(identity, this.#authorities), identity);
          this.#swap(this.#shown.with(index, shown));
        }),
    });
  }

  #readAuthorities(file: string, certificates: CertificateWatch): Authorities {
    return this.#watch(certificates, {
      listener: this.#address,
      paths: [file],
      read: () => readAuthorities(file, new Date()),
      expiries: ({ expiresAt }) => [{ name: file, expiresAt }],
      renew: (authorities) =>
        this.#inTurn(async () => {
          const identities = this.#shown.map(({ identity }) => identity);
          this.#swap(await this.#tryAll(identities, authorities));
          this.#authorities = authorities;
        }),
    });
  }

  #watch<T>(certificates: CertificateWatch, source: CertificateSource<T>): T {
    const { value, close } = certificates.watch(source);
    this.#undo.push(close);
    return value;
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(step);
    this.#queue = done.catch(() => {});
    return done;
  }

  async #tryAll(identities: readonly Identity[], authorities: Authorities | undefined): Promise<Shown[]> {
    const shown: Shown[] = [];
    for (const identity of identities)
      shown.push(await tried(this.#contextOptions(identity, authorities), identity));
    return shown;
  }

  #contextOptions({ cert, key }: Identity, authorities: Authorities | undefined): SecureContextOptions {
    const { minVersion } = this.#config;
    if (authorities === undefined) return { cert, key, minVersion };
    // A resumed session would bring along what its client has proven once, whoever is believed by now (RFC 8446 §4.6.1).
    return { cert, key, minVersion, ca: authorities.pem, secureOptions: constants.SSL_OP_NO_TICKET };
  }

  /** For clients that name no server the context is the server's own; a new one takes no tickets of the old one. */
  #swap(shown: readonly Shown[]): void {
    this.#shown = shown;
    const [first] = shown;
    // Only what was tried: it takes anything, an empty file too, and every later handshake fails.
    if (first !== undefined) this.#server?.setSecureContext(first.options);
    this.#shareTickets();
  }

  /** Tickets are good with every process that shows the same certificates. */
  #shareTickets(): void {
    if (this.#ticketKeys === undefined) return;
    const shown = this.#shown.map(({ identity }) => identity.certificate.fingerprint256);
    this.#server?.setTicketKeys(this.#ticketKeys([this.#address, ...shown].join(' ')));
  }

  /** An exact name wins over a wildcard, whatever their order. */
  #shownTo(servername: string): SecureContext | undefined {
    const covers = (options?: { wildcards: boolean }) =>
      this.#shown.find(({ identity }) => identity.certificate.checkHost(servername, options));
    return (covers({ wildcards: false }) ?? covers() ?? this.#shown[0])?.context;
  }
}

async function tried(options: SecureContextOptions, identity: Identity): Promise<Shown> {
  const context = secureContext(identity.files.cert, options);
  await tryHandshake(context, identity);
  return { identity, options, context };
}

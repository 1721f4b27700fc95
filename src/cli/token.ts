import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { IssuerConfig } from '../config/schema.ts';
import { suggestion } from '../config/suggest.ts';
import { parseDuration } from '../config/units.ts';
import { CommandError, type Context, EXIT } from './context.ts';

type Claims = Record<string, unknown>;

interface TokenOptions {
  readonly config?: string;
  readonly for?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly secret?: string;
  readonly key?: string;
  readonly alg?: string;
  readonly subject?: string;
  readonly claim: Claims;
  /** Milliseconds from now; below zero in the past. */
  readonly expires: number;
}

/** Who signs, and with what. */
interface Signer {
  readonly issuer: string;
  /** Undefined for an issuer that says none. */
  readonly audience: string | undefined;
  readonly key: KeyObject;
  readonly alg: string;
}

/** Gives `command` the options of `sallyport token`. */
export function tokenCommand(command: Command): Command {
  return command
    .description('mint a token for development')
    .option('--config <file>', 'take issuer, audience, algorithm and secret from a configuration')
    .option('--for <name>', 'which of its issuers, if it has several')
    .option('--issuer <url>', 'the `iss` claim')
    .option('--audience <name>', 'the `aud` claim')
    .option('--secret <text>', 'sign with HMAC')
    .option('--key <file>', 'sign with a private key in PEM form')
    .option('--alg <name>', 'signature algorithm, if not the one that suits the key')
    .option('--subject <name>', 'the `sub` claim')
    .addOption(
      new Option('--claim <name=value>', 'any other claim, as JSON if it is; repeatable')
        .argParser(addClaim)
        .default({}, 'none'),
    )
    .addOption(
      new Option('--expires <duration>', 'from now; -1m makes a token that has expired')
        .argParser(readExpiry)
        .default(3_600_000, '1h'),
    );
}

/** `sallyport token`: writes a signed token, and nothing else, to stdout. Throws CommandError and ConfigError. */
export async function mintToken(context: Context, options: TokenOptions): Promise<void> {
  const { issuer, audience, key, alg } = await findSigner(context, options);
  const { SignJWT } = await import('jose');
  const nowS = Math.floor(Date.now() / 1000);
  const expiresS = nowS + Math.round(options.expires / 1000);
  const token = new SignJWT({ ...options.claim })
    .setProtectedHeader({ alg, typ: 'JWT' })
    .setIssuer(issuer)
    .setIssuedAt(Math.min(nowS, expiresS))
    .setExpirationTime(expiresS);
  if (audience !== undefined) token.setAudience(audience);
  if (options.subject !== undefined) token.setSubject(options.subject);
  const text = await token.sign(key).catch((cause: Error) => {
    throw usage(`cannot sign with ${alg}: ${cause.message}`, cause);
  });
  context.stdout.write(`${text}\n`);
}

async function findSigner(context: Context, options: TokenOptions): Promise<Signer> {
  const issuer =
    options.config === undefined ? undefined : await configured(context, options.config, options.for);
  const iss = options.issuer ?? issuer?.issuer;
  const audience = options.audience ?? issuer?.audience[0];
  const isForAnybody = issuer?.audience.length === 0;
  if (iss === undefined || (audience === undefined && !isForAnybody)) {
    throw usage('say who the token is from and for: --issuer and --audience, or --config FILE');
  }
  const key = await findKey(options, issuer);
  return { issuer: iss, audience, key, alg: options.alg ?? issuer?.algorithms[0] ?? defaultAlgorithm(key) };
}

async function configured(context: Context, file: string, name: string | undefined): Promise<IssuerConfig> {
  const { loadConfig } = await import('../config/load.ts');
  const { issuers } = (await loadConfig(file, context)).config;
  const names = Object.keys(issuers);
  if (name === undefined && names.length > 1) throw usage(`--for: which issuer? ${names.join(', ')}`);
  const wanted = name ?? names[0];
  if (wanted === undefined) throw usage(`${file} has no issuers`);
  const issuer = Object.hasOwn(issuers, wanted) ? issuers[wanted] : undefined;
  if (issuer === undefined)
    throw usage(`--for: no issuer ${wanted} in ${file}; ${suggestion(wanted, names)}`);
  return issuer;
}

async function findKey({ secret, key }: TokenOptions, issuer: IssuerConfig | undefined): Promise<KeyObject> {
  if (secret !== undefined && key !== undefined) throw usage('--secret and --key exclude one another');
  if (key !== undefined) return privateKey(key);
  const text = secret ?? issuer?.secret;
  if (text !== undefined && text !== '') return createSecretKey(Buffer.from(text));
  throw usage(
    issuer === undefined
      ? 'say what to sign with: --secret or --key'
      : 'this issuer has no secret: sign with --key FILE',
  );
}

async function privateKey(file: string): Promise<KeyObject> {
  const pem = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw usage(`--key: cannot read ${file} (${cause.code})`, cause);
  });
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw usage(`--key: ${file} is not a private key in PEM form without a passphrase`, cause);
  }
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};
const KEY_TYPES: Readonly<Record<string, string>> = { rsa: 'RS256', 'rsa-pss': 'PS256', ed25519: 'EdDSA' };

/** The algorithm that suits a key. Throws CommandError if there is none. */
function defaultAlgorithm({ type, asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (type === 'secret') return 'HS256';
  const alg = CURVES[asymmetricKeyDetails?.namedCurve ?? ''] ?? KEY_TYPES[asymmetricKeyType ?? ''];
  if (alg === undefined) throw usage(`no algorithm suits a key of type ${asymmetricKeyType}`);
  return alg;
}

/** Takes one more `name=value` among the claims; the value as JSON if it is. */
export function addClaim(text: string, claims: Claims): Claims {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Expected NAME=VALUE.');
  return { ...claims, [name]: jsonOrText(value) };
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function readExpiry(text: string): number {
  const ms = parseDuration(text.replace(/^-/, ''));
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration like 15m, 1h or 7d.');
  return text.startsWith('-') ? -ms : ms;
}

function usage(message: string, cause?: unknown): CommandError {
  return new CommandError(message, EXIT.usage, { cause });
}

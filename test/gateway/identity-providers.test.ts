import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { type Changes, startExample } from '../support/example.ts';
import type { TestGateway } from '../support/gateway.ts';
import { type Oidc, startOidc } from '../support/oidc.ts';
import { handshake, say } from '../support/raw.ts';
import { jwk, keySet, mintText, type SigningKey, signingKey } from '../support/tokens.ts';

/** The examples for identity providers, with tokens, documents and key sets shaped as theirs. Only their addresses are ours. */

const NOW_S = Math.floor(Date.now() / 1000);
const TIMES = { iat: NOW_S - 10, exp: NOW_S + 3_600 };
const RSA = signingKey('RS256');
const NEXT_RSA = signingKey('RS256');
const EC = signingKey('ES256');
const WEB = 'f7b5c1d2-web';

type Claims = Readonly<Record<string, unknown>>;

/** What the service saw of a client, or the status it was refused with. */
type Outcome = IncomingHttpHeaders | number;

interface World {
  readonly gateway: TestGateway;
  readonly oidc: Oidc;
  /** Opens a WebSocket with a token by this key. */
  open(claims: Claims, key?: SigningKey, kid?: string, path?: string): Promise<Outcome>;
}

/** The example NAME; `url` is its issuer, whose path our provider has as well. `publish` makes its keys known, and may change more. */
async function startWorld(
  name: string,
  url: string,
  publish: (oidc: Oidc) => Changes | undefined,
): Promise<World> {
  const service = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void service.close());
  let seen: IncomingHttpHeaders = {};
  service.on('connection', (socket, { headers }) => {
    seen = headers;
    socket.terminate();
  });
  await once(service, 'listening');
  const oidc = await startOidc(/^https:\/\/[^/]+(.*)$/.exec(url)?.[1] ?? '');
  const { port } = service.address() as AddressInfo;
  const changes = { [url]: oidc.issuer, 'ws://127.0.0.1:3000': `ws://127.0.0.1:${port}`, ...publish(oidc) };
  const gateway = await startExample(name, changes);

  async function open(claims: Claims, key = RSA, kid = 'one', path = '/chat'): Promise<Outcome> {
    const header = JSON.stringify({ alg: key.alg, typ: 'JWT', kid });
    const token = mintText(key, header, JSON.stringify({ iss: oidc.issuer, ...TIMES, ...claims }));
    const fields = { Authorization: `Bearer ${token}`, Origin: 'https://app.example.com' };
    const wire = await say(gateway.port, handshake(path, fields));
    const { status } = await wire.answer();
    return status === 101 ? seen : status;
  }
  return { gateway, oidc, open };
}

describe('Keycloak', () => {
  const TOKEN = {
    jti: 'onrtac:5f0f3c5c-0b54-4ac4-a9a4-8a5e8b1c2d3e',
    aud: 'account',
    sub: '9b2a4b0e-5c53-4d6c-8a67-2f8d1c9e0a11',
    typ: 'Bearer',
    azp: 'web',
    sid: '0e5b5c7e-6f0d-4f5a-9f5d-7b1a2c3d4e5f',
    acr: '1',
    'allowed-origins': ['https://app.example.com'],
    realm_access: { roles: ['default-roles-app', 'offline_access', 'chat-user'] },
    resource_access: { account: { roles: ['manage-account', 'view-profile'] } },
    scope: 'openid email profile',
    email_verified: true,
    preferred_username: 'alice',
  };

  test('lets in who has a role of the realm, and tells the service which', async () => {
    const keys = keySet(
      jwk(signingKey('RS256'), { kid: 'enc', use: 'enc', alg: 'RSA-OAEP' }),
      jwk(RSA, { kid: 'one', use: 'sig', alg: 'RS256' }),
    );
    const { open } = await startWorld('keycloak', 'https://id.example.com/realms/app', ({ publish }) =>
      publish('/realms/app/protocol/openid-connect/certs', keys),
    );
    expect(await open(TOKEN)).toMatchObject({
      'x-user': TOKEN.sub,
      'x-name': 'alice',
      'x-roles': 'default-roles-app,offline_access,chat-user',
    });
    expect(await open({ ...TOKEN, realm_access: { roles: ['default-roles-app'] } })).toBe(403);
    expect(await open({ ...TOKEN, azp: 'admin-cli' })).toBe(403);
    expect(await open({ ...TOKEN, realm_access: undefined })).toBe(403);
    expect(await open({ ...TOKEN, aud: 'broker' })).toBe(401);
  });
});

describe('Auth0', () => {
  const TOKEN = {
    'https://app.example.com/roles': ['editor', 'reviewer'],
    sub: 'auth0|65a1b2c3d4e5f60718293a4b',
    aud: ['https://api.example.com', 'https://tenant.eu.auth0.com/userinfo'],
    azp: WEB,
    scope: 'openid profile email',
    permissions: ['chat:read', 'chat:write'],
  };

  test('lets in by permission, and forwards a claim that a URL names', async () => {
    const key = jwk(RSA, { kid: 'one', use: 'sig', alg: 'RS256', x5t: 'abc', x5c: ['MIIC'] });
    const { oidc, open } = await startWorld('auth0', 'https://tenant.eu.auth0.com/', ({ publish }) =>
      publish('/.well-known/jwks.json', keySet(key)),
    );
    expect(await open(TOKEN)).toMatchObject({
      'x-user': TOKEN.sub,
      'x-roles': 'editor,reviewer',
    });
    expect(await open({ ...TOKEN, permissions: [] })).toBe(403);
    expect(await open({ ...TOKEN, aud: 'https://tenant.eu.auth0.com/userinfo' })).toBe(401);
    expect(await open({ ...TOKEN, iss: oidc.issuer.slice(0, -1) })).toBe(401);
  });
});

describe('Cognito', () => {
  const CLIENT = '1example23456789';
  const ACCESS = {
    sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
    'cognito:groups': ['chat', 'staff'],
    version: 2,
    client_id: CLIENT,
    origin_jti: 'dddddddd-0000-1111-2222-333333333333',
    token_use: 'access',
    scope: 'openid email',
    auth_time: NOW_S - 10,
    username: 'alice',
  };
  const ID = {
    sub: ACCESS.sub,
    aud: CLIENT,
    token_use: 'id',
    email: 'alice@example.com',
    email_verified: true,
    'cognito:username': 'alice',
    'cognito:groups': ['chat'],
  };

  test('lets in access tokens by their client, ID tokens by their audience, and neither for the other', async () => {
    const url = 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE';
    const keys = keySet(
      jwk(RSA, { kid: 'one', use: 'sig', alg: 'RS256' }),
      jwk(NEXT_RSA, { kid: 'two', use: 'sig', alg: 'RS256' }),
    );
    const { open } = await startWorld('cognito', url, ({ publish }) =>
      publish('/eu-central-1_EXAMPLE/.well-known/jwks.json', keys),
    );
    const openAccess = (changes: Claims) => open({ ...ACCESS, ...changes });
    const openId = (changes: Claims) => open({ ...ID, ...changes }, NEXT_RSA, 'two', '/profile');
    expect(await openAccess({})).toMatchObject({
      'x-user': ACCESS.sub,
      'x-name': 'alice',
      'x-groups': 'chat,staff',
    });
    expect(await openId({})).toMatchObject({
      'x-user': ID.sub,
      'x-email': 'alice@example.com',
    });
    expect(await openAccess({ client_id: 'another' })).toBe(403);
    expect(await openAccess({ ...ID })).toBe(403);
    expect(await openId({ aud: 'another' })).toBe(401);
    expect(await open(ACCESS, RSA, 'one', '/profile')).toBe(401);
  });
});

describe('Entra ID', () => {
  const TENANT = '11111111-1111-1111-1111-111111111111';
  const TOKEN = {
    aud: '22222222-2222-2222-2222-222222222222',
    nbf: NOW_S - 10,
    azp: '33333333-3333-3333-3333-333333333333',
    azpacr: '0',
    name: 'Alice Liddell',
    oid: '44444444-4444-4444-4444-444444444444',
    preferred_username: 'alice@example.com',
    roles: ['Chat.User'],
    scp: 'Chat.Read Chat.Write',
    sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
    tid: TENANT,
    uti: 'fqiBqXLPj0eQa82S-IYFAA',
    ver: '2.0',
  };

  test('lets in by tenant, scope and role, with keys that name no algorithm', async () => {
    const url = `https://login.microsoftonline.com/${TENANT}/v2.0`;
    const key = jwk(RSA, { kid: 'one', use: 'sig', x5t: 'one', x5c: ['MIIC'], issuer: url });
    const { open } = await startWorld('entra', url, ({ publish }) =>
      publish(`/${TENANT}/discovery/v2.0/keys`, keySet(key)),
    );
    expect(await open(TOKEN)).toMatchObject({
      'x-user': TOKEN.oid,
      'x-name': 'alice@example.com',
      'x-roles': 'Chat.User',
    });
    expect(await open({ ...TOKEN, scp: 'Chat.ReadAll' })).toBe(403);
    expect(await open({ ...TOKEN, roles: undefined })).toBe(403);
    expect(await open({ ...TOKEN, tid: '55555555-5555-5555-5555-555555555555' })).toBe(403);
    expect(await open({ ...TOKEN, iss: `https://sts.windows.net/${TENANT}/`, ver: '1.0' })).toBe(401);
  });
});

describe('Firebase', () => {
  const TOKEN = {
    aud: 'example-project',
    auth_time: NOW_S - 10,
    user_id: 'Xy12Ab34Cd56Ef78Gh90',
    sub: 'Xy12Ab34Cd56Ef78Gh90',
    email: 'alice@example.com',
    email_verified: true,
    firebase: { identities: { 'google.com': ['1234567890'] }, sign_in_provider: 'google.com' },
  };

  test('lets in by project and way of signing in, and follows its keys from one to the next', async () => {
    const url = 'https://securetoken.google.com/example-project';
    const path = '/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com';
    const keys = [RSA, NEXT_RSA].map((key, at) => jwk(key, { kid: `${at}`, use: 'sig', alg: 'RS256' }));
    const { gateway, open } = await startWorld('firebase', url, ({ provider, put }) => {
      put(path, keySet(...keys));
      return { [`https://www.googleapis.com${path}`]: `${new URL(provider.url).origin}${path}` };
    });
    const told = { 'x-user': TOKEN.sub, 'x-email': 'alice@example.com', 'x-provider': 'google.com' };
    expect(await open(TOKEN, RSA, '0')).toMatchObject(told);
    expect(await open(TOKEN, NEXT_RSA, '1')).toMatchObject(told);
    expect(await open({ ...TOKEN, firebase: { sign_in_provider: 'anonymous' } }, RSA, '0')).toBe(403);
    expect(await open({ ...TOKEN, aud: 'other-project' }, RSA, '0')).toBe(401);
    expect(await open(TOKEN, RSA, 'gone')).toBe(401);
    await gateway.logged(({ detail }) => /^kid "gone" for RS256 is not among the keys/.test(String(detail)));
  });
});

describe('Supabase', () => {
  const TOKEN = {
    aud: 'authenticated',
    sub: '123e4567-e89b-12d3-a456-426614174000',
    email: 'alice@example.com',
    phone: '',
    app_metadata: { provider: 'email', providers: ['email'], team: 'red' },
    user_metadata: { team: 'blue' },
    role: 'authenticated',
    aal: 'aal1',
    amr: [{ method: 'password', timestamp: NOW_S - 10 }],
    session_id: 'cccccccc-0000-1111-2222-333333333333',
    is_anonymous: false,
  };

  test('lets in who has signed in, and believes what servers have written of them', async () => {
    const url = 'https://exampleref.supabase.co/auth/v1';
    const jwks = '/.well-known/jwks.json';
    const key = jwk(EC, { kid: 'one', use: 'sig', alg: 'ES256', key_ops: ['verify'], ext: true });
    const { open } = await startWorld('supabase', url, ({ issuer, put }) => {
      put(`/auth/v1${jwks}`, keySet(key));
      return { [`${url}${jwks}`]: `${issuer}${jwks}` };
    });
    expect(await open(TOKEN, EC)).toMatchObject({
      'x-user': TOKEN.sub,
      'x-email': 'alice@example.com',
      'x-team': 'red',
    });
    expect(await open({ ...TOKEN, is_anonymous: true }, EC)).toBe(403);
    expect(await open({ ...TOKEN, role: 'anon', aud: 'anon' }, EC)).toBe(401);
    expect(await open({ ...TOKEN, role: 'service_role' }, EC)).toBe(403);
  });
});

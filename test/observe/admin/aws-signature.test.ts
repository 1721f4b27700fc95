import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Secret } from '../../../src/config/secret.ts';
import { createSignatureFault, type SignedHead } from '../../../src/observe/admin/aws-signature.ts';

/** Of AWS's own test suite for Signature Version 4, and what botocore signs: each request has one right signature. */

const KEY = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
};
const SIGNED_AT = Date.UTC(2015, 7, 30, 12, 36, 0);
const VANILLA = '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31';

interface Signed extends Partial<SignedHead> {
  readonly signature?: string;
  readonly names?: string;
  readonly fields?: readonly string[];
  readonly body?: string;
  readonly key?: string;
  readonly scope?: string;
  readonly date?: string;
  readonly authorization?: string;
  readonly now?: number;
}

function faultOf({
  method = 'GET',
  url = '/',
  signature = VANILLA,
  names = 'host;x-amz-date',
  fields = [],
  body = '',
  key = 'AKIDEXAMPLE',
  scope = '20150830/us-east-1/service/aws4_request',
  date = '20150830T123600Z',
  authorization = `AWS4-HMAC-SHA256 Credential=${key}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  now = SIGNED_AT,
}: Signed) {
  const head = ['Host', 'example.amazonaws.com', 'X-Amz-Date', date, 'Authorization', authorization];
  const request = { method, url, rawHeaders: [...fields, ...head] };
  return createSignatureFault(KEY, () => now)(request, async () => Buffer.from(body));
}

test.each<[string, Signed]>([
  ['get-vanilla', {}],
  [
    'get-vanilla-query-order-key-case',
    {
      url: '/?Param2=value2&Param1=value1',
      signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    },
  ],
  [
    'post-vanilla',
    { method: 'POST', signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b' },
  ],
  [
    'post-x-www-form-urlencoded',
    {
      method: 'POST',
      fields: ['Content-Type', 'application/x-www-form-urlencoded'],
      names: 'content-type;host;x-amz-date',
      body: 'Param1=value1',
      signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    },
  ],
  [
    'get-header-value-trim',
    {
      fields: ['My-Header1', '  value1', 'My-Header2', '  "a   b   c"'],
      names: 'host;my-header1;my-header2;x-amz-date',
      signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    },
  ],
  [
    'a path of @connections, by botocore',
    {
      url: '/prod/@connections/a%3D?b=2&a=x%20y&a-b=1&a=%2F',
      signature: '3f31c086151db9d70cad324adf044dbdeabe2abe6f2ee06db836b4f24c96e5e9',
    },
  ],
  [
    'a path with rare characters, by botocore',
    {
      url: '/$default/@connections/a~(b)',
      signature: '20964241a719503db0a13427383aa1f7ec0e416c5e7bdf44d0e078996940bfa2',
    },
  ],
])('%s is right', async (_name, signed) => {
  expect(await faultOf(signed)).toBeUndefined();
});

const MINUTE = 60_000;

test.each<[string, Signed, string]>([
  ['another method', { method: 'PUT' }, 'does not match'],
  ['another path', { url: '/a' }, 'does not match'],
  ['a query', { url: '/?a=1' }, 'does not match'],
  ['another body', { body: 'x' }, 'does not match'],
  ['a header that is signed and did not come', { names: 'a;host;x-amz-date' }, 'does not match'],
  ['another region', { scope: '20150830/eu-west-1/service/aws4_request' }, 'does not match'],
  ['another service', { scope: '20150830/us-east-1/s3/aws4_request' }, 'does not match'],
  ['another signature', { signature: VANILLA.replace('5', '6') }, 'does not match'],
  ['another access key', { key: 'AKIDEXAMPLF' }, 'another access key'],
  ['a Host that is not signed', { names: 'x-amz-date' }, 'leaves out host'],
  ['a date that is not signed', { names: 'host' }, 'leaves out x-amz-date'],
  ['another day than its key', { scope: '20150829/us-east-1/service/aws4_request' }, 'not of now'],
  ['no date', { date: '' }, 'not of now'],
  ['a date that is none', { date: '20150830T996600Z' }, 'not of now'],
  ['an age of more than five minutes', { now: SIGNED_AT + 5 * MINUTE + 1 }, 'not of now'],
  ['a date far ahead', { now: SIGNED_AT - 5 * MINUTE - 1 }, 'not of now'],
  ['a short signature', { signature: VANILLA.slice(1) }, 'is malformed'],
  ['another algorithm', { authorization: 'AWS4-HMAC-SHA1 Credential=x' }, 'is malformed'],
])('with %s it is wrong', async (_what, signed, fault) => {
  expect(await faultOf(signed)).toContain(fault);
});

test.each([-5, 5])('clocks may differ by %i minutes', async (minutes) => {
  expect(await faultOf({ now: SIGNED_AT + minutes * MINUTE })).toBeUndefined();
});

test('a body is not read for who has no right to push', async () => {
  const rawHeaders = [
    'Authorization',
    `AWS4-HMAC-SHA256 Credential=OTHER/20150830/a/b/aws4_request, SignedHeaders=host, Signature=${createHash('sha256').digest('hex')}`,
  ];
  const body = () => Promise.reject(new Error('it was read'));
  const fault = await createSignatureFault(KEY)({ method: 'POST', url: '/', rawHeaders }, body);
  expect(fault).toBe('is by another access key');
});

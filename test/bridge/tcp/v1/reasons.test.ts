import { describe, expect, test } from 'vitest';
import { tokenOf } from '../../../../src/bridge/tcp/proxy-error.ts';
import { reasonOf } from '../../../../src/bridge/tcp/v1/reasons.ts';
import { ERROR_CODES, GatewayError } from '../../../../src/errors.ts';

/** RFC 9209 §2.3. */
const REGISTERED = new Set(
  `dns_timeout dns_error destination_not_found destination_unavailable destination_ip_prohibited
  destination_ip_unroutable connection_refused connection_terminated connection_timeout connection_read_timeout
  connection_write_timeout connection_limit_reached tls_protocol_error tls_certificate_error tls_alert_received
  http_request_error http_request_denied http_response_incomplete http_protocol_error proxy_internal_response
  proxy_internal_error proxy_configuration_error proxy_loop_detected`.split(/\s+/),
);

const caused = (code: string, deeper?: Error) =>
  new GatewayError('UPSTREAM_REFUSED', {
    cause: Object.assign(new Error('x', deeper && { cause: deeper }), { code }),
  });

describe('the error token of a dial that failed is that of what lay beneath', () => {
  test.each([
    ['ECONNREFUSED', 'connection_refused'],
    ['ECONNRESET', 'connection_terminated'],
    ['ETIMEDOUT', 'connection_timeout'],
    ['EHOSTUNREACH', 'destination_ip_unroutable'],
    ['ENETUNREACH', 'destination_ip_unroutable'],
    ['ENOTFOUND', 'dns_error'],
    ['ESERVFAIL', 'dns_error'],
    ['ETIMEOUT', 'dns_timeout'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls_certificate_error'],
    ['CERT_HAS_EXPIRED', 'tls_certificate_error'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls_certificate_error'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls_certificate_error'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls_protocol_error'],
    ['EPROTO', 'tls_protocol_error'],
    ['ESOMETHINGELSE', 'connection_refused'],
  ])('%s: %s', (code, token) => {
    expect(tokenOf(caused(code))).toBe(token);
  });

  test('however deep it lies', () => {
    const cause = Object.assign(new Error('x'), { code: 'ENOTFOUND' });
    expect(tokenOf(caused('ESOMETHINGELSE', cause))).toBe('dns_error');
  });
});

test.each(ERROR_CODES)('%s has a registered token', (code) => {
  expect(REGISTERED).toContain(tokenOf(new GatewayError(code)));
});

test('what is beneath is not told', () => {
  const error = new GatewayError('UPSTREAM_REFUSED', { detail: 'a secret', cause: new Error('10.0.0.7') });
  expect(reasonOf(error)).toEqual({
    code: 1014,
    error: 'connection_refused',
    text: 'The upstream could not be reached.',
  });
});

test('when to come again stands in the text', () => {
  expect(reasonOf(new GatewayError('DRAINING'))).toEqual({
    code: 1012,
    error: 'proxy_internal_response',
    text: 'The gateway is restarting. Try again in 5 s.',
  });
});

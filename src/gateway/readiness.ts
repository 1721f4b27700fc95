import type { TokenVerifier } from '../admission/token/verifier.ts';
import type { Readiness } from '../observe/admin.ts';

/** New connections are welcome while every issuer has keys and nobody has asked the gateway to stop. */
export function readinessOf(verifiers: ReadonlyMap<string, TokenVerifier>, isDraining: () => boolean) {
  return function ready(): Readiness {
    if (isDraining()) return { ready: false, why: 'draining' };
    const waiting = [...verifiers].filter(([, verifier]) => !verifier.ready).map(([name]) => name);
    return waiting.length === 0
      ? { ready: true }
      : { ready: false, why: `no keys yet of ${waiting.join(', ')}` };
  };
}

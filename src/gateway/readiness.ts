import type { TokenVerifier } from '../admission/token/verifier.ts';
import type { Readiness } from '../observe/admin.ts';

/** What a gateway is at. */
interface Phase {
  readonly isListening: () => boolean;
  readonly isDraining: () => boolean;
}

/** New connections are welcome while all listens, every issuer has keys and nobody has asked the gateway to stop. */
export function readinessOf(
  verifiers: ReadonlyMap<string, TokenVerifier>,
  { isListening, isDraining }: Phase,
) {
  return function ready(): Readiness {
    if (!isListening()) return { ready: false, why: 'starting' };
    if (isDraining()) return { ready: false, why: 'draining' };
    const waiting = [...verifiers].filter(([, verifier]) => !verifier.ready).map(([name]) => name);
    return waiting.length === 0
      ? { ready: true }
      : { ready: false, why: `no keys yet of ${waiting.join(', ')}` };
  };
}

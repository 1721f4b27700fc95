import type { Grant } from '../../admission/grant.ts';
import type { GatewayRequest } from '../../http/request.ts';

/** What a policy knows of a request. */
export type Asking = Pick<GatewayRequest, 'clientAddress' | 'origin' | 'path' | 'headers'> & {
  readonly grant: Pick<Grant, 'subject' | 'claims'>;
};

/** What a policy knows of an endpoint. */
export interface Candidate {
  readonly name: string;
  readonly live: number;
  weight(now: number): number;
}

/** Chooses among candidates, of which there is at least one. */
export type Policy = <C extends Candidate>(candidates: readonly C[], asking: Asking, now: number) => C;

import type { Backchannel } from '../observe/admin/backchannel.ts';
import type { RevocationDesk } from '../observe/admin/revocations.ts';
import type { SessionDesk } from '../observe/admin/sessions.ts';
import type { UpstreamDesk } from '../observe/admin/upstreams.ts';
import type { Readiness } from '../observe/admin.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Commons } from '../store/commons.ts';
import type { Store } from '../store/index.ts';

/** What a gateway is given that is one of several processes, in the place of what it has alone. */
export interface Part {
  /** How many processes there are of the gateway, this one among them. */
  readonly size: number;
  /** Used where the configuration names no store. */
  readonly store: Store;
  readonly commons: Commons;
  /** Numbers sessions in the order in which they are opened, over all processes, none twice. */
  readonly ordinals: () => number;
  /** The keys of TLS session tickets, 48 bytes, the same in all processes; `of` is what the tickets vouch for. */
  readonly ticketKeys: (of: string) => Buffer;
  /** Takes what operators are answered with: there is no admin listener of its own. */
  readonly serve: (desks: Desks) => void;
}

/** What operators are answered with. */
export interface Desks {
  readonly ready: () => Readiness;
  readonly metrics: Pick<Metrics, 'snapshot'>;
  readonly backchannel: Backchannel;
  readonly sessions: SessionDesk;
  readonly revocations: RevocationDesk;
  readonly upstreams: UpstreamDesk;
}

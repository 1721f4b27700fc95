/** A limit that was hit: its key in the configuration, and what it counts per as it is written there (`claim:tenant`). */
export interface LimitHit {
  readonly limit: 'upgrades' | 'connections' | 'requests' | 'messages' | 'bytes';
  readonly per: string;
}

/** What a limit counts per, as clients and metrics are told: of a claim not its name, which may be of any length. */
export function perLabel({ per }: LimitHit): string {
  return per.startsWith('claim:') ? 'claim' : per;
}

/** How much of what is too much, in place of the general sentence of the failure table. */
const TOO_MANY = {
  upgrades: { much: 'upgrades and requests', advice: '; slow down' },
  messages: { much: 'messages', advice: '; slow down' },
  bytes: { much: 'bytes', advice: '; slow down' },
  connections: { much: 'open connections', advice: '' },
  requests: { much: 'requests at a time', advice: '' },
} as const satisfies Record<LimitHit['limit'], object>;

/** The sentence that tells a client which limit it has met, at most 123 bytes (RFC 6455 §5.5). */
export function limitSentence(hit: LimitHit): string {
  const { much, advice } = TOO_MANY[hit.limit];
  return `Too many ${much} per ${perLabel(hit)}${advice}.`;
}

/** The same for the log, which names the claim too. */
export function limitDetail({ limit, per }: LimitHit): string {
  return `${limit} per ${per}`;
}

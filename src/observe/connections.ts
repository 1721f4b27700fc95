import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { type ConnectionObserver, PARTING_REASONS, TLS_FAILURES } from '../listener/observer.ts';
import { Tally } from './tally.ts';

/** Logs what befalls connections that get no further, which come in floods: a line a second at most for each kind. */
export function createConnectionLog(logger: Logger): ConnectionObserver {
  let peerAddress: string | undefined;
  let err: Error | undefined;
  let detail: string | undefined;
  const partings = new Tally((reasons) => {
    logger.warn({ reasons, peerAddress }, 'the gateway is full: connections refused or ended');
  });
  const tlsFailures = new Tally((reasons) => {
    logger.info({ reasons, peerAddress, detail }, 'TLS handshakes failed');
    detail = undefined;
  });
  const acceptFailures = new Tally(({ count }) => {
    logger.error({ count, err }, 'connections could not be accepted');
  });
  return {
    opened() {},
    closed() {},
    parted(reason, peer) {
      peerAddress = peer;
      partings.add(reason);
    },
    tlsFailed(reason, peer, what) {
      // So ends every probe that just looks whether somebody listens.
      if (reason === 'ended') return;
      peerAddress = peer;
      detail = what ?? detail;
      tlsFailures.add(reason);
    },
    acceptFailed(error) {
      err = error;
      acceptFailures.add('count');
    },
  };
}

/** Counts connections in a registry, every series there from the start. */
export function createConnectionMetrics(registry: Registry): ConnectionObserver {
  const registers = [registry];
  let open = 0;
  new Gauge({
    name: 'sallyport_connections_open',
    help: 'Client connections open now, idle ones and those without a request among them.',
    registers,
    collect() {
      this.set(open);
    },
  });
  const parted = new Counter({
    name: 'sallyport_connections_refused_total',
    help: 'Connections refused or ended for want of room: full (answered 503), crowded (sent away unheard), idle (made room for another).',
    labelNames: ['reason'],
    registers,
  });
  const tls = new Counter({
    name: 'sallyport_tls_errors_total',
    help: 'TLS handshakes of clients that failed, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const accept = new Counter({
    name: 'sallyport_accept_errors_total',
    help: 'Connections that the system did not give us.',
    registers,
  });
  for (const reason of PARTING_REASONS) parted.inc({ reason }, 0);
  for (const reason of TLS_FAILURES) tls.inc({ reason }, 0);
  return {
    opened: () => void open++,
    closed: () => void open--,
    parted: (reason) => parted.inc({ reason }),
    tlsFailed: (reason) => tls.inc({ reason }),
    acceptFailed: () => accept.inc(),
  };
}

/** One observer that tells all of `observers`, in their order. */
export function combineConnectionObservers(...observers: readonly ConnectionObserver[]): ConnectionObserver {
  return {
    opened() {
      for (const observer of observers) observer.opened();
    },
    closed() {
      for (const observer of observers) observer.closed();
    },
    parted(reason, peerAddress) {
      for (const observer of observers) observer.parted(reason, peerAddress);
    },
    tlsFailed(reason, peerAddress, detail) {
      for (const observer of observers) observer.tlsFailed(reason, peerAddress, detail);
    },
    acceptFailed(error) {
      for (const observer of observers) observer.acceptFailed(error);
    },
  };
}

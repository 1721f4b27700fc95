import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import {
  type ConnectionObserver,
  PARTING_REASONS,
  PROXY_HEADER_FAILURES,
  TLS_FAILURES,
} from '../listener/observer.ts';
import { Tally } from './tally.ts';

/** Logs what befalls connections that get no further, which come in floods: a line a second at most for each kind. */
export function createConnectionLog(logger: Logger): ConnectionObserver {
  let err: Error | undefined;
  const partings = linesOf((facts) =>
    logger.warn(facts, 'the gateway is full: connections refused or ended'),
  );
  const tlsFailures = linesOf((facts) => logger.info(facts, 'TLS handshakes failed'));
  const headerFailures = linesOf((facts) =>
    logger.warn(facts, 'connections of trusted proxies came without a PROXY header'),
  );
  const acceptFailures = new Tally(({ count }) => {
    logger.error({ count, err }, 'connections could not be accepted');
  });
  return {
    opened() {},
    closed() {},
    parted: partings,
    // So, by `ended`, ends every probe that just looks whether somebody listens.
    tlsFailed(reason, ...known) {
      if (reason !== 'ended') tlsFailures(reason, ...known);
    },
    proxyHeaderFailed(reason, ...known) {
      if (reason !== 'ended') headerFailures(reason, ...known);
    },
    acceptFailed(error) {
      err = error;
      acceptFailures.add('count');
    },
  };
}

/** Lines of one kind: how often for each reason, with the last peer, and the last thing that was known of one. */
function linesOf(write: (facts: object) => void) {
  let peerAddress: string | undefined;
  let detail: string | undefined;
  const tally = new Tally((reasons) => {
    write({ reasons, peerAddress, detail });
    detail = undefined;
  });
  return function add(reason: string, peer: string | undefined, what?: string): void {
    peerAddress = peer;
    detail = what ?? detail;
    tally.add(reason);
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
  const { parted, tls, headers, accept } = countersIn(registers);
  return {
    opened: () => void open++,
    closed: () => void open--,
    parted: (reason) => parted.inc({ reason }),
    tlsFailed: (reason) => tls.inc({ reason }),
    proxyHeaderFailed: (reason) => headers.inc({ reason }),
    acceptFailed: () => accept.inc(),
  };
}

function countersIn(registers: Registry[]) {
  return {
    parted: byReason(
      'sallyport_connections_refused_total',
      'Connections refused or ended for want of room: full (answered 503), crowded (sent away unheard), idle (made room for another).',
      PARTING_REASONS,
      registers,
    ),
    tls: byReason(
      'sallyport_tls_errors_total',
      'TLS handshakes of clients that failed, by reason.',
      TLS_FAILURES,
      registers,
    ),
    headers: byReason(
      'sallyport_proxy_header_errors_total',
      'Connections of trusted proxies that were ended because no PROXY header could be read, by reason.',
      PROXY_HEADER_FAILURES,
      registers,
    ),
    accept: new Counter({
      name: 'sallyport_accept_errors_total',
      help: 'Connections that the system did not give us.',
      registers,
    }),
  };
}

/** A counter that has a series for each reason from the start. */
function byReason(name: string, help: string, reasons: readonly string[], registers: Registry[]) {
  const counter = new Counter({ name, help, labelNames: ['reason'], registers });
  for (const reason of reasons) counter.inc({ reason }, 0);
  return counter;
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
    proxyHeaderFailed(reason, peerAddress, detail) {
      for (const observer of observers) observer.proxyHeaderFailed(reason, peerAddress, detail);
    },
    acceptFailed(error) {
      for (const observer of observers) observer.acceptFailed(error);
    },
  };
}

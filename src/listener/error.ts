/** A listener cannot be opened: a port that is taken, an address nobody has here. The message is for the operator. */
export class ListenerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ListenerError';
  }
}

/** What the system's refusal to listen on an address comes to; `what` names a listener that is not one of the usual ones. */
export function listenError(cause: unknown, host: string, port: number, what?: string): ListenerError {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const where = what === undefined ? address : `${what} ${address}`;
  return new ListenerError(messageFor(cause as NodeJS.ErrnoException, where), { cause });
}

function messageFor({ code, message }: NodeJS.ErrnoException, where: string): string {
  if (code === 'EADDRINUSE')
    return `${where} is taken: stop the program that listens there, or choose another port`;
  if (code === 'EACCES')
    return `${where} is not permitted: choose a port above 1023, or grant the right to it`;
  if (code === 'EADDRNOTAVAIL') return `${where} is not an address of this machine`;
  return `cannot listen on ${where}: ${message}`;
}

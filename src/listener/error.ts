/** A listener cannot be opened: a port that is taken, an address nobody has here. The message is for the operator. */
export class ListenerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ListenerError';
  }
}

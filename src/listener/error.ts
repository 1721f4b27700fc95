/** A listener cannot be opened: a certificate that does not serve, a port that is taken. The message is for the operator. */
export class ListenerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ListenerError';
  }
}

/** A certificate or key does not serve. The message, which names the file, is for the operator. */
export class CertificateError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CertificateError';
  }
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Of a listener; `secure`: it speaks TLS. */
export interface ListeningAddress extends Address {
  readonly secure: boolean;
}

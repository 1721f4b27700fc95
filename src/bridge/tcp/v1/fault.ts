import { GatewayError } from '../../../errors.ts';

/** The client has broken sallyport.tcp.v1; `what` it was, in words of ours. */
export function protocolFault(what: string): GatewayError {
  return new GatewayError('PROTOCOL_ERROR', {
    detail: `sallyport.tcp.v1: ${what}`,
    sentence: `The peer broke sallyport.tcp.v1: ${what}.`.slice(0, 123),
  });
}

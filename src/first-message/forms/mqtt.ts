import type { GatewayError } from '../../errors.ts';
import type { Form } from './form.ts';
import { type Connect, readConnect, withoutField } from './mqtt-connect.ts';

/** What a CONNACK says: in MQTT 3 (MQTT-3.2.2.3), and in MQTT 5 (MQTT 5 §3.2.2.2). */
interface ReturnCode {
  readonly v3: number;
  readonly v5: number;
}
const BAD_PASSWORD: ReturnCode = { v3: 4, v5: 0x86 };
const NOT_AUTHORIZED: ReturnCode = { v3: 5, v5: 0x87 };
const UNAVAILABLE: ReturnCode = { v3: 3, v5: 0x88 };

/**
 * The CONNECT of MQTT 3.1, 3.1.1 and 5: the token is its password, or its user's name. The packet may go on in the next message
 * (MQTT-6.0.0-2).
 */
export function createMqttForm(name: string): Form {
  const field = name === 'username' ? 'username' : 'password';
  return {
    isStream: true,
    isBinary: true,
    read(bytes) {
      const connect = readConnect(bytes);
      if (connect === undefined) return undefined;
      const value = connect[field];
      const token = value && bytes.toString('utf8', value.from + 2, value.to);
      return {
        tokens: token ? [token] : [],
        bare: withoutField(bytes, connect, field),
        refusal: (error) => connack(connect, codeFor(error)),
      };
    },
  };
}

function codeFor({ status }: GatewayError): ReturnCode {
  if (status === 401) return BAD_PASSWORD;
  return status === 403 ? NOT_AUTHORIZED : UNAVAILABLE;
}

function connack({ version }: Connect, { v3, v5 }: ReturnCode): Buffer {
  return Buffer.from(version === 5 ? [0x20, 3, 0, v5, 0] : [0x20, 2, 0, v3]);
}

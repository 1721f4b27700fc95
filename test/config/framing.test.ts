import { expect, test } from 'vitest';
import { parsed, problemOf, sampleConfig } from '../support/config.ts';

/** What messages are on the way to a TCP service. */

const withUpstream = (upstream: string) => sampleConfig().replace('websocket: ws://127.0.0.1:3000', upstream);

test.each([
  'protocols: any',
  'protocols: [mqtt, mqttv3.1]',
  'frames: lines, lineSize: 8KiB',
  'frames: amqp, text: true',
  'frames: text',
])('{ tcp, %s } is legal', (keys) => {
  expect(parsed(withUpstream(`tcp: a:1, ${keys}`)).routes).toHaveLength(1);
});

test.each([
  [
    'tcp: a:1, protocols: mqtt',
    'upstream.protocols: "mqtt" does not fit; expected any, or a list of subprotocols such as [mqtt]',
  ],
  [
    'tcp: a:1, protocols: [mqtt, sallyport.tcp.v1]',
    'upstream.protocols: cannot name sallyport.tcp.v1, which is spoken by itself unless tcpProtocol: off says',
  ],
  ['tcp: a:1, frames: line', 'upstream.frames: "line" is not lines, text or amqp; did you mean lines?'],
  ['tcp: a:1, lineSize: 1KiB', 'upstream.lineSize: has no effect without frames: lines'],
  [
    'tcp: a:1, frames: lines, text: true',
    'upstream.text: has no effect with frames: lines, which takes text messages anyway',
  ],
  ['tcp: a:1, frames: text, text: true', 'upstream.text: has no effect with frames: text'],
  ['websocket: ws://a, frames: lines', 'upstream.frames: has no effect without tcp'],
  ['websocket: ws://a, lineSize: 1KiB', 'upstream.lineSize: has no effect without tcp'],
])('{ %s } is refused', (upstream, problem) => {
  expect(problemOf(withUpstream(upstream))).toMatch(problem);
});

import type { MessageForm, MessageSource } from '../../config/first-message.ts';
import type { Form } from './form.ts';
import { createGraphqlForm } from './graphql-ws.ts';
import { createMqttForm } from './mqtt.ts';
import { createSocketIoForm } from './socket-io.ts';
import { createStompForm } from './stomp.ts';
import { createTextForm } from './text.ts';

const FORMS: Readonly<Record<MessageForm, (name: string) => Form>> = {
  message: createTextForm,
  'graphql-ws': createGraphqlForm,
  'socket.io': createSocketIoForm,
  mqtt: createMqttForm,
  stomp: createStompForm,
};

/** How the first messages of a route's clients are read, where its token is looked for there. */
export function createForm({ from, name }: MessageSource): Form {
  return FORMS[from](name);
}

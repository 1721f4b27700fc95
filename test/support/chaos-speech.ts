/** How clients of each protocol speak by WebSocket. */

/** What a frame of the gateway says. */
export interface Heard {
  /** In order. */
  readonly numbers?: readonly string[];
  /** It is to be answered with these. */
  readonly answers?: readonly string[];
  /** Messages may be sent from now on. */
  readonly isOpen?: boolean;
  /** The service does not know the session any more, and has said so in its own way. */
  readonly isForgotten?: boolean;
}

export interface Speech {
  readonly path: string;
  /** What the client begins with. */
  readonly hello?: string;
  readonly isOpenAtOnce?: boolean;
  read(frame: string): Heard;
  write(text: string): string;
}

/** Numbers as they are; it may speak at once. */
function plain(): Speech {
  return { path: '/any', isOpenAtOnce: true, read: (frame) => ({ numbers: [frame] }), write: (text) => text };
}

function socketIo(): Speech {
  return {
    path: '/socket.io/?EIO=4&transport=websocket',
    read(frame) {
      if (frame.startsWith('0')) return { answers: ['40'] };
      if (frame === '2') return { answers: ['3'] };
      if (frame.startsWith('40')) return { isOpen: true };
      return { numbers: [JSON.parse(frame.slice(2))[1]] };
    },
    write: (text) => `42${JSON.stringify(['up', text])}`,
  };
}

function sockjs(): Speech {
  return {
    path: '/echo/000/any/websocket',
    read: (frame) => (frame === 'o' ? { isOpen: true } : { numbers: JSON.parse(frame.slice(1)) }),
    write: (text) => JSON.stringify([text]),
  };
}

interface Bayeux {
  readonly channel: string;
  readonly clientId?: string;
  readonly successful?: boolean;
  readonly data?: string;
}

function bayeux(): Speech {
  let clientId: string | undefined;
  const say = (message: object) => JSON.stringify([{ clientId, ...message }]);
  const connect = () => say({ channel: '/meta/connect', connectionType: 'websocket' });

  function read(message: Bayeux): Heard {
    if (message.channel === '/numbers') return { numbers: [message.data as string] };
    if (message.successful === false) return { isForgotten: true };
    if (message.channel === '/up') return {};
    clientId = message.clientId;
    return { answers: [connect()], isOpen: message.channel === '/meta/handshake' };
  }

  return {
    path: '/bayeux',
    hello: say({ channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['websocket'] }),
    read(frame) {
      const all = (JSON.parse(frame) as Bayeux[]).map(read);
      return {
        numbers: all.flatMap(({ numbers = [] }) => numbers),
        answers: all.flatMap(({ answers = [] }) => answers),
        isOpen: all.some(({ isOpen }) => isOpen),
        isForgotten: all.some(({ isForgotten }) => isForgotten),
      };
    },
    write: (data) => say({ channel: '/up', data }),
  };
}

/** Makes what one client speaks. */
export const SPEECHES = { plain, 'engine.io': socketIo, sockjs, bayeux };

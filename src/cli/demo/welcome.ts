/** What the demo's terminal shows at start. */
export interface Welcome {
  /** `https://localhost:8443` */
  readonly origin: string;
  /** Valid for an hour. */
  readonly token: string;
  /** `http://127.0.0.1:41234`, if there is an admin listener. */
  readonly admin?: string | undefined;
}

/** The demo's greeting: where to look, a token, two commands that show a refusal and a conversation. */
export function welcome({ origin, token, admin }: Welcome): string {
  const lines = [
    '',
    `  Sallyport's demo is at ${origin}`,
    '  The certificate was made on this machine: the browser warns once; go on.',
    '',
    '  A token for an hour, to be used where the page is not:',
    `    ${token}`,
    '',
    '  In another terminal:',
    `    curl -ki --http1.1 ${HANDSHAKE} ${origin}/strict   # 401: no token`,
    `    npx wscat --no-check -H "Authorization: Bearer $(curl -sk ${origin}/token)" -c ${origin.replace('https', 'wss')}/chat`,
    ...(admin ? [`    curl ${admin}/metrics`] : []),
    '',
    '  Ctrl-C stops.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}

const HANDSHAKE = [
  "-H 'Connection: Upgrade'",
  "-H 'Upgrade: websocket'",
  "-H 'Sec-WebSocket-Version: 13'",
  "-H 'Sec-WebSocket-Key: c2FsbHlwb3J0LWRlbW8hIQ=='",
].join(' ');

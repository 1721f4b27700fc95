import type { Started } from '../started-by.ts';

/** The configuration that `sallyport init` writes, beside a secret in `secretFile`. */
export function starter(secretFile: string): string {
  return `# A WebSocket gateway for one service. \`sallyport check\` says what it means and what is wrong with it.
# Every key and what it does: config/REFERENCE.md of the package; complete examples: config/examples/ there.

listeners:
  - host: 127.0.0.1 # this machine only; absent: every address, which wants the certificate below
    port: 8080
    # tls: { certificates: [{ cert: app.crt, key: app.key }] }

admin: { port: 9090 } # /livez /readyz /metrics, on 127.0.0.1

issuers:
  main: # whose tokens are believed
    issuer: https://localhost/ # the exact \`iss\` of its tokens
    audience: sallyport
    algorithms: [HS256]
    secret: ${JSON.stringify(`file:${secretFile}`)} # who knows it can make tokens: keep it out of version control
    # those of an identity provider, in the place of the two lines above:
    # algorithms: [ES256]
    # jwks: https://id.example.com/.well-known/jwks.json

routes:
  - name: app
    match: { path: /* }
    # origins: [https://app.example.com] # pages that may connect; absent: those of the gateway's own address
    auth: { issuer: main, token: [header, subprotocol] } # of a page: new WebSocket(url, ['app', 'bearer', token])
    limits: { messages: { rate: 100/s, burst: 200, per: connection }, messageSize: 1MiB }
    upstream: { websocket: ws://127.0.0.1:3000 } # your service; one with pages, too: { http: http://127.0.0.1:3000 }
    # one without WebSockets, to which each message is POSTed: { post: http://127.0.0.1:3000/message }
`;
}

/** What the terminal shows once both files are there: the next three commands, and how to connect. */
export function nextSteps(config: string, secret: string, { by, quietly }: Started): string {
  const file = quoted(config);
  const token = `${quietly} token --config ${file} --subject me`;
  return `Written: ${config}
         ${secret}, which signs its tokens: keep it to yourself

What it means:       ${by} check ${file}
To run it:           ${by} serve ${file}
A token for an hour: ${token}

It leads to a WebSocket service on port 3000 of this machine, which you start; until then it answers 502.
If you have none yet, this one lets you type its answers:

  npx wscat --listen 3000

To connect, in another terminal:

  npx wscat --header "Authorization: Bearer $(${token})" --connect ws://127.0.0.1:8080/
`;
}

/** As a shell takes it for one word. */
function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** What keeps gateways from a Redis, in words of their configuration. Pure. */

const MOST_CAUSES = 5;

/** The first that fits: what libraries put around it comes last. */
const FAULTS: readonly (readonly [says: RegExp, means: string])[] = [
  [/\bNOAUTH\b/, 'it asks for a `password`'],
  [/\bWRONGPASS\b|invalid password/, 'it knows no such `username` and `password`'],
  [
    /\bNOPERM\b/,
    'its ACL permits this `username` less than gateways need (config/guide/several-gateways.md)',
  ],
  [/\bREADONLY\b/, 'it is a replica, which takes nothing: name its master'],
  [/\bOOM\b/, 'it is full: raise its maxmemory'],
  [/\bMISCONF\b/, 'it takes nothing until it can write to its disk again'],
  [/\bLOADING\b/, 'it still reads what it keeps on its disk'],
  [
    /\b(MOVED|CLUSTERDOWN)\b/,
    'it is a node of a cluster: set `cluster: true`, and see that all its slots are served',
  ],
  [/cluster is not whole/, 'see that each of its slots is served, and that its nodes know each other'],
  [/cluster support disabled/, 'it is no node of a cluster: leave `cluster` out'],
  [/No such master/, 'these Sentinels watch no master of the name in `sentinel`'],
  [/unknown command 'sentinel'/i, 'it is no Sentinel: leave `sentinel` out, or name the Sentinels'],
  [/unknown command/i, 'it does not know what gateways ask: name a Redis, and with `sentinel` the Sentinels'],
  [/sentinels are unreachable/, 'none of these Sentinels answers'],
  [/slots cache|startup nodes/, 'none of these nodes answers for a whole cluster'],
  [/DB index/, 'it has no database of the number behind the port'],
  [
    /connect ETIMEDOUT/,
    'no connection in time: write redis:// where it speaks no TLS; else a firewall may stand between',
  ],
  [
    /RESP type|isn't writeable/,
    'it does not speak as Redis does: write rediss:// where it speaks TLS; else something else listens there',
  ],
  [/max retries per request/, 'the connection to it broke'],
  [/Connection is closed/, 'nothing listens there, or it closes the connection'],
];

/** What is cut from what Redis says: the library's words in front, arguments, and all but the first sentence. */
const AROUND = /^.*Last error: |, with args.*$|\. .*$|\.$/g;

/** Says what to look at, and how Redis puts it; undefined where that is not known here. */
export function redisFault(error: unknown): string | undefined {
  const messages = messagesIn(error);
  for (const [says, means] of FAULTS) {
    const said = messages.find((message) => says.test(message));
    if (said !== undefined) return `${means} (${said.replace(AROUND, '')})`;
  }
  return undefined;
}

/** Those of an error and of what caused it. */
function messagesIn(error: unknown): string[] {
  const messages: string[] = [];
  for (let at = error; at instanceof Error && messages.length < MOST_CAUSES; at = at.cause)
    messages.push(at.message);
  return messages;
}

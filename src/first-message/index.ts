import { harmlessProtocols } from '../admission/token/sources.ts';
import { protocolChooser } from '../bridge/tcp/subprotocol.ts';
import { FORM_PROTOCOLS, isMessageSource, type MessageForm } from '../config/first-message.ts';
import type { RouteConfig } from '../config/schema.ts';
import { upgradesTo } from '../config/upstream-kinds.ts';
import type { UpgradeRequest } from '../http/request.ts';
import type { PendingUpgrade } from '../listener/pending-upgrade.ts';
import { TCP_PROTOCOL } from '../tcp-protocol/types.ts';
import { createForm } from './forms/index.ts';
import { type FirstMessagePlan, Opening } from './opening.ts';

/** Makes of an upgrade one whose client may show its token in its first message. */
export type Open = (pending: PendingUpgrade, request: UpgradeRequest) => Opening;

/** Compiles what a route does with first messages; undefined where it looks for no token in them. */
export function compileFirstMessage(route: RouteConfig): Open | undefined {
  const { auth, limits, timeouts } = route;
  const source = auth === 'none' ? undefined : auth.token.find(isMessageSource);
  if (auth === 'none' || source === undefined) return undefined;
  const form = createForm(source);
  const isWhole = source.from === 'message' && source.name === '';
  const fate = auth.firstMessage ?? (isWhole && !auth.forwardToken ? 'drop' : 'forward');
  const passes = auth.forwardToken ? 'whole' : 'bare';
  const plan: FirstMessagePlan = {
    form,
    limits: {
      withinMs: timeouts.handshake,
      messageSize: limits.messageSize ?? Infinity,
      fragments: limits.fragments,
    },
    closeMs: timeouts.close,
    passes: fate === 'drop' ? 'nothing' : passes,
    unfit: (request) => unfit(request) ?? form.unfit?.(request),
    protocolFor: compileProtocol(route, source.from),
  };
  return (pending, request) => new Opening(pending, request, plan);
}

/** What these speak begins before any message could be waited for. */
function unfit({ connectTcp, protocols }: UpgradeRequest): string | undefined {
  const isOther = connectTcp !== undefined || protocols.includes(TCP_PROTOCOL);
  return isOther ? 'who speaks connect-tcp or sallyport.tcp.v1 shows its token in the handshake' : undefined;
}

/**
 * Which subprotocol the 101 names, before there is an upstream that could choose it: of those by which such clients are known, or
 * else of all that are no credential, the first offered.
 */
function compileProtocol(route: RouteConfig, form: MessageForm): FirstMessagePlan['protocolFor'] {
  // With TCP it is the gateway that chooses in any case.
  if (upgradesTo(route.upstream) === 'tcp') return protocolChooser(route);
  const sources = route.auth === 'none' ? [] : route.auth.token;
  return ({ protocols }) =>
    FORM_PROTOCOLS[form].find((name) => protocols.includes(name)) ?? harmlessProtocols(sources, protocols)[0];
}

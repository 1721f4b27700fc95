import { z } from 'zod';
import {
  readServiceAddress,
  SERVICE_ADDRESS,
  type ServiceAddress,
  serviceAddress,
  weight,
  word,
} from '../fields.ts';
import { addressFault } from './host.ts';
import { addressSlip } from './slips.ts';
import { isTemplate, type TargetTemplate } from './template.ts';

/** The key `tcp` of an upstream: addresses of services, or a template that clients fill. */

export type AddressTarget = ServiceAddress & {
  readonly weight?: number | undefined;
};

/** Fixed ones, of which there is one at least; or what clients fill. */
export type TcpTargets = readonly AddressTarget[] | TargetTemplate;

/** Whether clients name the target. */
export function isDynamic(tcp: TcpTargets | undefined): tcp is TargetTemplate {
  return tcp !== undefined && 'template' in tcp;
}

/** Those of the configuration; none where clients name them. */
export function fixedTargets(tcp: TcpTargets | undefined): readonly AddressTarget[] {
  return tcp === undefined || isDynamic(tcp) ? [] : tcp;
}

const address = serviceAddress.superRefine((where, context) => {
  const message = addressFault(where);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

const addressOrTemplate = word<ServiceAddress | TargetTemplate>(
  SERVICE_ADDRESS,
  (text) => (isTemplate(text) ? { template: text } : readServiceAddress(text)),
  { hint: addressSlip },
).superRefine((target, context) => {
  const message = 'template' in target ? undefined : addressFault(target);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

const weighed = z
  .strictObject({ address: address.describe('Where it is'), weight })
  .transform((one): AddressTarget => ({ ...one.address, weight: one.weight }));

/** Of raw TCP services. */
export const tcpTargets = z
  .union([addressOrTemplate, weighed, z.array(z.union([addressOrTemplate, weighed])).min(1)])
  .transform((value, context): TcpTargets => {
    const all = Array.isArray(value) ? value : [value];
    const template = all.findIndex((one) => 'template' in one);
    if (template === -1) return all as AddressTarget[];
    if (!Array.isArray(value)) return value as TargetTemplate;
    const message = 'a target that clients name stands alone: it cannot be one of a list';
    context.addIssue({ code: 'custom', path: [template], message });
    return z.NEVER;
  });

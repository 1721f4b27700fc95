import { json, type Page } from './page.ts';
import { readParameters } from './parameters.ts';

/** The configuration as it holds, without secrets; made by the gateway. */
export type ConfigDesk = () => Promise<unknown>;

/** `/config`: GET tells the configuration. */
export function configPage(show: ConfigDesk): Page {
  return {
    path: /^\/config$/,
    isGuarded: true,
    methods: {
      async GET({ query }) {
        readParameters(query, []);
        return json(await show());
      },
    },
  };
}

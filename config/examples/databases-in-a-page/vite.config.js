/** What Node has and pages have not: npm's versions of it, and `net` by way of the gateway. */
const alias = [
  { find: /^(?:node:)?net$/, replacement: 'sallyport/client/net' },
  { find: /^(?:node:)?stream$/, replacement: 'readable-stream' },
  { find: /^(?:node:)?process$/, replacement: 'process/browser.js' },
  { find: /^(?:node:)?util\/types$/, replacement: 'util/support/types.js' },
  { find: /^(?:node:)?(buffer|events|util)$/, replacement: '$1/' },
];

/** What has no place in a page: pg and ioredis load it, and do without. */
const ABSENT = /^(?:node:)?(?:assert|crypto|diagnostics_channel|dns|fs|path|tls)$/;
const absent = {
  name: 'absent',
  enforce: 'pre',
  resolveId: (id) => (ABSENT.test(id) ? '\0absent' : null),
  load: (id) => (id === '\0absent' ? 'export default {}' : null),
};

// One copy of each for all: a Buffer of another copy is none.
const dedupe = ['buffer', 'events', 'process', 'readable-stream', 'util'];

export default { plugins: [absent], resolve: { alias, dedupe } };

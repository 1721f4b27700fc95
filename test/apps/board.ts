import { createServer } from 'node:http';
import { useServer } from 'graphql-ws/use/ws';
import { createSchema, createYoga, Repeater } from 'graphql-yoga';
import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { serve } from './serve.ts';

/** A board to post on, served by GraphQL Yoga and graphql-ws at `/graphql`. */
export interface Board {
  readonly port: number;
  /** How many read along at the moment. */
  readers(): number;
}

/** Whom the gateway vouches for. */
interface Context {
  readonly user: unknown;
}

const typeDefs = `
type Query { me: String }
type Mutation { post(text: String!): Boolean! }
type Subscription { posts: String! }`;

/** Starts it; closed when the test has finished. */
export async function startBoard(): Promise<Board> {
  const readers = new Set<(text: string) => unknown>();

  /** What is posted from now on, after a word that says who reads. */
  function read(user: unknown): Repeater<string> {
    return new Repeater(async (push, stop) => {
      readers.add(push);
      void push(`${user} reads`);
      await stop;
      readers.delete(push);
    });
  }
  function post(_root: unknown, { text }: { text: string }): boolean {
    for (const push of readers) push(text);
    return true;
  }

  const schema = createSchema<Context>({
    typeDefs,
    resolvers: {
      Query: { me: (_root, _args, { user }) => user },
      Mutation: { post },
      Subscription: {
        posts: { subscribe: (_root, _args, { user }) => read(user), resolve: (text: string) => text },
      },
    },
  });
  const port = await serveSchema(schema);
  return { port, readers: () => readers.size };
}

async function serveSchema(schema: ReturnType<typeof createSchema<Context>>): Promise<number> {
  const yoga = createYoga<object, Context>({
    schema,
    logging: false,
    context: ({ request }) => ({ user: request.headers.get('x-user') }),
  });
  const http = createServer(yoga);
  const webSockets = new WebSocketServer({ server: http, path: yoga.graphqlEndpoint });
  const context = ({ extra }: { extra: { request: { headers: NodeJS.Dict<unknown> } } }) => ({
    user: extra.request.headers['x-user'],
  });
  const graphqlWs = useServer({ schema, context }, webSockets);
  const port = await serve(http);
  onTestFinished(async () => graphqlWs.dispose());
  return port;
}

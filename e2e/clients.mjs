// The clients that people use, each behind the same two functions, as their own documentation sets them up; and with
// the few lines that make them go on where they were when a connection is lost.
//
//   query(document, variables)              a promise of the data of a query or mutation
//   subscribe(document, variables, onData)  calls onData for each result's data; a promise of an error that ends it
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { RetryLink } from '@apollo/client/link/retry';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient as createEventsClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { map } from 'rxjs';

/** pause is the time until a lost connection is made again: these are tests. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 100));

/** socket is a graphql-ws client that goes on where it was: see docs/STREAMS.md. */
function socket({ url, token, webSocketImpl }) {
  let session;
  const cursors = {};
  return createSocketClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl,
    retryAttempts: Infinity,
    retryWait: pause,
    shouldRetry: () => true, // a refused connection too
    connectionParams: () => ({ authorization: `Bearer ${token}`, session, cursors }),
    on: {
      connected: (_, ack) => (session = ack.session),
      message: ({ id, payload }) => payload?.extensions?.cursor && (cursors[id] = payload.extensions.cursor),
    },
  });
}

/** plain is for clients that take a sink and give a function to stop. */
function plain(client) {
  const run = (query, variables, onData) =>
    new Promise((resolve, reject) => {
      let result;
      client.subscribe({ query, variables }, {
        next: (r) => (r.errors ? reject(new Error(JSON.stringify(r.errors))) : onData((result = r).data)),
        error: (err) => reject(err instanceof Error ? err : new Error(err.message ?? err.reason ?? JSON.stringify(err))),
        complete: () => resolve(result?.data),
      });
    });
  return { query: (query, variables) => run(query, variables, () => {}), subscribe: run };
}

function events(config, singleConnection) {
  let cursor;
  return plain(createEventsClient({
    url: `${config.url}/graphql`,
    singleConnection,
    retryAttempts: Infinity,
    retry: pause,
    headers: () => ({ authorization: `Bearer ${config.token}`, ...(cursor && { 'last-event-id': cursor }) }),
    onMessage: ({ data }) => (cursor = (data?.payload ?? data)?.extensions?.cursor ?? cursor),
  }));
}

function apollo(link) {
  const client = new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions: { query: { fetchPolicy: 'no-cache' }, mutate: { fetchPolicy: 'no-cache' } } });
  return {
    query: async (document, variables) => {
      const parsed = gql(document);
      const mutation = parsed.definitions[0].operation === 'mutation';
      const { data } = await (mutation ? client.mutate({ mutation: parsed, variables }) : client.query({ query: parsed, variables }));
      return data;
    },
    subscribe: (document, variables, onData) =>
      new Promise((resolve, reject) => {
        client.subscribe({ query: gql(document), variables, fetchPolicy: 'no-cache' }).subscribe({
          next: ({ data, error }) => (error ? reject(error) : onData(data)),
          error: reject,
          complete: resolve,
        });
      }),
  };
}

/** apolloMultipart keeps the cursor in a link, and lets another one begin anew with it. */
function apolloMultipart({ url, token }) {
  let cursor;
  return apollo(ApolloLink.from([
    new RetryLink({ delay: { initial: 100, max: 100, jitter: false }, attempts: { max: Infinity } }),
    new SetContextLink(({ headers }) => ({ headers: { ...headers, authorization: `Bearer ${token}`, ...(cursor && { 'last-event-id': cursor }) } })),
    new ApolloLink((operation, forward) => forward(operation).pipe(map((result) => {
      cursor = result.extensions?.cursor ?? cursor;
      return result;
    }))),
    new HttpLink({ uri: `${url}/graphql` }),
  ]));
}

function urql(exchanges, options) {
  const client = new Client({ exchanges, preferGetMethod: false, ...options });
  const settled = (result) => {
    if (result.error) throw result.error;
    return result.data;
  };
  return {
    query: async (document, variables) => settled(await (document.startsWith('mutation') ? client.mutation(document, variables) : client.query(document, variables)).toPromise()),
    subscribe: (document, variables, onData) =>
      new Promise((resolve, reject) => {
        client.subscription(document, variables).subscribe(({ error, data, hasNext }) => {
          if (error) reject(error);
          else if (hasNext) onData(data);
          else resolve(data); // the last result again
        });
      }),
  };
}

/** urqlSocket has subscriptions alone over the socket, as urql's documentation does. */
function urqlSocket(config) {
  const client = socket(config);
  const exchange = subscriptionExchange({
    forwardSubscription: ({ query, variables }) => ({ subscribe: (sink) => ({ unsubscribe: client.subscribe({ query, variables }, sink) }) }),
  });
  return urql([exchange, fetchExchange], { url: `${config.url}/graphql`, fetchOptions: { headers: { authorization: `Bearer ${config.token}` } } });
}

/** urqlEvents begins anew by itself: urql leaves that to an exchange, or to its user. */
function urqlEvents({ url, token }) {
  let cursor;
  const client = urql([fetchExchange], {
    url: `${url}/graphql`,
    fetchSubscriptions: true,
    fetchOptions: () => ({ headers: { authorization: `Bearer ${token}`, ...(cursor && { 'last-event-id': cursor }) } }),
  });
  return {
    ...client,
    subscribe: async (document, variables, onData) => {
      for (;;) {
        const err = await client.subscribe(document, variables, (data) => {
          cursor = data.projectEvents.cursor;
          onData(data);
        }).catch((err) => err);
        if (err?.graphQLErrors?.length) throw err;
        await pause(); // the connection was lost, or is refused
      }
    },
  };
}

export const clients = {
  'graphql-ws': (config) => plain(socket(config)),
  'graphql-sse': (config) => events(config, false),
  'graphql-sse in single connection mode': (config) => events(config, true),
  'Apollo over WebSocket': (config) => apollo(new GraphQLWsLink(socket(config))),
  'Apollo over multipart': apolloMultipart,
  'urql over WebSocket': urqlSocket,
  'urql over SSE': urqlEvents,
};

/** walk asks, publishes and listens, and says what it gets. */
export async function walk(client, say) {
  const { viewer } = await client.query('query { viewer { permissions } }', {});
  if (!viewer.permissions.includes('PUBLISH_EVENTS')) throw new Error('the query gave something else');
  const { publishEvents } = await client.query(
    'mutation($input: [PublishEventInput!]!) { publishEvents(input: $input) { events { sequence cursor } } }',
    { input: [{ sourceService: 'secret-manager', resourceType: 'secret', operationType: 'update', payload: { by: 'walk' } }] },
  );
  const [{ sequence, cursor }] = publishEvents.events;
  say({ published: sequence });
  await client.subscribe(
    'subscription($after: String) { projectEvents(filter: {}, after: $after) { sequence cursor payload } }',
    { after: cursor },
    ({ projectEvents }) => say({ heard: projectEvents.sequence }),
  );
  throw new Error('the subscription ended');
}

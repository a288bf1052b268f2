import type { GraphiQLProps } from 'graphiql';
import { getOperationAST, parse, type ExecutionResult } from 'graphql';
import { createClient, type Client } from 'graphql-ws';

export type Fetcher = GraphiQLProps['fetcher'];
type Params = Parameters<Fetcher>[0];
type Answer = Pick<ExecutionResult, 'data'> & { errors?: readonly { message: string; extensions?: { code?: string } }[] };
type Observer = { next(answer: unknown): void; complete(): void };

/** What the header shows: how hark took the last request, or how the stream is doing while there is one. */
export type State = 'unknown' | 'ready' | 'refused' | 'unreachable' | 'connecting' | 'live' | 'reconnecting';

const refusedCodes = [4401, 4403]; // close codes for a token that is missing, wrong, expired or revoked
const attempts = 10; // connections tried in a row before a stream is given up, about 75 s
const longestWaitSeconds = 10;
const pingMilliseconds = 15_000;
const ackMilliseconds = 10_000;

/** Carries operations to hark: queries and mutations by POST, subscriptions over one WebSocket. */
export class Connection {
  #token = '';
  #streams = 0; // subscriptions that run or come back
  #request: State = 'unknown';
  #socket: State = 'connecting';
  #report: (state: State) => void;
  #client: Client;

  constructor(report: (state: State) => void) {
    this.#report = report;
    this.#client = createClient({
      url: location.origin.replace(/^http/, 'ws') + '/graphql',
      connectionParams: () => (this.#token ? { authorization: `Bearer ${this.#token}` } : undefined),
      connectionAckWaitTimeout: ackMilliseconds,
      keepAlive: pingMilliseconds,
      retryAttempts: attempts,
      // The same token would be refused again, so that error is shown; a browser reports a dead server as a plain Event.
      shouldRetry: (event) => !(event instanceof CloseEvent && refusedCodes.includes(event.code)),
      retryWait: (retries) => {
        const seconds = Math.min(2 ** retries - 1, longestWaitSeconds) + Math.random() / 2;
        return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      },
      on: {
        connecting: (again) => this.#setSocket(again ? 'reconnecting' : 'connecting'),
        connected: () => this.#setSocket('live'),
        closed: () => this.#setSocket('reconnecting'),
      },
    });
  }

  /** Takes effect with the next request or connection; running streams go on with the old one until reconnect. */
  set token(token: string) {
    this.#token = token;
  }

  /** Closes the socket and starts its subscriptions anew, with the token of now. */
  reconnect() {
    this.#client.terminate();
  }

  fetch(params: Params): ReturnType<Fetcher> {
    return isSubscription(params) ? this.#subscribe(params) : this.#post(params);
  }

  async #post(params: Params): Promise<ExecutionResult> {
    try {
      const response = await fetch('/graphql', {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          Accept: 'application/graphql-response+json, application/json;q=0.9',
          ...(this.#token && { Authorization: `Bearer ${this.#token}` }),
        },
        body: JSON.stringify(params),
      });
      const answer = readAnswer(response, await response.text());
      this.#setRequest(
        response.status === 401 || isRefusal(answer) ? 'refused' : response.status >= 500 ? 'unreachable' : 'ready',
      );
      return answer as ExecutionResult;
    } catch (err) {
      this.#setRequest('unreachable');
      return failure(`hark at ${location.origin} did not answer: ${err instanceof Error ? err.message : err}`);
    }
  }

  #subscribe(params: Params): ReturnType<Fetcher> {
    const subscribe = (observer: Observer) => {
      let open = true;
      const end = () => {
        if (!open) return;
        open = false;
        this.#streams--;
        this.#show();
      };
      this.#streams++;
      const unsubscribe = this.#client.subscribe(
        { query: params.query, variables: params.variables, operationName: params.operationName },
        {
          next: (answer) => open && observer.next(answer),
          error: (err) => {
            if (!open) return;
            if (err instanceof CloseEvent && refusedCodes.includes(err.code)) this.#request = 'refused';
            observer.next(readFailure(err));
            observer.complete();
            end();
          },
          complete: () => {
            // It can come long after a stop, when GraphiQL would take it for the end of the next run.
            if (open) observer.complete();
            end();
          },
        },
      );
      this.#show(); // no event comes from a socket that is open already
      return {
        unsubscribe: () => {
          end();
          unsubscribe();
        },
      };
    };
    return { subscribe } as ReturnType<Fetcher>;
  }

  #setRequest(state: State) {
    this.#request = state;
    this.#show();
  }

  #setSocket(state: State) {
    this.#socket = state;
    this.#show();
  }

  #show() {
    this.#report(this.#streams > 0 ? this.#socket : this.#request);
  }
}

function isSubscription({ query, operationName }: Params): boolean {
  try {
    return getOperationAST(parse(query), operationName)?.operation === 'subscription';
  } catch {
    return false; // not GraphQL: the server says where
  }
}

function failure(message: string): ExecutionResult {
  return { errors: [{ message }] } as unknown as ExecutionResult;
}

// readAnswer takes what a proxy may put in hark's place for what it is, instead of failing to parse it.
function readAnswer(response: Response, body: string): Answer {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    answer = null;
  }
  if (answer && typeof answer === 'object') {
    if ('data' in answer || 'errors' in answer) return answer as Answer;
    if ('message' in answer) body = String(answer.message);
  }
  const status = `HTTP ${response.status} ${response.statusText}`;
  return failure(body ? `${status}: ${body.slice(0, 500)}` : status) as Answer;
}

function isRefusal(answer: Answer): boolean {
  return !!answer.errors?.some((err) => err.extensions?.code === 'UNAUTHENTICATED');
}

function readFailure(err: unknown): ExecutionResult {
  if (Array.isArray(err)) return { errors: err };
  if (err instanceof CloseEvent && err.code !== 1006) {
    const advice = refusedCodes.includes(err.code) ? '; check the access token' : '';
    return failure(`hark closed the stream: ${err.code} ${err.reason}${advice}`);
  }
  if (err instanceof Event) return failure(`hark at ${location.origin} cannot be reached over WebSocket`);
  return failure(err instanceof Error ? err.message : String(err));
}

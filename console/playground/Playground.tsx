import { GraphiQL } from 'graphiql';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Connection, type Fetcher, type State } from './connection';
import { tabs } from './tabs';

const tokenKey = 'hark:token';
const settleMilliseconds = 300; // long enough not to try a token at each key

const statusText: Record<State, string> = {
  unknown: 'Not connected',
  ready: 'Ready',
  refused: 'Token refused',
  unreachable: 'No answer',
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
};

/** The page: a header with the access token, and GraphiQL. What is typed is kept for as long as the window lives. */
export function Playground() {
  const [token, setToken] = useState(() => sessionStorage.getItem(tokenKey) ?? '');
  const [settled, setSettled] = useState(token);
  const [state, setState] = useState<State>('unknown');
  const [connection] = useState(() => new Connection(setState));
  connection.token = token;

  useEffect(() => {
    if (token) sessionStorage.setItem(tokenKey, token);
    else sessionStorage.removeItem(tokenKey);
    const timer = setTimeout(() => setSettled(token), settleMilliseconds);
    return () => clearTimeout(timer);
  }, [token]);

  // GraphiQL fetches the schema again when it gets another fetcher.
  const fetcher = useMemo<Fetcher>(() => (params) => connection.fetch(params), [connection, settled]);

  const first = useRef(true);
  useEffect(() => {
    if (!first.current) connection.reconnect();
    first.current = false;
  }, [connection, settled]);

  return (
    <>
      <header>
        <h1>
          <Mark />
          hark
        </h1>
        <form onSubmit={(event) => event.preventDefault()}>
          <label htmlFor="token">Access token</label>
          <input
            id="token"
            type="password"
            autoComplete="off"
            spellCheck={false}
            placeholder="Paste a token"
            value={token}
            onChange={(event) => setToken(event.target.value.trim())}
          />
        </form>
        <span id="status" role="status" data-state={token ? state : 'unknown'}>
          {token ? statusText[state] : 'No token'}
        </span>
        <a href="/playground" target="_blank" rel="opener" title="A second window with the same token, to publish while this one listens">
          New window
        </a>
      </header>
      {!settled && (
        <p id="hint">
          Enter an access token to load the schema. The first start of <code>hark serve</code> prints one;{' '}
          <code>hark token create --name playground --role admin</code> makes another.
        </p>
      )}
      <main>
        <GraphiQL
          fetcher={fetcher}
          schema={settled ? undefined : null}
          defaultTabs={tabs}
          storage={sessionStorage}
          shouldPersistHeaders={false}
          isHeadersEditorEnabled={false}
        >
          <GraphiQL.Logo>{''}</GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" fill="none" stroke="currentColor" strokeWidth="3.2" strokeLinecap="round" aria-hidden="true">
      <circle cx="9" cy="16" r="3.4" fill="currentColor" stroke="none" />
      <path d="M15.5 9.5a9.2 9.2 0 0 1 0 13M21 5a15.6 15.6 0 0 1 0 22" />
    </svg>
  );
}

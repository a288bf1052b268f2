// Walks with one of clients.mjs, and prints what it gets as lines of JSON, until it is killed.
//
//   node follow.mjs CLIENT      HARK_URL, HARK_TOKEN
import WebSocket from 'ws';
import { clients, walk } from './clients.mjs';

const client = clients[process.argv[2]]({ url: process.env.HARK_URL, token: process.env.HARK_TOKEN, webSocketImpl: WebSocket });
walk(client, (said) => console.log(JSON.stringify(said))).catch((err) => {
  console.error(err);
  process.exit(1);
});

// A receiver of WebSocket callbacks, made of ws. It answers two by two, the
// later message first, and single ones after a moment.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { credentials, tell } from './receiver.mjs';

const { tokenUrl, judge } = await credentials();
const sockets = new WebSocketServer({ noServer: true });
const server = createServer();

server.on('upgrade', async (request, socket, head) => {
  const kind = await judge(request.headers);
  if (!kind) return socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
  sockets.handleUpgrade(request, socket, head, (ws) => serve(ws, kind, request.headers));
});

function serve(ws, kind, headers) {
  const connection = createHash('sha256').update(headers['sec-websocket-key']).digest('hex');
  const waiting = [];
  const answer = () => waiting.splice(0).reverse().forEach((id) => ws.send(JSON.stringify({ ack: id })));
  ws.on('message', (data) => {
    const text = data.toString();
    const { deliveryId, eventType, attempt } = JSON.parse(text);
    tell({ kind, deliveryId, eventType, attempt, payload: text, headers, connection, protocol: ws.protocol });
    if (text.includes('"nack me"') && attempt === 1) return ws.send(JSON.stringify({ nack: deliveryId, reason: 'not yet' }));
    if (text.includes('"close me"') && attempt === 1) return ws.close(4000, 'not today');
    waiting.push(deliveryId);
    if (waiting.length > 1) answer();
    else setTimeout(answer, 20);
  });
  ws.on('close', (code, reason) => tell({ kind: '', closed: code, reason: reason.toString() }));
}

server.listen(0, '127.0.0.1', () => tell({ endpoint: `ws://127.0.0.1:${server.address().port}/events`, tokenUrl }));

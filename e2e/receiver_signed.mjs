// A subscriber that verifies signatures: v1 by the library of Standard Webhooks,
// v1a by Node's own crypto with the key that hark publishes. It prints a line
// for each request and answers 401 where it does not verify.
import { once } from 'node:events';
import { createPublicKey, verify } from 'node:crypto';
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { tell } from './receiver.mjs';

let secret, jwks;

// By the schemes of the signatures in a request, how many verify.
async function verified(headers, body) {
  const schemes = {};
  for (const signature of headers['webhook-signature'].split(' ')) {
    const [scheme, value] = signature.split(',');
    let good = false;
    if (scheme === 'v1') {
      try {
        new Webhook(secret).verify(body, { ...headers, 'webhook-signature': signature });
        good = true;
      } catch {}
    } else if (scheme === 'v1a') {
      const { keys } = await (await fetch(jwks)).json();
      const content = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
      good = keys.some((key) => verify(null, content, createPublicKey({ key, format: 'jwk' }), Buffer.from(value, 'base64')));
    }
    schemes[scheme] = (schemes[scheme] ?? 0) + (good ? 1 : 0);
  }
  return schemes;
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  if (request.url === '/trust') {
    ({ secret, jwks } = JSON.parse(body));
    response.end();
    return;
  }
  const schemes = await verified(request.headers, body);
  const count = request.headers['webhook-signature'].split(' ').length;
  response.writeHead(Object.values(schemes).some((n) => n > 0) ? 204 : 401).end();
  tell({ kind: request.url, schemes, count });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
tell({ endpoint: `http://127.0.0.1:${server.address().port}`, tokenUrl: '' });

// An OpenID Connect provider whose clients get JWTs for hark by the client credentials flow. The id of a client is its
// secret too, and the roles of its tokens, by commas; its tokens live 2 s if it is called "brief".
//
// POST /rotate replaces the provider's keys. Prints {"issuer"} when it listens.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

let rotations = 0;
let callback;
function rotate() {
  const key = (type, options, alg) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${rotations}`,
  });
  const keys = [key('ec', { namedCurve: 'P-256' }, 'ES256'), key('rsa', { modulusLength: 2048 }, 'RS256')];
  rotations++;
  callback = new Provider(issuer, {
    jwks: { keys },
    clients: ['publisher', 'admin', 'viewer,publisher', 'brief'].map((name) => ({
      client_id: name, client_secret: name, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    })),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: '', audience: resource.replace('urn:', ''), accessTokenFormat: 'jwt', jwt: { sign: { alg: rotations % 2 ? 'ES256' : 'RS256' } },
        }),
      },
    },
    extraTokenClaims: (_, token) => ({
      roles: token.clientId.split(','),
      workload: { name: `client-${token.clientId}` }, realm_access: { roles: ['viewer', 'offline_access'] }, // as Keycloak has them
    }),
    ttl: { ClientCredentials: (_, token) => (token.clientId === 'brief' ? 2 : 600) },
  }).callback();
}
rotate();

server.on('request', (request, response) => {
  if (request.url !== '/rotate') return callback(request, response);
  rotate();
  response.end();
});
process.stdout.write(JSON.stringify({ issuer }) + '\n');

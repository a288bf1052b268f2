// What the receivers of the tests have in common: the credentials that they
// take, and an OAuth2 server for one kind of them.
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const basic = 'Basic ' + Buffer.from('aladdin:open sesame').toString('base64');

// credentials starts the OAuth2 server and gives a judge: a function from
// headers to the kind of credentials in them, undefined when they are wrong.
// The first OAuth2 token that it sees is wrong, as if it had been revoked.
export async function credentials() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'hark', client_secret: 'client-secret-of-the-test', grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [],
    }],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    ttl: { ClientCredentials: 3600 },
  });
  server.on('request', provider.callback());

  let revoked;
  const judge = async (headers) => {
    if (headers['x-api-key'] === 'key-of-the-test') return 'apiKey';
    const value = headers.authorization ?? '';
    if (value === basic) return 'basic';
    if (value === 'Bearer jwt-of-the-test') return 'jwt';
    const token = value.replace(/^Bearer /, '');
    revoked ??= token;
    if (token !== revoked && await provider.ClientCredentials.find(token)) return 'oauth2';
  };
  return { tokenUrl: `${issuer}/token`, judge };
}

// tell prints a line for the test.
export const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');

// A receiver of SOAP callbacks, made of npm soap and the WSDL that hark serves.
//
//   node receiver_soap.mjs HARK_URL V1_1|V1_2
//
// At / it takes what has the right credentials, at other paths it fails in different ways.
import { once } from 'node:events';
import { createServer } from 'node:http';
import soap from 'soap';
import { credentials, tell } from './receiver.mjs';

const [hark, version] = process.argv.slice(2);
const xml = await (await fetch(`${hark}/soap/hark.wsdl`)).text();
const { tokenUrl, judge } = await credentials();

const fault = (blame, reason, statusCode) => ({
  Fault: version === 'V1_2'
    ? { Code: { Value: `soap:${blame === 'Client' ? 'Sender' : 'Receiver'}` }, Reason: { Text: reason }, statusCode }
    : { faultcode: `soap:${blame}`, faultstring: reason, statusCode },
});

const places = {
  '/': () => {},
  '/server': () => { throw fault('Server', 'try <later>', 500); },
  '/client': () => { throw fault('Client', 'who are you?', 500); },
  '/quiet': () => { throw fault('Server', 'under 200', 200); },
  '/once': ({ attempt }) => { if (attempt === 1) throw fault('Server', 'once', 500); },
  '/abort': (event, response) => {
    response.setHeader('webhook-delivery', 'abort-message');
    throw fault('Client', 'never', 500);
  },
};

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
for (const [path, answer] of Object.entries(places)) {
  const Deliver = async (event, callback, header, request, response) => {
    tell({ ...event, kind: request.kind, at: path, headers: request.headers });
    answer(event, response);
    return {};
  };
  const receiver = soap.listen(server, {
    path, xml, suppressStack: true, forceSoap12Headers: version === 'V1_2',
    services: { EventReceiverService: { EventReceiverSoap11: { Deliver }, EventReceiverSoap12: { Deliver } } },
  });
  receiver.authenticate = async (security, callback, request) => {
    request.kind = await judge(request.headers);
    const { Username, Password } = security?.UsernameToken ?? {};
    return request.kind === 'basic' ? Username === 'aladdin' && Password.$value === 'open sesame' : Boolean(request.kind);
  };
}
tell({ endpoint: `http://127.0.0.1:${server.address().port}`, tokenUrl });

// Publishes with the CloudEvents SDK for JavaScript: binary, structured, and once what is refused.
//
//   HARK_URL    where hark serves                     HARK_TOKEN  an access token that may publish
//
// Prints what hark answers, a line of JSON each.
import { CloudEvent, emitterFor, HTTP, Mode } from 'cloudevents';

const send = async ({ headers, body }) => {
  const response = await fetch(`${process.env.HARK_URL}/api/v1/events`, {
    method: 'POST',
    headers: { ...headers, authorization: `Bearer ${process.env.HARK_TOKEN}` },
    body,
  });
  console.log(JSON.stringify({ status: response.status, ...(await response.json()) }));
};

const event = (id, type = 'secret:update') =>
  new CloudEvent({
    id, type, source: '/projects/default/secret-manager', subject: '/app/a b', harkenvironment: 'staging',
    time: '2026-01-02T03:04:05.678Z', datacontenttype: 'application/json', data: { secretKey: 'A<B' },
  });

await emitterFor(send, { binding: HTTP, mode: Mode.BINARY })(event('binary'));
await emitterFor(send, { binding: HTTP, mode: Mode.STRUCTURED })(event('structured'));
await emitterFor(send, { binding: HTTP, mode: Mode.STRUCTURED })(event('structured'));
await emitterFor(send, { binding: HTTP, mode: Mode.BINARY })(event('refused', 'unknown:thing'));
await send({
  headers: { 'content-type': 'application/cloudevents-batch+json' },
  body: JSON.stringify([event('1'), event('2')]),
});

// A receiver of gRPC callbacks, made of @grpc/grpc-js and the public contract.
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { credentials, tell } from './receiver.mjs';

const { tokenUrl, judge } = await credentials();
const { hark } = grpc.loadPackageDefinition(loadSync('../proto/hark/v1/hark.proto', { longs: Number }));

async function deliver({ request, metadata }, answer) {
  const headers = metadata.getMap();
  const kind = await judge(headers);
  if (!kind) return answer({ code: grpc.status.UNAUTHENTICATED, details: 'another token, please' });
  tell({ kind, ...request, payload: request.payload.toString(), headers });
  answer(null, {});
}

const server = new grpc.Server();
server.addService(hark.v1.EventReceiver.service, { deliver });
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  tell({ endpoint: `grpc://127.0.0.1:${port}`, tokenUrl });
});

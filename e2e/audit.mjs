// Prints the audits of GraphQL over HTTP that a server fails, one on a line.
//
//   node audit.mjs URL
import { auditServer } from 'graphql-http';

const results = await auditServer({ url: process.argv[2] });
for (const { status, name, reason } of results) if (status !== 'ok') console.log(`${status}: ${name}: ${reason}`);
console.log(`${results.length} audits`);

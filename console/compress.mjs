// Replaces every built file by its gzip form. The bytes depend on the file alone: no name, no time, no system.
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';

const operatingSystem = 9; // offset in the gzip header, RFC 1952
const unknown = 255;

for (const name of readdirSync('dist', { recursive: true }).sort()) {
  const path = join('dist', name);
  if (statSync(path).isDirectory()) continue;
  const packed = gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION });
  packed[operatingSystem] = unknown;
  writeFileSync(path + '.gz', packed);
  rmSync(path);
}

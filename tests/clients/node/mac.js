#!/usr/bin/node
// Makes a MAC and verifies it: how a Node.js program calls Hallmark.
//   mac.js [KEY [MESSAGE]]
'use strict';

const fs = require('fs');
const path = require('path');
const { promisify } = require('util');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

// Read at run time: nothing is generated.
const definitions = protoLoader.loadSync(
  ['hallmark/v1/kms.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'],
  { includeDirs: [path.join(__dirname, '../../../proto')], enums: String },
);
const { KeyService } = grpc.loadPackageDefinition(definitions).hallmark.v1;

// One client for the whole program: it reconnects by itself.
function connect() {
  const fileNamedBy = (variable) => fs.readFileSync(process.env[variable]);
  // Who we are is our certificate: Hallmark knows it, and what its principal may do.
  const credentials = grpc.credentials.createSsl(
    fileNamedBy('HALLMARK_CA'), fileNamedBy('HALLMARK_KEY'), fileNamedBy('HALLMARK_CERT'),
  );
  return new KeyService(process.env.HALLMARK_TARGET, credentials);
}

// What to dispatch on: the exception's name, which never changes its meaning. Messages are for people.
function exceptionOf(error) {
  for (const details of error.metadata?.get('grpc-status-details-bin') ?? []) {
    for (const detail of definitions['google.rpc.Status'].deserialize(details).details) {
      if (!detail.type_url.endsWith('/google.rpc.ErrorInfo')) continue;
      const info = definitions['google.rpc.ErrorInfo'].deserialize(detail.value);
      if (info.domain === 'hallmark') return info.reason;
    }
  }
  // gRPC's own: nobody answered (UNAVAILABLE), or not in time (DEADLINE_EXCEEDED).
  return grpc.status[error.code] ?? error.name;
}

async function main(keyId = 'alias/demo', message = 'Hello World') {
  const client = connect();
  // Without a deadline a call may wait for ever; with one, the server knows how long an answer is
  // still of use.
  const call = (method, request) =>
    promisify(client[method]).call(client, request, { deadline: Date.now() + 5000 });
  const what = { message: Buffer.from(message), macAlgorithm: 'MAC_ALGORITHM_HMAC_SHA_256' };
  try {
    const generated = await call('generateMac', { keyId, ...what });
    console.log(`MAC: ${generated.mac.toString('hex')}`);

    // The ARN from here on: an alias may point elsewhere by now.
    const verify = { ...what, keyId: generated.keyId, mac: generated.mac };
    const verified = await call('verifyMac', verify);
    console.log(`verified by ${verified.keyId}`);

    // A wrong MAC is a refusal, never a false: nobody can forget to look.
    verify.message = Buffer.from(`${message}!`);
    const refusal = await call('verifyMac', verify).catch((error) => error);
    console.log(`for another message: ${exceptionOf(refusal)}`);
  } finally {
    client.close();
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(`${exceptionOf(error)}: ${error.details ?? error.message}`);
  process.exitCode = 1;
});

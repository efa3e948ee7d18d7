#!/usr/bin/env node
// Makes a MAC and verifies it: how a Node.js program written for AWS KMS calls Hallmark.
//   mac.mjs [KEY [MESSAGE]]
import {
  GenerateMacCommand, KMSClient, KMSInvalidMacException, KMSServiceException, VerifyMacCommand,
} from '@aws-sdk/client-kms';

// One client for the whole program: it keeps its connections. Where Hallmark is (AWS_ENDPOINT_URL),
// who we are and whom we trust, it finds in the environment.
const kms = new KMSClient();

// Without a limit a call may wait for ever. What cannot be served at once is repeated by the SDK
// itself, which is harmless here: a MAC does not change anything.
const call = (command) => kms.send(command, { abortSignal: AbortSignal.timeout(5000) });

async function main(keyId = 'alias/demo', message = 'Hello World') {
  const what = { Message: Buffer.from(message), MacAlgorithm: 'HMAC_SHA_256' };

  const generated = await call(new GenerateMacCommand({ ...what, KeyId: keyId }));
  console.log(`MAC: ${Buffer.from(generated.Mac).toString('hex')}`);

  // The ARN from here on: an alias may point elsewhere by now.
  const verify = { ...what, KeyId: generated.KeyId, Mac: generated.Mac };
  const verified = await call(new VerifyMacCommand(verify));
  console.log(`verified by ${verified.KeyId}`);

  // A wrong MAC is a refusal, never a false: nobody can forget to look.
  verify.Message = Buffer.from(`${message}!`);
  try {
    await call(new VerifyMacCommand(verify));
    throw new Error('a MAC was good for two messages');
  } catch (error) {
    if (!(error instanceof KMSInvalidMacException)) throw error;
    console.log(`for another message: ${error.name}`);
  }
}

main(...process.argv.slice(2)).catch((error) => {
  // Dispatch on the class or its name, never on the HTTP status: that of every caller's mistake is
  // 400. What is not a KMSServiceException never reached an operation.
  const name = error instanceof KMSServiceException ? error.name : (error.code ?? error.name);
  console.error(`${name}: ${error.message}`);
  process.exitCode = 1;
});

// Asks for every operation that this SDK knows, without a member; prints as JSON those that the service has never
// heard of. Refusing an operation is right, to take it for a slip of the pen is not.
import * as sdk from '@aws-sdk/client-kms';

const kms = new sdk.KMSClient();
const names = Object.keys(sdk).filter((name) => /^[A-Z]\w+Command$/.test(name));
const unknown = [];
for (const name of names) {
  try {
    await kms.send(new sdk[name]({}));
  } catch (error) {
    if (!error.$metadata?.requestId) throw error;
    if (error.name === 'UnknownOperationException') unknown.push(name.slice(0, -'Command'.length));
  }
}
console.log(JSON.stringify({ asked: names.length, unknown }));

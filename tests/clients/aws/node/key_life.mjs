// The life of a key by the typed commands of @aws-sdk/client-kms. Ends with 1 at the first answer that
// is not the awaited one; prints what the test compares with gRPC's answers.
//   key_life.mjs GRANTEE_ARN GRANTEE_PROFILE
import assert from 'node:assert/strict';
import {
  AlreadyExistsException, CancelKeyDeletionCommand, CreateAliasCommand, CreateGrantCommand,
  CreateKeyCommand, DeleteAliasCommand, DescribeKeyCommand, DisabledException, DisableKeyCommand,
  DryRunOperationException, EnableKeyCommand, GenerateMacCommand, GetKeyPolicyCommand,
  InvalidKeyUsageException, KMSClient, KMSInvalidMacException, KMSInvalidStateException,
  ListAliasesCommand, ListGrantsCommand, ListResourceTagsCommand, NotFoundException,
  paginateListKeys, PutKeyPolicyCommand, RetireGrantCommand, RevokeGrantCommand,
  ScheduleKeyDeletionCommand, TagResourceCommand, UntagResourceCommand, UpdateAliasCommand,
  UpdateKeyDescriptionCommand, VerifyMacCommand,
} from '@aws-sdk/client-kms';

const [granteeArn, granteeProfile] = process.argv.slice(2);
const kms = new KMSClient();
const grantee = new KMSClient({ profile: granteeProfile });

const kUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const kMessage = Buffer.from('Hello World');
const kMac = { Message: kMessage, MacAlgorithm: 'HMAC_SHA_384' };
const kDayMs = 24 * 60 * 60 * 1000;

// The members of an answer, without what the transport says of it.
async function ask(command, client = kms) {
  const { $metadata: metadata, ...answer } = await client.send(command);
  assert.equal(metadata.httpStatusCode, 200);
  assert.match(metadata.requestId, kUuid);
  return answer;
}

async function refused(exceptionClass, message, command, client = kms) {
  const error = await client.send(command).then(() => assert.fail('not refused'), (refusal) => refusal);
  assert.ok(error instanceof exceptionClass, error);
  assert.equal(error.name, exceptionClass.name);
  assert.equal(error.message, message);
  assert.equal(error.$fault, 'client');
  assert.equal(error.$metadata.httpStatusCode, 400);
  assert.match(error.$metadata.requestId, kUuid);
  assert.equal(error.$metadata.attempts, 1);
}

async function createKey(parameters = {}) {
  const { KeyMetadata: metadata } = await ask(new CreateKeyCommand({
    KeySpec: 'HMAC_384', KeyUsage: 'GENERATE_VERIFY_MAC', ...parameters,
  }));
  return metadata;
}

async function metadataIs(expected) {
  assert.deepEqual((await ask(new DescribeKeyCommand({ KeyId: expected.KeyId }))).KeyMetadata, expected);
}

// --- made ---

const key = await createKey({ Description: 'orders', Tags: [{ TagKey: 'team', TagValue: 'orders' }] });
assert.match(key.KeyId, kUuid);
assert.ok(Math.abs(Date.now() - key.CreationDate.getTime()) < kDayMs / 24, key.CreationDate);
assert.deepEqual(key, {
  AWSAccountId: '111122223333',
  Arn: `arn:aws:kms:us-west-2:111122223333:key/${key.KeyId}`,
  CreationDate: key.CreationDate,
  CustomerMasterKeySpec: 'HMAC_384',
  Description: 'orders',
  Enabled: true,
  KeyId: key.KeyId,
  KeyManager: 'CUSTOMER',
  KeySpec: 'HMAC_384',
  KeyState: 'Enabled',
  KeyUsage: 'GENERATE_VERIFY_MAC',
  MacAlgorithms: ['HMAC_SHA_384'],
  MultiRegion: false,
  Origin: 'AWS_KMS',
});
await metadataIs(key);
const KeyId = key.KeyId;

// --- named ---

const kAlias = 'alias/node-orders';
const kAliasArn = `arn:aws:kms:us-west-2:111122223333:${kAlias}`;
assert.deepEqual(await ask(new CreateAliasCommand({ AliasName: kAlias, TargetKeyId: KeyId })), {});
await refused(AlreadyExistsException, `An alias with the name ${kAliasArn} already exists`,
  new CreateAliasCommand({ AliasName: kAlias, TargetKeyId: key.Arn }));
assert.deepEqual((await ask(new DescribeKeyCommand({ KeyId: kAlias }))).KeyMetadata, key);

// --- used ---

const { Mac, ...generated } = await ask(new GenerateMacCommand({ ...kMac, KeyId: kAlias }));
assert.equal(Mac.length, 48);
assert.deepEqual(generated, { KeyId: key.Arn, MacAlgorithm: 'HMAC_SHA_384' });
assert.deepEqual(await ask(new VerifyMacCommand({ ...kMac, KeyId: kAliasArn, Mac })),
  { KeyId: key.Arn, MacAlgorithm: 'HMAC_SHA_384', MacValid: true });
// Answered without a text, for which the SDK puts its own.
const wrong = new VerifyMacCommand({ ...kMac, KeyId, Mac: Mac.subarray(1) });
await refused(KMSInvalidMacException, 'UnknownError', wrong);
await refused(InvalidKeyUsageException, 'Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_384.',
  new GenerateMacCommand({ ...kMac, KeyId, MacAlgorithm: 'HMAC_SHA_256' }));

const kWouldHaveSucceeded = 'The request would have succeeded, but the DryRun option is set.';
await refused(DryRunOperationException, kWouldHaveSucceeded,
  new GenerateMacCommand({ ...kMac, KeyId, DryRun: true }));
await refused(DryRunOperationException, kWouldHaveSucceeded,
  new VerifyMacCommand({ ...kMac, KeyId, Mac, DryRun: true }));

// --- described, tagged, permitted ---

await ask(new UpdateKeyDescriptionCommand({ KeyId, Description: '' }));
await metadataIs({ ...key, Description: '' });

await ask(new TagResourceCommand({ KeyId, Tags: [{ TagKey: 'stage', TagValue: '' }] }));
const tags = async () => {
  const { Tags, Truncated } = await ask(new ListResourceTagsCommand({ KeyId }));
  assert.equal(Truncated, false);
  return Object.fromEntries(Tags.map(({ TagKey, TagValue }) => [TagKey, TagValue]));
};
assert.deepEqual(await tags(), { team: 'orders', stage: '' });
await ask(new UntagResourceCommand({ KeyId, TagKeys: ['team'] }));
assert.deepEqual(await tags(), { stage: '' });

const policy = {
  Version: '2012-10-17',
  Id: 'orders',
  Statement: [{
    Sid: 'account',
    Effect: 'Allow',
    Principal: { AWS: 'arn:aws:iam::111122223333:root' },
    Action: 'kms:*',
    Resource: '*',
  }],
};
await ask(new PutKeyPolicyCommand({ KeyId, Policy: JSON.stringify(policy) }));
const stored = await ask(new GetKeyPolicyCommand({ KeyId }));
assert.deepEqual({ ...stored, Policy: JSON.parse(stored.Policy) },
  { Policy: policy, PolicyName: 'default' });

// --- granted ---

const kGrant = { KeyId, GranteePrincipal: granteeArn, Operations: ['GenerateMac', 'RetireGrant'] };
await refused(DryRunOperationException, kWouldHaveSucceeded,
  new CreateGrantCommand({ ...kGrant, DryRun: true }));
const grants = async () => (await ask(new ListGrantsCommand({ KeyId }))).Grants;
assert.deepEqual(await grants(), []);
const grant = await ask(new CreateGrantCommand({ ...kGrant, Name: 'orders' }));
assert.deepEqual(Object.keys(grant).sort(), ['GrantId', 'GrantToken']);
assert.match(grant.GrantId, /^[0-9a-f]{64}$/);
const [listed, ...others] = await grants();
assert.deepEqual(others, []);
assert.deepEqual(listed, {
  CreationDate: listed.CreationDate,
  GrantId: grant.GrantId,
  GranteePrincipal: granteeArn,
  IssuingAccount: 'arn:aws:iam::111122223333:root',
  KeyId: key.Arn,
  Name: 'orders',
  Operations: kGrant.Operations,
});
const withGrant = await ask(
  new GenerateMacCommand({ ...kMac, KeyId: key.Arn, GrantTokens: [grant.GrantToken] }), grantee);
assert.deepEqual(withGrant.Mac, Mac);
assert.deepEqual(await ask(new RetireGrantCommand({ GrantToken: grant.GrantToken }), grantee), {});
assert.deepEqual(await grants(), []);
const { GrantId } = await ask(new CreateGrantCommand(kGrant));
assert.deepEqual(await ask(new RevokeGrantCommand({ KeyId, GrantId })), {});
assert.deepEqual(await grants(), []);

// --- disabled and enabled ---

assert.deepEqual(await ask(new DisableKeyCommand({ KeyId })), {});
await refused(DisabledException, `${key.Arn} is disabled.`, new GenerateMacCommand({ ...kMac, KeyId }));
await metadataIs({ ...key, Description: '', Enabled: false, KeyState: 'Disabled' });
assert.deepEqual(await ask(new EnableKeyCommand({ KeyId })), {});
await metadataIs({ ...key, Description: '' });

// --- listed, page by page ---

// Equal calls at the same time are not replays of each other: none waits for the next second.
const equals = await Promise.all(Array.from({ length: 3 }, () => kms.send(
  new CreateKeyCommand({ KeySpec: 'HMAC_384', KeyUsage: 'GENERATE_VERIFY_MAC' }))));
for (const { $metadata: metadata } of equals) assert.equal(metadata.attempts, 1);
const [another] = equals.map(({ KeyMetadata: metadata }) => metadata);
assert.equal(new Set(equals.map(({ KeyMetadata: { Arn } }) => Arn)).size, 3);
const keys = [];
for await (const page of paginateListKeys({ client: kms, pageSize: 1 }, {})) {
  assert.equal(page.Keys.length, 1);
  keys.push(...page.Keys);
}
for (const { KeyId: id, Arn } of [key, another]) {
  assert.deepEqual(keys.filter((entry) => entry.KeyId === id), [{ KeyArn: Arn, KeyId: id }]);
}

// --- the name moves on ---

assert.deepEqual(await ask(new UpdateAliasCommand({ AliasName: kAlias, TargetKeyId: another.KeyId })), {});
const aliases = async (id) =>
  (await ask(new ListAliasesCommand({ KeyId: id }))).Aliases.map(({ AliasName }) => AliasName);
assert.deepEqual(await aliases(KeyId), []);
assert.deepEqual(await aliases(another.KeyId), [kAlias]);
assert.deepEqual(await ask(new DeleteAliasCommand({ AliasName: kAlias })), {});
await refused(NotFoundException, `Alias ${kAliasArn} is not found.`,
  new DescribeKeyCommand({ KeyId: kAlias }));

// --- scheduled for deletion, and kept after all ---

const scheduled = await ask(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
assert.deepEqual(scheduled, {
  DeletionDate: scheduled.DeletionDate,
  KeyId: key.Arn,
  KeyState: 'PendingDeletion',
  PendingWindowInDays: 7,
});
const days = (scheduled.DeletionDate.getTime() - Date.now()) / kDayMs;
assert.ok(days > 6.9 && days < 7.1, scheduled.DeletionDate);
await metadataIs({
  ...key, Description: '', DeletionDate: scheduled.DeletionDate, Enabled: false, KeyState: 'PendingDeletion',
});
await refused(KMSInvalidStateException, `${key.Arn} is pending deletion.`,
  new GenerateMacCommand({ ...kMac, KeyId }));
await refused(KMSInvalidStateException, `${key.Arn} is pending deletion.`,
  new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 8 }));
assert.deepEqual(await ask(new CancelKeyDeletionCommand({ KeyId })), { KeyId: key.Arn });
await refused(KMSInvalidStateException, `${key.Arn} is not pending deletion.`,
  new CancelKeyDeletionCommand({ KeyId: key.Arn }));
await metadataIs({ ...key, Description: '', Enabled: false, KeyState: 'Disabled' });
await ask(new EnableKeyCommand({ KeyId }));

console.log(JSON.stringify({ KeyId: key.Arn, Mac: Buffer.from(Mac).toString('hex') }));

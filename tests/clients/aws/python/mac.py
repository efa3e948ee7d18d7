#!/usr/bin/python3
"""Makes a MAC and verifies it: how a Python program written for AWS KMS calls Hallmark.

mac.py [KEY [MESSAGE]]
"""
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


def connect():
    """One client for the whole program: it keeps its connections, and any thread may use it."""
    # Versions before 1.28, such as Debian 12's, do not read AWS_ENDPOINT_URL by themselves: their
    # calls would go to AWS. The rest (credentials, Region, CA) boto3 finds in the environment.
    return boto3.client(
        "kms",
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        # By default an answer is awaited for a minute. What cannot be served at once is repeated by
        # boto3 itself, which is harmless here: a MAC does not change anything.
        config=Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 2}),
    )


def main(key_id="alias/demo", message="Hello World"):
    kms = connect()
    what = {"Message": message, "MacAlgorithm": "HMAC_SHA_256"}

    generated = kms.generate_mac(KeyId=key_id, **what)
    print(f"MAC: {generated['Mac'].hex()}")

    # The ARN from here on: an alias may point elsewhere by now.
    verify = {**what, "KeyId": generated["KeyId"], "Mac": generated["Mac"]}
    verified = kms.verify_mac(**verify)
    print(f"verified by {verified['KeyId']}")

    # A wrong MAC is a refusal, never a False: nobody can forget to look.
    verify["Message"] += "!"
    try:
        kms.verify_mac(**verify)
        sys.exit("a MAC was good for two messages")
    except kms.exceptions.KMSInvalidMacException as error:
        print(f"for another message: {error.response['Error']['Code']}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ClientError as error:
        # Dispatch on the class (kms.exceptions.NotFoundException) or on this code, never on the HTTP
        # status: that of every caller's mistake is 400.
        sys.exit("{Code}: {Message}".format_map(error.response["Error"]))
    except BotoCoreError as error:
        # No answer at all.
        sys.exit(f"{type(error).__name__}: {error}")

#!/usr/bin/python3
"""One call by boto3; prints its answer, or the refusal that it caught by class.

call.py OPERATION PARAMETERS [EXCEPTION]

call.py generate_mac '{"KeyId": "alias/none", …}' NotFoundException
"""
import base64
import datetime
import json
import os
import sys

import boto3
from botocore.config import Config


def plain(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    raise TypeError(type(value).__name__)


def main(operation, parameters, exception=None):
    kms = boto3.client(
        "kms",
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        # So that a test of a fault that stays does not wait for five attempts.
        config=Config(retries={"max_attempts": 1}),
    )
    awaited = () if exception is None else getattr(kms.exceptions, exception)
    try:
        answer = getattr(kms, operation)(**json.loads(parameters))
    except awaited as refusal:
        # Neither a parent nor a cousin of it.
        assert type(refusal) is awaited, type(refusal)
        answer = {"class": type(refusal).__name__, "text": str(refusal), **refusal.response}
    else:
        assert exception is None, f"no {exception}"
    print(json.dumps(answer, default=plain))


if __name__ == "__main__":
    main(*sys.argv[1:])

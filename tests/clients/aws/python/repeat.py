#!/usr/bin/python3
"""Makes the same call several times in a row, as a program may; prints the answers.

repeat.py OPERATION PARAMETERS TIMES

boto3's signatures have whole seconds, so the second of two equal calls within one looks like a replay
of the first. boto3 waits and signs anew when it is told so.
"""
import json
import os
import sys

import boto3
from botocore.config import Config


def main(operation, parameters, times):
    kms = boto3.client(
        "kms",
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        # The waits are random, and the first ones may end within the same second.
        config=Config(retries={"max_attempts": 10}),
    )
    call = getattr(kms, operation)
    answers = [call(**json.loads(parameters)) for _ in range(int(times))]
    print(json.dumps(answers, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])

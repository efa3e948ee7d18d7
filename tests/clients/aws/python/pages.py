#!/usr/bin/python3
"""Lists by boto3's paginators; prints the pages, without what the transport says of them.

pages.py OPERATION PARAMETERS PAGE_SIZE
"""
import json
import os
import sys

import boto3


def main(operation, parameters, page_size):
    kms = boto3.client("kms", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    pages = kms.get_paginator(operation).paginate(
        **json.loads(parameters), PaginationConfig={"PageSize": int(page_size)}
    )
    answers = []
    for page in pages:
        del page["ResponseMetadata"]
        answers.append(page)
    print(json.dumps(answers, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])

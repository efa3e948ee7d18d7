#!/usr/bin/python3
"""Makes sigv4_vectors.json: requests as they are sent, and what botocore signs for them.

botocore is the signer of the AWS CLI and of boto3, and knows nothing of ours. Where a request may be
sent in several spellings (order and encoding of the query), the vector has an unusual one and
botocore is given what it means.

  make_sigv4_vectors.py          writes sigv4_vectors.json beside itself
  make_sigv4_vectors.py --check  fails if that would change it
"""
import json
import os
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY_ID = "HMAKVECTORSVECTORSVE"
# The hexadecimal text of the bytes 0 to 31.
SECRET = bytes(range(32)).hex()
TIME = "20261122T120000Z"
HTTP_DATE = "Sun, 22 Nov 2026 12:00:00 GMT"
HOST = "kms.us-west-2.amazonaws.com"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

TARGET = ("X-Amz-Target", "TrentService.GenerateMac")
TYPE = ("Content-Type", "application/x-amz-json-1.1")


class Vector:
    """`headers` beside Host and X-Amz-Date; `params` is what the query means, in pairs."""

    def __init__(self, name, target="/", params=None, headers=(), body="", host=HOST, dated="X-Amz-Date"):
        self.name = name
        self.target = target
        self.params = params
        self.body = body
        date = (dated, TIME if dated == "X-Amz-Date" else HTTP_DATE)
        self.headers = [("Host", host), date, *headers]

    def signed(self):
        path = self.target.partition("?")[0]
        request = AWSRequest(
            method="POST", url=f"https://{HOST}{path}", params=self.params, data=self.body.encode()
        )
        for name, value in self.headers:
            request.headers.add_header(name, value)
        request.context["timestamp"] = TIME
        signer = SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET), "kms", "us-west-2")
        canonical = signer.canonical_request(request)
        to_sign = signer.string_to_sign(request, canonical)
        signature = signer.signature(to_sign, request)
        signer._inject_signature_to_request(request, signature)
        return {
            "name": self.name,
            "method": "POST",
            "target": self.target,
            "headers": [*self.headers, ("Authorization", request.headers["Authorization"])],
            "body": self.body,
            "canonical_request": canonical,
            "string_to_sign": to_sign,
        }


VECTORS = [
    Vector("Vanilla"),
    Vector("GenerateMac", headers=[TARGET, TYPE], body='{"KeyId": "alias/demo", "Message": "SGVsbG8="}'),
    Vector("UnicodeBody", headers=[TARGET], body='{"Description": "Schl\u00fcssel \U0001f511 \u4e16\u754c"}'),
    Vector("LongBody", headers=[TARGET], body="x" * 5_000),
    Vector("EmptyBodyWithItsHash", headers=[TARGET, ("X-Amz-Content-SHA256", EMPTY_SHA256)]),
    Vector("DateOfHttp", dated="Date"),
    Vector("HostWithPort", host="127.0.0.1:8443"),
    Vector("QueryOutOfOrder", "/?b=2&a=1&C=3", [("b", "2"), ("a", "1"), ("C", "3")]),
    Vector("QuerySortedByValue", "/?a=2&a=10&a=1", [("a", "2"), ("a", "10"), ("a", "1")]),
    Vector("QuerySortedByNameAlone", "/?a-b=1&a=2&ab=3", [("a-b", "1"), ("a", "2"), ("ab", "3")]),
    Vector("QuerySortedAsEncoded", "/?%C3%A4=1&z=2&~=3", [("\u00e4", "1"), ("z", "2"), ("~", "3")]),
    Vector("QueryWithoutValues", "/?b&a=", [("b", ""), ("a", "")]),
    Vector("QueryWithEqualsInValue", "/?a=b=c", [("a", "b=c")]),
    Vector("QueryWithReserved", "/?a=:/@!$'()*,;", [("a", ":/@!$'()*,;")]),
    Vector("QueryWithSpaces", "/?a=b%20c+d", [("a", "b c d")]),
    Vector("QueryWithPlus", "/?a=b%2Bc", [("a", "b+c")]),
    Vector("QueryWithLowerCaseEscapes", "/?a=%c3%a4%2f", [("a", "\u00e4/")]),
    Vector("QueryWithNeedlessEscapes", "/?%61=%7E%41", [("a", "~A")]),
    Vector("QueryWithUnicode", "/?%E1%88%B4=%F0%9F%94%91", [("\u1234", "\U0001f511")]),
    Vector("QueryWithPercent", "/?a=100%25", [("a", "100%")]),
    Vector("PathWithDuplicateSlashes", "//a///b"),
    Vector("PathOfSlashes", "///"),
    Vector("PathWithTrailingSlashes", "/a//"),
    Vector("PathWithDots", "/./a/./b"),
    Vector("PathWithDoubleDots", "/a/b/../c"),
    Vector("PathBeyondTheRoot", "/../../a"),
    Vector("PathBackToTheRoot", "/a/.."),
    Vector("PathWithDotsInNames", "/.a/b../..."),
    Vector("PathEncoded", "/a%20b/%E1%88%B4"),
    Vector("PathWithReserved", "/a:b@c!d$e'f(g)*,;=~"),
    Vector("HeaderTwice", headers=[("My-Header", "b"), ("My-Header", "a")]),
    Vector("HeaderTwiceWithSpaces", headers=[("My-Header", "b   b"), ("my-header", "a,  c")]),
    Vector("HeaderWithSpaces", headers=[("My-Header", "a   b \t c")]),
    Vector("HeaderWithQuotes", headers=[("My-Header", '"a   b"')]),
    Vector("HeaderWithoutValue", headers=[("My-Header", "")]),
    Vector("HeaderInUtf8", headers=[("My-Header", "Schl\u00fcssel")]),
    Vector("HeaderNamesInAnyCase", headers=[("ZZZ", "1"), ("aAa", "2"), ("x-AMZ-tarGET", "T.Op")]),
    Vector("UserAgentIsNotSigned", headers=[("User-Agent", "Boto3"), ("Expect", "100-continue")]),
]


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sigv4_vectors.json")
    made = {
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET,
        "region": "us-west-2",
        "time": TIME,
        "vectors": [vector.signed() for vector in VECTORS],
    }
    text = json.dumps(made, indent=1) + "\n"
    if sys.argv[1:] == ["--check"]:
        with open(path, encoding="utf-8") as file:
            if file.read() != text:
                sys.exit(f"{path} is not what botocore signs; run {sys.argv[0]}")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Makes a MAC and verifies it: how a Python program calls Hallmark.

mac.py [KEY [MESSAGE]]
"""
import os
import pathlib
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from hallmark.v1 import kms_pb2, kms_pb2_grpc

# Without a deadline a call may wait for ever; with one, the server knows how long an answer is
# still of use.
DEADLINE_SECONDS = 5


def connect():
    """One channel for the whole program: it reconnects by itself, and any thread may use it."""

    def file_named_by(variable):
        return pathlib.Path(os.environ[variable]).read_bytes()

    # Who we are is our certificate: Hallmark knows it, and what its principal may do.
    credentials = grpc.ssl_channel_credentials(
        root_certificates=file_named_by("HALLMARK_CA"),
        private_key=file_named_by("HALLMARK_KEY"),
        certificate_chain=file_named_by("HALLMARK_CERT"),
    )
    return grpc.secure_channel(os.environ["HALLMARK_TARGET"], credentials)


def exception_of(error):
    """What to dispatch on: the exception's name, which never changes its meaning. Messages are
    for people."""
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == "hallmark":
                    return info.reason
    # gRPC's own: nobody answered (UNAVAILABLE), or not in time (DEADLINE_EXCEEDED).
    return error.code().name


def main(key_id="alias/demo", message="Hello World"):
    with connect() as channel:
        keys = kms_pb2_grpc.KeyServiceStub(channel)
        what = {"message": message.encode(), "mac_algorithm": kms_pb2.MAC_ALGORITHM_HMAC_SHA_256}

        generated = keys.GenerateMac(
            kms_pb2.GenerateMacRequest(key_id=key_id, **what), timeout=DEADLINE_SECONDS
        )
        print(f"MAC: {generated.mac.hex()}")

        # The ARN from here on: an alias may point elsewhere by now.
        verify = kms_pb2.VerifyMacRequest(key_id=generated.key_id, mac=generated.mac, **what)
        verified = keys.VerifyMac(verify, timeout=DEADLINE_SECONDS)
        print(f"verified by {verified.key_id}")

        # A wrong MAC is a refusal, never a False: nobody can forget to look.
        verify.message += b"!"
        try:
            keys.VerifyMac(verify, timeout=DEADLINE_SECONDS)
            sys.exit("a MAC was good for two messages")
        except grpc.RpcError as error:
            print(f"for another message: {exception_of(error)}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        sys.exit(f"{exception_of(error)}: {error.details()}")

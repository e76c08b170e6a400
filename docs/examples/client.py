#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client in Python: makes a bucket, sends a burst of requests, waits for a turn, reads the state.

Needs python3-grpcio, and the modules that protoc makes of the API (docs/guide/api.md):

    protoc -I include --python_out=api --grpc_python_out=api \\
        --plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin include/drip/v1/*.proto
    PYTHONPATH=api docs/examples/client.py [ADDRESS]
"""

import sys

import grpc

from drip.v1 import bucket_pb2, rate_limiter_pb2, rate_limiter_pb2_grpc, shaper_pb2, shaper_pb2_grpc


def main(address):
    with grpc.insecure_channel(address) as channel:
        rate_limiter = rate_limiter_pb2_grpc.RateLimiterServiceStub(channel)
        shaper = shaper_pb2_grpc.ShaperServiceStub(channel)

        # Every call needs a deadline: without one it waits for as long as the server lets it.
        # What is not set keeps its value, or takes its default on a new bucket.
        reply = rate_limiter.ConfigureBucket(
            rate_limiter_pb2.ConfigureBucketRequest(
                bucket_id="example", capacity=100, leak_rate=10
            ),
            timeout=5,
        )
        verb = "created" if reply.created else "changed"
        print(f"{verb}, leaks {reply.bucket.true_leak_rate:g}/s")

        for i in range(1, 4):
            reply = rate_limiter.AllowRequest(
                rate_limiter_pb2.AllowRequestRequest(
                    bucket_id="example", request_id=f"request-{i}"
                ),
                timeout=5,
            )
            # That a request is rejected is an answer, not an error.
            if reply.allowed:
                print(
                    f"{reply.request_id}: position {reply.queue_position}, "
                    f"waits {reply.estimated_wait_ms} ms"
                )
            else:
                print(f"{reply.request_id}: {bucket_pb2.RejectReason.Name(reply.reason)}")

        # This one is queued already: it waits for that place.
        reply = rate_limiter.AwaitTurn(
            rate_limiter_pb2.AwaitTurnRequest(bucket_id="example", request_id="request-3"),
            timeout=30,
        )
        print(f"{reply.request_id}: left after {reply.sojourn_ns / 1e6:g} ms")

        states = shaper.WatchBuckets(
            shaper_pb2.WatchBucketsRequest(filter=shaper_pb2.BucketFilter(bucket_ids=["example"]))
        )
        for bucket in next(states).buckets:
            print(
                f"{bucket.bucket_id}: {bucket.queue_size} wait, "
                f"{bucket.processed_requests} have left"
            )
        # The stream goes on until the caller cancels it.
        states.cancel()


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")

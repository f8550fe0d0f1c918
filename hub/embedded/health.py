"""Asking each kind of server whether it is well; the same questions at start and for `conch status`."""

from __future__ import annotations

from hub.embedded.errors import NotReady

ANSWER_SECONDS = 5.0


async def check_postgres(url: str) -> str:
    """PostgreSQL's version. Raises NotReady."""
    import psycopg

    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=int(ANSWER_SECONDS)) as connection:
            row = await (await connection.execute("show server_version")).fetchone()
    except psycopg.Error as error:
        raise NotReady(_first_line(error)) from error
    assert row is not None
    return str(row[0]).split()[0]


async def check_redis(url: str) -> str:
    """Redis's version. Raises NotReady."""
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    client = Redis.from_url(url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS)
    try:
        information = await client.info("server")
    except (RedisError, OSError, ValueError) as error:
        raise NotReady(_first_line(error)) from error
    finally:
        await client.aclose()
    return str(information["redis_version"])


async def check_triton(address: str, key: str | None) -> str:
    """The version of the Triton server at `address` (`host:port`, gRPC). Raises NotReady."""
    import grpc
    from tritonclient.grpc import service_pb2

    from triton_repo.control import TritonControl

    control = TritonControl(address, key)
    try:
        if not await control.server_ready():
            raise NotReady(f"nothing that is ready answers at {address}")
        about = await control.stub.ServerMetadata(
            service_pb2.ServerMetadataRequest(), metadata=control.metadata, timeout=ANSWER_SECONDS
        )
    except grpc.aio.AioRpcError as error:
        raise NotReady(error.details() or error.code().name) from error
    finally:
        await control.close()
    return str(about.version)


async def check_hub(url: str) -> str:
    """The version of the hub at `url`. Raises NotReady with the hub's own words while it is not ready."""
    import httpx

    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_SECONDS) as client:
        try:
            answer = await client.get(f"{url}/readyz")
        except httpx.HTTPError as error:
            raise NotReady(_first_line(error)) from error
    if answer.status_code != httpx.codes.OK:
        raise NotReady(f"/readyz answers {answer.status_code}: {answer.text[:300]}")
    return str(answer.headers.get("x-conch-version", ""))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__

"""Asks a gRPC service how it is, by the health protocol of gRPC."""

from urllib.parse import urlsplit

TIMEOUT_S = 1.0


class NotServingError(Exception):
    """A service does not answer, or says that it does not serve; the text says which."""


def require_serving(url: str, *, timeout_s: float = TIMEOUT_S) -> None:
    """Return when a service says that it serves.

    Raises:
        NotServingError: it does not.
    """
    # it takes a while to load, and most commands ask nobody
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    parts = urlsplit(url)
    options = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
    channel = (
        grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials(), options)
        if parts.scheme == "https"
        else grpc.insecure_channel(parts.netloc, options)
    )
    with channel:
        try:
            said = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=timeout_s
            )
        except grpc.RpcError as error:
            raise NotServingError(f"gives no answer at {url}: {error.code().name}") from error
    if said.status != health_pb2.HealthCheckResponse.SERVING:
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(said.status)
        raise NotServingError(f"says {status} at {url}")


def is_serving(url: str) -> bool:
    try:
        require_serving(url)
    except NotServingError:
        return False
    return True

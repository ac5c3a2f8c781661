"""`host:port` as people write it and as the ledger keeps it; an IPv6 host stands in brackets. Pure."""

from .errors import InvalidInput

_MAX_PORT = 65_535
_MAX_HOST = 253  # characters of a name in the DNS


def join(host: str, port: int) -> str:
    """Return `host:port`, or `[host]:port` for IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split(text: str) -> tuple[str, int]:
    """Return host and port (1 to 65535). Raises InvalidInput."""
    host, colon, digits = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        message = f"{text[:80]!r} is no address: an IPv6 host stands in brackets, as in [fd00::1]:7711"
        raise InvalidInput(message)
    right = colon and 0 < len(host) <= _MAX_HOST and host.isascii() and host.isprintable() and " " not in host
    number = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= len(str(_MAX_PORT)) else 0
    if not right or not 0 < number <= _MAX_PORT:
        message = f"{text[:80]!r} is no address; give HOST:PORT, for example build-2.local:7711 or 192.0.2.7:7711"
        raise InvalidInput(message)
    return host, number

"""What a caller who is not let in is told, in AWS's codes. Pure.

No text holds a secret, a signature that would be right, or what is known of a key.
"""

from __future__ import annotations

from workers.functions.answers import ApiError


def missing() -> ApiError:
    """The request does not say who sends it."""
    return ApiError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")


def unknown() -> ApiError:
    """The access key, API key, or token is none of ours."""
    text = "The security token included in the request is invalid."
    return ApiError(403, "UnrecognizedClientException", text)


def expired() -> ApiError:
    """The bearer token was good once."""
    text = "The security token included in the request is expired"
    return ApiError(403, "ExpiredTokenException", text)


def wrong_signature() -> ApiError:
    """Somebody signed something else, or with another secret."""
    text = (
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access Key and signing method. Consult the service documentation for details."
    )
    return ApiError(403, "InvalidSignatureException", text)


def wrong_time(found: str, now: str, *, is_past: bool) -> ApiError:
    """Signed too long ago, or by a clock that is ahead. Both times are `20250101T000000Z`."""
    how = (
        f"expired: {found} is now earlier than"
        if is_past
        else f"not yet current: {found} is still later than"
    )
    text = f"Signature {how} {now} ({'-' if is_past else '+'} 5 min.)"
    return ApiError(403, "InvalidSignatureException", text)


def wrong_scope(what: str) -> ApiError:
    """The credential's scope is not this service, or not this day."""
    return ApiError(403, "InvalidSignatureException", f"Credential should be scoped to {what}.")


def incomplete(what: str) -> ApiError:
    """The `Authorization` header lacks something."""
    return ApiError(403, "IncompleteSignatureException", what)


def not_for_users(action: str) -> ApiError:
    """What describes functions, or shows their log, is for keys and not for the users of an app."""
    return ApiError(403, "AccessDeniedException", f"User is not authorized to perform: {action}")


def no_keys() -> ApiError:
    """The keys to check a token with could not be fetched: not the caller's fault."""
    return ApiError(
        503,
        "ServiceUnavailableException",
        "The keys that the token is checked with could not be fetched.",
        "Service",
        retry_after_seconds=5,
    )

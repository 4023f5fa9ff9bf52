"""Providers' failures as ToolkitErrors: mapped once, each with its cause and its cure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from backends.rate_headers import retry_after
from runtime.errors import ErrorKind, ToolkitError

_BY_STATUS: dict[int, ErrorKind] = {
    401: "auth",
    402: "auth",
    403: "auth",
    404: "config",
    408: "timeout",
    413: "context_too_long",
    429: "rate_limited",
}
_BY_EXCEPTION: dict[str, ErrorKind] = {
    "ContextWindowExceededError": "context_too_long",
    "ContentPolicyViolationError": "refused",
    "RejectedRequestError": "refused",
    "ImageFetchError": "image",
    "LiteLLMUnknownProvider": "config",
    "PaymentRequiredError": "auth",
    "AuthenticationError": "auth",
    "PermissionDeniedError": "auth",
    "NotFoundError": "config",
    "RateLimitError": "rate_limited",
    "Timeout": "timeout",
    "BadRequestError": "bad_request",
    "UnprocessableEntityError": "bad_request",
    "ServiceUnavailableError": "server",
    "BadGatewayError": "server",
    "InternalServerError": "server",
    "APIResponseValidationError": "server",
    "APIConnectionError": "connection",
    "APIError": "server",
}
_HINTS: dict[ErrorKind, str] = {
    "auth": "check the key in the environment, its rights and its credit",
    "config": "check `model` and `api_base` in the config",
    "rate_limited": "set the backend's rpm and tpm to your quota, or lower max_parallel",
    "timeout": "raise the backend's timeout_s or lower its max_parallel",
    "connection": "check the network and `api_base`",
    "server": "the provider failed; run the same command again later",
    "refused": "try another backend for these records",
    "context_too_long": "shorten the input or use a model with a longer context",
    "bad_request": "the model does not take this request; check `structured` in the config",
    "image": "replace the image or remove the row",
}
_CONTEXT = re.compile(r"context.{0,20}(length|window|size)|maximum context|too many tokens", re.I)
_POLICY = re.compile(r"content.{0,12}(policy|filter|management)|safety", re.I)
_FLAGGED = re.compile(r"input was flagged", re.I)  # OpenRouter's 403
_WRONG_KEY = re.compile(r"api key not valid", re.I)  # Gemini's 400
# OpenAI's 429 for a key without credit. Gemini uses the same sentence for a quota of a minute.
_NO_CREDIT = "insufficient_quota"
_RETRY_DELAY = re.compile(r'"retryDelay":\s*"([\d.]+)s"')  # Gemini states it in the body alone
_SHOWN_CHARACTERS = 300


def from_status(
    model: str, status: int, text: str, headers: Mapping[str, str], secret: str = ""
) -> ToolkitError:
    """The error that an HTTP response of `status` stands for. `secret` is blotted out."""
    kind = _BY_STATUS.get(status, "server" if status >= 500 else "bad_request")
    return _error(kind, model, f"HTTP {status}: {text}", headers, secret)


def from_exception(model: str, error: Exception, secret: str = "") -> ToolkitError | None:
    """The error that a LiteLLM exception stands for; None if it is none of LiteLLM's."""
    for cls in type(error).__mro__:
        kind = _BY_EXCEPTION.get(cls.__name__)
        if kind is not None:
            if kind == "server" and _connection_lost(error):
                kind = "connection"
            elif kind == "rate_limited" and _has_no_credit(error):
                kind = "auth"
            return _error(kind, model, str(error), _headers(error), secret)
    return None


def _connection_lost(error: BaseException) -> bool:
    """Whether a lost or refused connection began it: LiteLLM calls some of these a server error."""
    return any(isinstance(cause, ConnectionError) for cause in _causes(error))


def _has_no_credit(error: BaseException) -> bool:
    """Whether the provider said so: LiteLLM's own text leaves the code out."""
    return any(getattr(cause, "code", None) == _NO_CREDIT for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _headers(error: Exception) -> Mapping[str, str]:
    """The response's headers, in either of the places where LiteLLM leaves them."""
    response = getattr(error, "response", None)
    places = (getattr(error, "litellm_response_headers", None), getattr(response, "headers", None))
    return next((headers for headers in places if headers), {})


def _error(
    kind: ErrorKind, model: str, text: str, headers: Mapping[str, str], secret: str
) -> ToolkitError:
    kind = _by_text(kind, text)
    delay = _RETRY_DELAY.search(text)
    if secret:
        text = text.replace(secret, "***")
    if kind == "auth":
        text = "the provider refused the key"  # its own words may quote parts of the key
    message = f"{model}: {' '.join(text.split())[:_SHOWN_CHARACTERS]}"
    asked = retry_after(headers)
    if asked is None and delay:
        asked = float(delay.group(1))
    return ToolkitError(kind, message, _HINTS[kind], asked)


def _by_text(kind: ErrorKind, text: str) -> ErrorKind:
    """What the provider's words tell better than its status."""
    if kind == "bad_request":
        if _CONTEXT.search(text):
            return "context_too_long"
        if _WRONG_KEY.search(text):
            return "auth"
        return "refused" if _POLICY.search(text) else kind
    if kind == "auth" and _FLAGGED.search(text):
        return "refused"
    return "auth" if kind == "rate_limited" and _NO_CREDIT in text else kind

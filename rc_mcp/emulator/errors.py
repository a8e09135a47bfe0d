"""RingCentral's error answers: one function per documented error, which returns the `ApiError` to raise. Those without
parameters stand first.

On the wire an error is an `errors` array whose first entry is repeated at the top level. The top-level code can differ
from the nested one: a bad token gets `TokenInvalid` with a nested `OAU-149`.
"""

from functools import partial
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """An error answer. Any code that handles a request may raise it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        top_code: str | None = None,
        headers: dict[str, str] | None = None,
        **extras: str,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.headers = headers or {}
        entry: Json = {"errorCode": code, "message": message, **extras}
        self.body: Json = {"errorCode": top_code or code, "message": message, "errors": [entry], **extras}


unreadable_json = partial(ApiError, 400, "CMN-103", "JSON can't be parsed")
unreadable_request = partial(ApiError, 400, "CMN-104", "Cannot parse request")
rate_exceeded = partial(ApiError, 429, "CMN-301", "Request rate exceeded")
# RingCentral's guide and its old explorer have different messages for this error, but the same code.
full_sync_required = partial(ApiError, 400, "MSG-333", "Parameter [syncToken] is invalid", parameterName="syncToken")
# No source gives the status. Of those that the operation declares, only 404 fits. It is also the harder case: a client
# that checks only the status concludes that the fax is lost.
fax_in_progress = partial(ApiError, 404, "MSG-368", "Fax message processing is in progress")
# The status is documented, the body is not.
unsupported_media_type = partial(ApiError, 415, "UnsupportedMediaType", "Content type is not supported")
# It is documented that an account can have two exports in progress, but not what happens to a third. Of the statuses
# that the operation declares, 503 is for a service that cannot do more now.
too_many_exports = partial(ApiError, 503, "CMN-201", "Service Temporary Unavailable")

_unauthorized = partial(ApiError, 401, headers={"WWW-Authenticate": 'Bearer realm="RingCentral REST API"'})
authorization_missing = partial(_unauthorized, "AGW-401", "Authorization header is not specified")
authorization_malformed = partial(_unauthorized, "AGW-402", "Invalid Authorization header")
token_invalid = partial(_unauthorized, top_code="TokenInvalid")


def invalid_parameter(name: str) -> ApiError:
    return ApiError(400, "CMN-101", f"Parameter [{name}] value is invalid", parameterName=name)


def not_found(parameter: str) -> ApiError:
    text = f"Resource for parameter [{parameter}] is not found"
    # The newest record has this word above CMN-102 (2022), an older one CMN-102 at both levels (2019).
    return ApiError(404, "CMN-102", text, top_code="InvalidParameter", parameterName=parameter)


def too_many_entries(limit: int) -> ApiError:
    return ApiError(400, "CMN-106", f"Batch request is limited to {limit} entries", limit=str(limit))


def range_not_satisfiable(size: int) -> ApiError:
    headers = {"Content-Range": f"bytes */{size}"}
    return ApiError(416, "CMN-107", "Requested range not satisfiable", headers=headers)


def path_mismatch(parameter: str) -> ApiError:
    text = f"Parameter {parameter} value in request body doesn't match specified in path."
    return ApiError(400, "CMN-108", text, parameterName=parameter)


def no_such_route() -> ApiError:
    """Return the API gateway's answer, which is not about messages: `errors` is empty, as it was recorded."""
    refusal = ApiError(404, "AGW-404", "Resource not found")
    refusal.body["errors"] = []
    return refusal


def method_not_allowed(allowed: list[str]) -> ApiError:
    # No source shows the body of a 405. The gateway's other errors have a word instead of a code.
    headers = {"Allow": ", ".join(allowed)}
    return ApiError(405, "MethodNotAllowed", "HTTP method is not allowed", headers=headers)


def app_permission_required(permission: str) -> ApiError:
    text = f"In order to call this API endpoint, application needs to have [{permission}] permission"
    # Observed live with this top-level word; older sources show CMN-401 at both levels. Clients must check the nested
    # code.
    return ApiError(403, "CMN-401", text, top_code="InsufficientPermissions", permissionName=permission)


def user_permission_required(permission: str) -> ApiError:
    call = "In order to call this API endpoint"
    text = f"{call}, user needs to have [{permission}] permission for requested resource."
    return ApiError(403, "CMN-408", text, top_code="InsufficientPermissions", permissionName=permission)


def extended_scope_required(permission: str) -> ApiError:
    text = (
        "In order to call this API endpoint for another extension, user needs to have "
        f"[{permission}] permission granted with extended scope"
    )
    return ApiError(403, "CMN-419", text, permissionsName=permission)


def oauth_error(error: str, code: str, message: str, *, status: int = 400) -> ApiError:
    """Return an error of the token endpoint: OAuth's `error` fields together with RingCentral's."""
    refusal = ApiError(status, code, message)
    refusal.body = {"error": error, "error_description": message, **refusal.body}
    return refusal

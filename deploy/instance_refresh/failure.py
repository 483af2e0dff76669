"""The ends of a run, and AWS's errors as one line."""

import botocore.exceptions

DONE, ROLLED_BACK, REFUSED, TIMED_OUT, FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130

HINTS = {
    "AccessDenied": "these credentials lack the permission",
    "AccessDeniedException": "these credentials lack the permission",
    "UnauthorizedOperation": "these credentials lack the permission",
    "AuthFailure": "AWS does not accept these credentials",
    "InvalidClientTokenId": "AWS does not accept these credentials",
    "UnrecognizedClientException": "AWS does not accept these credentials",
    "ExpiredToken": "the credentials have expired",
    "ExpiredTokenException": "the credentials have expired",
    "RequestExpired": "the credentials have expired, or the clock is wrong",
    "InstanceRefreshInProgress": "another refresh of the group is in progress",
    "ActiveInstanceRefreshNotFound": "no refresh of the group is in progress any more",
    "IrreversibleInstanceRefresh": "this refresh cannot be rolled back",
    "LimitExceeded": "a limit of the account is reached",
}
THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "ResourceContention",
}


class Failure(Exception):
    """Ends the run with this status after one line."""

    def __init__(self, line, status=REFUSED):
        super().__init__(line)
        self.status = status


class CallFailed(Exception):
    """A call to AWS failed after its retries. `passes`: a later one may succeed; `code`: empty without an answer."""

    def __init__(self, operation, code, text, passes):
        super().__init__(f"{operation}: {text}")
        self.code, self.passes = code, passes


def explain(operation, error):
    """The CallFailed for an exception of botocore."""
    if isinstance(error, botocore.exceptions.ClientError):
        answer = error.response.get("Error", {})
        code = answer.get("Code", "unknown")
        message = " ".join(str(answer.get("Message", "")).split())[:300]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        hint = HINTS.get(code, "AWS asks for fewer calls" if code in THROTTLED else "")
        text = f"{hint} ({code}: {message})" if hint else f"{code}: {message}"
        return CallFailed(operation, code, text, code in THROTTLED or status >= 500)
    if isinstance(error, botocore.exceptions.NoCredentialsError | botocore.exceptions.PartialCredentialsError):
        return CallFailed(operation, "", "no AWS credentials are set", False)
    if isinstance(error, botocore.exceptions.NoRegionError):
        return CallFailed(operation, "", "no AWS region is set (--region, or AWS_REGION)", False)
    if isinstance(error, botocore.exceptions.HTTPClientError | botocore.exceptions.ConnectionError):
        return CallFailed(operation, "", f"AWS is not reached: {' '.join(str(error).split())[:300]}", True)
    return CallFailed(operation, "", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", False)

"""The typed error of the project. It crosses gRPC unchanged; each API maps it to its own response body.

Raise it only where a caller must tell the case apart; everything else is a plain exception, becomes
INTERNAL at the server's edge, and its text stays in the log.
"""

from collections.abc import Sequence
from enum import Enum

from clarion.common.v1 import error_pb2


class Code(Enum):
    """What went wrong. See clarion.common.v1.ErrorCode."""

    INVALID = error_pb2.ERROR_CODE_INVALID
    UNAUTHENTICATED = error_pb2.ERROR_CODE_UNAUTHENTICATED
    FORBIDDEN = error_pb2.ERROR_CODE_FORBIDDEN
    NOT_FOUND = error_pb2.ERROR_CODE_NOT_FOUND
    CONFLICT = error_pb2.ERROR_CODE_CONFLICT
    LIMITED = error_pb2.ERROR_CODE_LIMITED
    OVERLOADED = error_pb2.ERROR_CODE_OVERLOADED
    UNAVAILABLE = error_pb2.ERROR_CODE_UNAVAILABLE
    INTERNAL = error_pb2.ERROR_CODE_INTERNAL
    TIMEOUT = error_pb2.ERROR_CODE_TIMEOUT


_CODES: dict[int, Code] = {code.value: code for code in Code}


class ClarionError(Exception):
    """An error that a caller can act on.

    detail: one sentence for the caller. fields: (path, description) of each wrong field.
    retry_after: seconds, 0 where it does not apply. limit: of LIMITED, the limit that is reached, if it is a tenant's.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        fields: Sequence[tuple[str, str]] = (),
        retry_after: int = 0,
        limit: error_pb2.LimitState | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.fields = tuple(fields)
        self.retry_after = retry_after
        self.limit = limit

    def to_proto(self) -> error_pb2.Error:
        """Return the error as it crosses the wire."""
        violations = [error_pb2.FieldViolation(field=field, description=text) for field, text in self.fields]
        return error_pb2.Error(
            code=self.code.value,
            detail=self.detail,
            fields=violations,
            retry_after_s=self.retry_after,
            limit=self.limit,
        )

    @classmethod
    def from_proto(cls, error: error_pb2.Error) -> "ClarionError":
        """Return the error that crossed the wire; an unknown code is INTERNAL."""
        code = _CODES.get(error.code, Code.INTERNAL)
        fields = [(violation.field, violation.description) for violation in error.fields]
        limit = error.limit if error.HasField("limit") else None
        return cls(code, error.detail, fields=fields, retry_after=error.retry_after_s, limit=limit)

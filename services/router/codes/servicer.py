"""CodeService: wire to store."""

from typing import Any

from clarion.router.v1 import codes_pb2, codes_pb2_grpc
from runtime import logs
from services.router.codes import code as codes
from services.router.codes.store import CodeStore

CODE_SERVICE = "clarion.router.v1.CodeService"

log = logs.get(__name__)


class CodeServicer(codes_pb2_grpc.CodeServiceServicer):
    """See proto/clarion/router/v1/codes.proto. The log has ids and outcomes, and never a code, token or subject."""

    def __init__(self, store: CodeStore) -> None:
        self._store = store

    async def CreateCode(self, request: codes_pb2.CreateCodeRequest, context: Any) -> codes_pb2.CreateCodeResponse:
        """Make a code."""
        made = await self._store.create(codes.new_code(request))
        log.info("code_made", tenant_id=request.tenant_id, session_id=made.session_id)
        return codes_pb2.CreateCodeResponse(
            session_id=made.session_id, session_token=made.token, code=made.code, expires_at_us=made.expires_at_us
        )

    async def RenewCode(self, request: codes_pb2.RenewCodeRequest, context: Any) -> codes_pb2.RenewCodeResponse:
        """Make another code for a session."""
        codes.check_token(request)
        made = await self._store.renew(request.tenant_id, request.session_token)
        log.info("code_renewed", tenant_id=request.tenant_id, session_id=made.session_id)
        return codes_pb2.RenewCodeResponse(
            session_id=made.session_id, code=made.code, expires_at_us=made.expires_at_us, memo=made.memo
        )

    async def CheckCode(self, request: codes_pb2.CheckCodeRequest, context: Any) -> codes_pb2.CheckCodeResponse:
        """Check a code."""
        codes.check_token(request)
        codes.check_code(request.code)
        checked = await self._store.check(request.tenant_id, request.session_token, request.code)
        outcome = codes_pb2.CodeOutcome.Name(checked.outcome).removeprefix("CODE_OUTCOME_").lower()
        log.info("code_checked", tenant_id=request.tenant_id, session_id=checked.session_id, outcome=outcome)
        return codes_pb2.CheckCodeResponse(
            outcome=checked.outcome,
            attempts_left=checked.attempts_left,
            subject=checked.subject,
            session_id=checked.session_id,
            memo=checked.memo,
        )

"""ReportService: wire to domain and back, nothing else."""

from typing import Any, ClassVar

import grpc.aio

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import reports_pb2, reports_pb2_grpc
from runtime.errors import ClarionError, Code
from services.domain import masking, suppression_list
from services.senders.ports import Directory
from services.senders.reports.accounts import Accounts, unknown
from services.senders.reports.links import Links
from services.senders.reports.ports import Callback
from services.senders.reports.receive import Receiver
from services.senders.reports.unsubscribe import Unsubscriber

REPORT_SERVICE = "clarion.senders.v1.ReportService"

MAX_BODY_BYTES = 1024 * 1024

Context = grpc.aio.ServicerContext[Any, Any]


class ReportServicer(reports_pb2_grpc.ReportServiceServicer):
    """See proto/clarion/senders/v1/reports.proto."""

    # The body, and the headers of the provider's request.
    MAX_BYTES: ClassVar = {"ReceiveReport": MAX_BODY_BYTES + 256 * 1024}

    def __init__(
        self,
        links: Links,
        accounts: Accounts,
        receiver: Receiver,
        unsubscriber: Unsubscriber,
        directory: Directory,
    ) -> None:
        self._links = links
        self._accounts = accounts
        self._receiver = receiver
        self._unsubscriber = unsubscriber
        self._directory = directory

    async def ReceiveReport(
        self, request: reports_pb2.ReceiveReportRequest, context: Context
    ) -> reports_pb2.ReceiveReportResponse:
        """Take in a provider's callback."""
        if len(request.body) > MAX_BODY_BYTES:
            raise ClarionError(Code.INVALID, "The body is larger than 1 MiB.", fields=[("body", "is too large")])
        # Before anything is looked up: who guesses learns nothing, and costs nothing.
        if not self._links.is_callback(request.provider_id, request.secret):
            raise unknown()
        account = await self._accounts.find(request.provider_id)
        callback = Callback(self._urls(request.url), dict(request.headers), request.body)
        received = await self._receiver.receive(account, callback)
        return reports_pb2.ReceiveReportResponse(applied=received.applied, unknown=received.unknown)

    async def GetCallback(
        self, request: reports_pb2.GetCallbackRequest, context: Context
    ) -> reports_pb2.GetCallbackResponse:
        """Tell where a provider is to send its callbacks."""
        account = await self._accounts.find(request.provider_id)
        setting = account.reporter.setting
        return reports_pb2.GetCallbackResponse(
            url=self._links.callback_url(request.provider_id),
            proof="signature" if setting else "url",
            ready=account.reporter.is_ready(account.credentials),
            setting=setting,
        )

    async def GetUnsubscription(
        self, request: reports_pb2.GetUnsubscriptionRequest, context: Context
    ) -> reports_pb2.GetUnsubscriptionResponse:
        """Tell whom an unsubscribe link is for."""
        subscription = self._unsubscriber.read(request.token)
        tenant = self._directory.tenant(subscription.tenant_id)
        return reports_pb2.GetUnsubscriptionResponse(
            recipient=masking.masked(suppression_list.normalised(event_pb2.CHANNEL_EMAIL, subscription.address)),
            sender=tenant.sender_name if tenant else "",
            channel=event_pb2.CHANNEL_EMAIL,
        )

    async def Unsubscribe(
        self, request: reports_pb2.UnsubscribeRequest, context: Context
    ) -> reports_pb2.UnsubscribeResponse:
        """End subscribed mail."""
        await self._unsubscriber.unsubscribe(request.token)
        return reports_pb2.UnsubscribeResponse()

    def _urls(self, called: str) -> list[str]:
        """Return what the provider may have called: behind a proxy, only the path is what it was."""
        path = "/" + called.partition("://")[2].partition("/")[2]
        return [*([self._links.public_url + path] if self._links.public_url else []), called]

"""ReportService: between protobuf and the domain, no logic."""

from typing import Any, ClassVar

import grpc.aio

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import reports_pb2, reports_pb2_grpc
from runtime.errors import ClarionError, Code
from services.domain import masking, suppression_list
from services.senders.ports import ProviderDirectory
from services.senders.reports.accounts import Accounts, unknown
from services.senders.reports.links import Links
from services.senders.reports.ports import ProviderCallback
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
        directory: ProviderDirectory,
    ) -> None:
        self._links = links
        self._accounts = accounts
        self._receiver = receiver
        self._unsubscriber = unsubscriber
        self._directory = directory

    async def ReceiveReport(
        self, request: reports_pb2.ReceiveReportRequest, context: Context
    ) -> reports_pb2.ReceiveReportResponse:
        """Receive a provider's callback."""
        if len(request.body) > MAX_BODY_BYTES:
            raise ClarionError(Code.INVALID, "The body is larger than 1 MiB.", fields=[("body", "is too large")])
        # Before any look-up: a guessed URL learns nothing, and costs nothing.
        if not self._links.is_callback(request.provider_id, request.secret):
            raise unknown()
        account = await self._accounts.find(request.provider_id)
        callback = ProviderCallback(self._urls(request.url), dict(request.headers), request.body)
        received = await self._receiver.receive(account, callback)
        return reports_pb2.ReceiveReportResponse(applied=received.applied, unknown=received.unknown)

    async def GetCallback(
        self, request: reports_pb2.GetCallbackRequest, context: Context
    ) -> reports_pb2.GetCallbackResponse:
        """Return the URL to which a provider must send its callbacks."""
        account = await self._accounts.find(request.provider_id)
        setting = account.report_reader.setting
        return reports_pb2.GetCallbackResponse(
            url=self._links.callback_url(request.provider_id),
            proof="signature" if setting else "url",
            ready=account.report_reader.is_ready(account.credentials),
            setting=setting,
        )

    async def GetUnsubscription(
        self, request: reports_pb2.GetUnsubscriptionRequest, context: Context
    ) -> reports_pb2.GetUnsubscriptionResponse:
        """Return whom an unsubscribe link is for."""
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
        """Return the URLs that the provider may have called: a proxy may have changed all but the path."""
        path = "/" + called.partition("://")[2].partition("/")[2]
        return [*([self._links.public_url + path] if self._links.public_url else []), called]

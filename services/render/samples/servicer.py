"""The gRPC SampleService. Translates messages, decides nothing."""

from clarion.render.v1 import samples_pb2, samples_pb2_grpc
from runtime import logs
from services.domain.paging import page_limit
from services.render.samples.samples import NewSample, SampleLibrary, SampleStore, StoredSample
from services.render.servicer import Context
from services.render.servicer_templates import fitting

SAMPLE_SERVICE = "clarion.render.v1.SampleService"

log = logs.get(__name__)


class SampleServicer(samples_pb2_grpc.SampleServiceServicer):
    """See proto/clarion/render/v1/samples.proto."""

    def __init__(self, samples: SampleLibrary, store: SampleStore) -> None:
        self._samples = samples
        self._store = store

    async def CreateSample(
        self, request: samples_pb2.CreateSampleRequest, context: Context
    ) -> samples_pb2.CreateSampleResponse:
        """Store a sample."""
        new = NewSample(request.tenant_id, request.event_type, request.name, request.variables)
        created = await self._samples.create(new)
        log.info("sample_created", sample_id=created.id, tenant_id=new.tenant_id, event_type=new.event_type)
        return samples_pb2.CreateSampleResponse(sample=_shown(created))

    async def GetSample(self, request: samples_pb2.GetSampleRequest, context: Context) -> samples_pb2.GetSampleResponse:
        """Return one sample."""
        return samples_pb2.GetSampleResponse(sample=_shown(await self._store.get(request.sample_id, request.tenant_id)))

    async def ListSamples(
        self, request: samples_pb2.ListSamplesRequest, context: Context
    ) -> samples_pb2.ListSamplesResponse:
        """Return a tenant's samples, by event type and name."""
        limit = page_limit(request.limit)
        found = await self._store.page(request.tenant_id, request.event_type, limit=limit, cursor=request.cursor)
        page = fitting([_shown(sample) for sample in found])
        next_cursor = page[-1].id if len(page) == limit or len(page) < len(found) else ""
        return samples_pb2.ListSamplesResponse(samples=page, next_cursor=next_cursor)

    async def UpdateSample(
        self, request: samples_pb2.UpdateSampleRequest, context: Context
    ) -> samples_pb2.UpdateSampleResponse:
        """Replace a sample's name and variables."""
        updated = await self._samples.update(request.sample_id, request.tenant_id, request.name, request.variables)
        log.info("sample_updated", sample_id=updated.id, tenant_id=request.tenant_id)
        return samples_pb2.UpdateSampleResponse(sample=_shown(updated))

    async def DeleteSample(
        self, request: samples_pb2.DeleteSampleRequest, context: Context
    ) -> samples_pb2.DeleteSampleResponse:
        """Delete a sample."""
        await self._store.delete(request.sample_id, request.tenant_id)
        log.info("sample_deleted", sample_id=request.sample_id, tenant_id=request.tenant_id)
        return samples_pb2.DeleteSampleResponse()


def _shown(stored: StoredSample) -> samples_pb2.Sample:
    sample = stored.sample
    return samples_pb2.Sample(
        id=stored.id,
        tenant_id=sample.tenant_id,
        event_type=sample.event_type,
        name=sample.name,
        variables=sample.variables,
        created_at_us=stored.created_at_us,
        updated_at_us=stored.updated_at_us,
    )

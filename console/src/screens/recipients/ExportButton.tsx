import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { download } from "~/api/files";
import { Button } from "~/kit/Button";
import { saveFile } from "~/kit/saveFile";
import { notifyError } from "~/kit/Toast";

/** Whom the file has; nothing: everybody. */
export interface Whom {
  segment_id?: string | undefined;
  tags?: string[] | undefined;
  search?: string | undefined;
}

/** Gives the people of a list as a CSV file, which can be imported again. */
export function ExportButton({ tenantId, whom }: { tenantId: string; whom: Whom }) {
  const stop = useRef(new AbortController());
  useEffect(() => {
    stop.current = new AbortController();
    return () => stop.current.abort();
  }, []);
  const exporting = useMutation({
    mutationFn: () =>
      download(
        `/api/v1/admin/tenants/${encodeURIComponent(tenantId)}/recipient-export`,
        whom,
        stop.current.signal,
      ),
    onSuccess: (file) => saveFile(file, "recipients.csv"),
    onError: (error) => error.name !== "AbortError" && notifyError(error),
  });
  return (
    <Button isBusy={exporting.isPending} onClick={() => exporting.mutate()}>
      Export as CSV
    </Button>
  );
}
